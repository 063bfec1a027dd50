"""An answer is written anew in its place: reopened, and closed again by a new text or by the old one."""

from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from bot.core.messages import Kind, Press, Previous, Reopened, Role, TurnState
from bot.storage.answers import UNFINISHED
from bot.storage.schema import IS_NO_QUOTE, IS_OPEN, conversations, turns


def reopen(connection: Connection, press: Press) -> Reopened:
    """The answer keeps its texts until others are written; what was tried for it before is no failure of this.

    Whoever pressed is kept as its payer until it stands.
    """
    asked = _asked(connection, press)
    if asked is None or asked.state == TurnState.WITHDRAWN:
        return Reopened.GONE if asked is None else Reopened.QUESTION_DELETED
    if not press.may_concern(asked.author_id):
        return Reopened.NOT_THEIRS
    if asked.state == TurnState.ANSWERING:
        return Reopened.UNDER_WAY
    position = _standing_at(connection, asked.answered_by)
    if asked.state != TurnState.ANSWERED or position is None:
        return Reopened.GONE
    if not _is_last(connection, asked.conversation_id, position):
        return Reopened.NOT_LAST
    anew = {"restarts": turns.c.attempts}
    payer = None if press.person == asked.author_id else press.person
    connection.execute(
        update(turns)
        .where(turns.c.id == asked.answered_by)
        .values(state=TurnState.DRAFTING, payer_id=payer, **anew)
    )
    connection.execute(
        update(turns)
        .where(turns.c.answered_by == asked.answered_by, turns.c.state == TurnState.ANSWERED)
        .values(state=TurnState.ANSWERING, **anew)
    )
    return Reopened.YES


def restore(connection: Connection, answer_id: int, *, previous: Previous) -> bool:
    """False when it was withdrawn."""
    restored = connection.execute(
        update(turns)
        .where(turns.c.id == answer_id, turns.c.role == Role.ASSISTANT, turns.c.state.in_(UNFINISHED))
        .values(
            state=TurnState.WRITTEN,
            text=previous.text,
            raw_text=previous.shown,
            outcome=previous.outcome,
            call_id=previous.call_id,
        )
    )
    return restored.rowcount == 1


def _asked(connection: Connection, press: Press) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(
        select(turns.c.author_id, turns.c.state, turns.c.conversation_id, turns.c.answered_by)
        .join(conversations, turns.c.conversation_id == conversations.c.id)
        .where(
            IS_NO_QUOTE,
            turns.c.message_id == press.question_id,
            conversations.c.channel_id == press.key.channel_id,
            conversations.c.private_to == press.key.private_to,
        )
    ).one_or_none()


def _standing_at(connection: Connection, answer_id: int | None) -> int | None:
    """Its position; None where no answer stands."""
    return connection.scalar(
        select(turns.c.position).where(
            turns.c.id == answer_id, turns.c.state == TurnState.STANDING, turns.c.kind == Kind.ANSWER
        )
    )


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
