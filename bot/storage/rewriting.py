"""An answer is written anew in its place: reopened, and closed again by a new text or by the old one."""

from sqlalchemy import Connection, func, select, update

from bot.core.messages import Kind, Reopened, Role, TurnState
from bot.storage.schema import IS_NO_QUOTE, IS_OPEN, conversations, turns


def reopen(connection: Connection, question_id: int, *, person: int, moderates: bool) -> Reopened:
    """The answer keeps its texts until others are written; what was tried for it before is no failure of this."""
    question = connection.execute(
        select(turns.c.author_id, turns.c.conversation_id, turns.c.answered_by).where(
            IS_NO_QUOTE, turns.c.message_id == question_id, turns.c.state == TurnState.ANSWERED
        )
    ).one_or_none()
    if question is None:
        return Reopened.GONE
    answer = connection.execute(
        select(turns.c.id, turns.c.position).where(
            turns.c.id == question.answered_by, turns.c.state == TurnState.STANDING, turns.c.kind == Kind.ANSWER
        )
    ).one_or_none()
    if answer is None:
        return Reopened.GONE
    if question.author_id != person and not moderates:
        return Reopened.NOT_THEIRS
    if not _is_last(connection, question.conversation_id, answer.position):
        return Reopened.NOT_LAST
    anew = {"restarts": turns.c.attempts}
    connection.execute(update(turns).where(turns.c.id == answer.id).values(state=TurnState.DRAFTING, **anew))
    connection.execute(
        update(turns)
        .where(turns.c.answered_by == answer.id, turns.c.state == TurnState.ANSWERED)
        .values(state=TurnState.ANSWERING, **anew)
    )
    return Reopened.YES


def restore(connection: Connection, answer_id: int) -> bool:
    """False when it was withdrawn."""
    restored = connection.execute(
        update(turns)
        .where(turns.c.id == answer_id, turns.c.role == Role.ASSISTANT, turns.c.state == TurnState.DRAFTING)
        .values(state=TurnState.WRITTEN)
    )
    return restored.rowcount == 1


def _is_last(connection: Connection, conversation_id: int, position: int) -> bool:
    """Nothing waits or is answered there, and nothing came after it, nor a reset."""
    place = connection.execute(
        select(conversations.c.next_position, conversations.c.reset_position).where(
            conversations.c.id == conversation_id
        )
    ).one()
    pending = connection.execute(
        select(func.count()).select_from(turns).where(turns.c.conversation_id == conversation_id, IS_OPEN)
    ).scalar_one()
    return not pending and place.reset_position <= position == place.next_position - 1
