"""An answer on its way: its text, its parts in the channel, how it ended."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    delete,
    exists,
    or_,
    select,
    update,
)

from bot.core.fingerprints import fingerprint
from bot.core.messages import Kind, Part, PartState, Role, SurplusPart, TurnState
from bot.core.wording import TOLD
from bot.storage.schema import IS_DELETING, IS_OPEN, conversations, parts, turns
from bot.storage.upsert import inserts

UNFINISHED = (TurnState.DRAFTING, TurnState.WRITTEN)
OURS_TO_DELETE = (PartState.DELETING, PartState.DELETED)
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
_STATE = select(turns.c.state).where(turns.c.id == bindparam("answer"))
_PART = update(parts).where(parts.c.turn_id == bindparam("answer"), parts.c.n == bindparam("number"))
# A part that is to be deleted stays so, even if the request that posted it ends only now.
_PART_POSTED = _PART.values(
    state=case((parts.c.state == PartState.DELETING, PartState.DELETING), else_=PartState.POSTED)
)
_ADD_PART = {
    dialect: statement.on_conflict_do_update(
        index_elements=[parts.c.turn_id, parts.c.n],
        set_={
            "attempt": statement.excluded.attempt,
            "channel_id": statement.excluded.channel_id,
            "message_id": None,
            "nonce": statement.excluded.nonce,
            "first_tried_at": statement.excluded.first_tried_at,
            "state": PartState.PENDING,
            "text": statement.excluded.text,
        },
        # A part that may be in the channel keeps its nonce: a second one would post it twice.
        where=parts.c.state == PartState.DELETED,
    )
    for dialect, statement in inserts(parts).items()
}


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
    _forget_withdrawn(connection, answer_id)
    return True


def blank(connection: Connection, answer_ids: list[int]) -> None:
    """Withdraw unfinished answers: no text stays, and what is in the channel must go."""
    connection.execute(update(turns).where(turns.c.id.in_(answer_ids)).values(BLANK))
    remove_parts(connection, answer_ids)


def remove_parts(connection: Connection, turn_ids: Collection[int]) -> None:
    """What is in the channel of them must go."""
    mine = parts.c.turn_id.in_(turn_ids)
    for row in connection.execute(
        select(parts).where(mine, parts.c.message_id.is_(None), parts.c.text != "")
    ).all():
        kept = fingerprint(row.text, salt=row.nonce)  # a reply to what is gone would be found by nothing else
        connection.execute(update(parts).where(parts.c.id == row.id).values(fingerprint=kept))
    state = case((parts.c.state == PartState.DELETED, PartState.DELETED), else_=PartState.DELETING)
    connection.execute(update(parts).where(mine).values(text="", state=state))


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


def add_part(connection: Connection, answer_id: int, *, attempt: int, part: Part, now: datetime) -> bool:
    """False when the answer was withdrawn."""
    state = connection.scalar(_STATE, {"answer": answer_id})
    if state is None or state == TurnState.WITHDRAWN:
        return False
    connection.execute(_ADD_PART[connection.dialect.name], pending(answer_id, part, attempt=attempt, now=now))
    return True


def pending(turn_id: int, part: Part, *, attempt: int, now: datetime) -> dict[str, Any]:
    """The row of a part that is about to be posted."""
    return {
        "turn_id": turn_id,
        "attempt": attempt,
        "n": part.n,
        "channel_id": part.channel_id,
        "nonce": part.nonce,
        "first_tried_at": now,
        "state": PartState.PENDING,
        "text": part.text,
    }


def part_posted(connection: Connection, answer_id: int, *, n: int, message_id: int) -> None:
    connection.execute(_PART_POSTED, {"answer": answer_id, "number": n, "message_id": message_id})


def part_refused(connection: Connection, answer_id: int, *, n: int) -> None:
    connection.execute(
        delete(parts).where(parts.c.turn_id == answer_id, parts.c.n == n, parts.c.message_id.is_(None))
    )


def part_deleting(connection: Connection, answer_id: int, *, n: int) -> None:
    connection.execute(_PART, {"answer": answer_id, "number": n, "state": PartState.DELETING, "text": ""})


def part_deleted(connection: Connection, answer_id: int, *, n: int) -> None:
    connection.execute(_PART, {"answer": answer_id, "number": n, "state": PartState.DELETED, "text": ""})
    _forget_withdrawn(connection, answer_id)


def posting_in(connection: Connection, channel_id: int) -> bool:
    is_pending = exists().where(
        parts.c.turn_id == turns.c.id, parts.c.channel_id == channel_id, parts.c.state == PartState.PENDING
    )
    return connection.scalar(select(turns.c.id).where(IS_OPEN, is_pending).limit(1)) is not None


def surplus(connection: Connection) -> list[SurplusPart]:
    before = parts.alias()
    behind = select(before.c.message_id).where(before.c.turn_id == parts.c.turn_id, before.c.n == parts.c.n - 1)
    rows = connection.execute(
        select(parts, conversations.c.private_to, behind.scalar_subquery().label("behind"))
        .join(turns, parts.c.turn_id == turns.c.id)
        .join(conversations, turns.c.conversation_id == conversations.c.id)
        .where(IS_DELETING)
        .order_by(parts.c.turn_id, parts.c.n.desc())
    )
    return [
        SurplusPart(
            answer_id=row.turn_id,
            attempt=row.attempt,
            part=as_part(row),
            private=row.private_to != 0,
            behind=row.behind,
            fingerprint=row.fingerprint,
        )
        for row in rows
    ]


def as_part(row: Row[*tuple[Any, ...]]) -> Part:
    return Part(
        n=row.n,
        channel_id=row.channel_id,
        nonce=row.nonce,
        text=row.text,
        message_id=row.message_id,
        first_tried_at=row.first_tried_at,
    )


def _forget_withdrawn(connection: Connection, answer_id: int) -> None:
    """Nothing of it is in the channel any more."""
    there = exists().where(parts.c.turn_id == answer_id, parts.c.state != PartState.DELETED)
    gone = connection.scalars(
        delete(turns)
        .where(
            turns.c.id == answer_id,
            turns.c.role == Role.ASSISTANT,  # a question's row stays: its message may be told of again
            turns.c.state == TurnState.WITHDRAWN,
            ~there,
        )
        .returning(turns.c.conversation_id)
    ).all()
    if gone:
        drop_forgotten(connection, conversations.c.id.in_(gone))


def drop_forgotten(connection: Connection, which: ColumnElement[bool]) -> None:
    """Let go of private conversations of which nothing is left: commands are not told of again.

    Those with an answer under way stay until it has ended: SQLite would give the row's number to another answer.
    """
    left = or_(turns.c.state != TurnState.WITHDRAWN, turns.c.role == Role.ASSISTANT)
    connection.execute(
        delete(conversations).where(
            which,
            conversations.c.private_to != 0,
            ~exists().where(turns.c.conversation_id == conversations.c.id, left),
        )
    )


def _end_questions(connection: Connection, answer_id: int, *, state: TurnState, outcome: str | None) -> None:
    connection.execute(_QUESTIONS, {"answer": answer_id, "state": state, "outcome": outcome})
