"""An answer on its way: its text, and how it ended."""

from sqlalchemy import Connection, bindparam, or_, select, update

from bot.core.messages import Kind, TurnState
from bot.core.wording import TOLD
from bot.storage.answer_parts import forget_withdrawn, remove_parts
from bot.storage.schema import conversations, turns

UNFINISHED = (TurnState.DRAFTING, TurnState.WRITTEN)
BLANK = {"text": "", "raw_text": "", "position": None, "state": TurnState.WITHDRAWN}

# Built once: SQLAlchemy then finds their SQL without looking through them again. What a call sets is no part of
# them; it comes with the parameters.
_UNFINISHED_ANSWER = update(turns).where(turns.c.id == bindparam("answer"), turns.c.state.in_(UNFINISHED))
_STAND = (
    update(turns)
    .where(turns.c.id == bindparam("answer"), turns.c.state == TurnState.WRITTEN)
    .values(state=TurnState.STANDING, payer_id=None)
    .returning(turns.c.kind, turns.c.outcome)
)
_QUESTIONS = (
    update(turns)
    .where(turns.c.answered_by == bindparam("answer"), turns.c.state == TurnState.ANSWERING)
    .values(interaction_token=None)
)
_ITS_PLACE = select(turns.c.position).where(turns.c.id == bindparam("answer")).scalar_subquery()
# What was under way at a reset says nothing of what came after.
_LEARN_RATE = (
    update(conversations)
    .where(
        conversations.c.id
        == select(turns.c.conversation_id).where(turns.c.id == bindparam("answer")).scalar_subquery(),
        conversations.c.reset_position <= _ITS_PLACE,
    )
    .values(token_rate=bindparam("rate"))
)


def write(
    connection: Connection,
    answer_id: int,
    *,
    kind: Kind,
    text: str,
    shown: str,
    outcome: str,
    call_id: int | None = None,
) -> bool:
    """*call_id*: the record of the request that brought the text. False when the answer was withdrawn."""
    written = connection.execute(
        _UNFINISHED_ANSWER,
        {
            "answer": answer_id,
            "kind": kind,
            "state": TurnState.WRITTEN,
            "text": text,
            "raw_text": shown,
            "outcome": outcome,
            "call_id": call_id,
        },
    )
    return written.rowcount == 1


def learn_rate(connection: Connection, answer_id: int, token_rate: float) -> None:
    connection.execute(_LEARN_RATE, {"answer": answer_id, "rate": token_rate})


def stand(connection: Connection, answer_id: int) -> bool:
    """False if the answer was withdrawn. Standing again, or before there is text, changes nothing."""
    answer = connection.execute(_STAND, {"answer": answer_id}).one_or_none()
    if answer is None:
        state = connection.scalar(select(turns.c.state).where(turns.c.id == answer_id))
        return state not in (None, TurnState.WITHDRAWN)
    if answer.kind == Kind.ANSWER or answer.outcome == TOLD:
        _end_questions(connection, answer_id, state=TurnState.ANSWERED, outcome=None)
    else:
        _end_questions(connection, answer_id, state=TurnState.FAILED, outcome=answer.outcome)
    return True


def undeliverable(connection: Connection, answer_id: int, *, code: str) -> None:
    ended = connection.execute(
        _UNFINISHED_ANSWER,
        {"answer": answer_id, "state": TurnState.UNDELIVERABLE, "outcome": code, "payer_id": None},
    )
    if ended.rowcount:
        _end_questions(connection, answer_id, state=TurnState.FAILED, outcome=code)


def count_anew(connection: Connection, answer_id: int) -> None:
    connection.execute(
        update(turns)
        .where(or_(turns.c.id == answer_id, turns.c.answered_by == answer_id))
        .values(restarts=turns.c.attempts)
    )


def withdraw(connection: Connection, answer_id: int) -> bool:
    """False when there was no such unfinished answer. Its row stays while parts of it are in the channel."""
    gone = connection.execute(
        select(turns.c.id).where(turns.c.id == answer_id, turns.c.state.in_([*UNFINISHED, TurnState.WITHDRAWN]))
    ).one_or_none()
    if gone is None:
        return False
    ask_again(connection, [answer_id])
    blank(connection, [answer_id])
    connection.execute(update(turns).where(turns.c.id == answer_id).values(payer_id=None))
    forget_withdrawn(connection, [answer_id])
    return True


def blank(connection: Connection, answer_ids: list[int]) -> None:
    """Withdraw unfinished answers: no text stays, and what is in the channel must go."""
    connection.execute(update(turns).where(turns.c.id.in_(answer_ids)).values(BLANK))
    remove_parts(connection, answer_ids)


def ask_again(connection: Connection, answer_ids: list[int]) -> None:
    """The questions of these answers wait again, and get their place anew when they are taken up.

    That a neighbour of theirs was deleted is no failure.
    """
    connection.execute(
        update(turns)
        .where(turns.c.answered_by.in_(answer_ids), turns.c.state == TurnState.ANSWERING)
        .values(state=TurnState.WAITING, position=None, answered_by=None, restarts=turns.c.restarts + 1)
    )


def begin_anew(connection: Connection, answer_id: int) -> bool:
    """False when the answer was withdrawn. Its take-up is not counted as one that failed."""
    asked = (turns.c.answered_by == answer_id) & (turns.c.state == TurnState.ANSWERING)
    drafted = (turns.c.id == answer_id) & (turns.c.state == TurnState.DRAFTING)
    again = {"restarts": turns.c.restarts + 1}
    connection.execute(update(turns).where(asked).values(again))
    return connection.execute(update(turns).where(drafted).values(again)).rowcount == 1


def _end_questions(connection: Connection, answer_id: int, *, state: TurnState, outcome: str | None) -> None:
    connection.execute(_QUESTIONS, {"answer": answer_id, "state": state, "outcome": outcome})
