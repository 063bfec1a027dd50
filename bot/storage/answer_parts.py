"""The messages that an answer is in Discord: a row for each, stored before the request that concerns it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, exists, select, update

from bot.core.fingerprints import fingerprint
from bot.core.messages import Part, PartState, Role, SurplusPart, TurnState
from bot.storage.conversations import drop_forgotten
from bot.storage.rows import as_part
from bot.storage.schema import IS_DELETING, IS_OPEN, conversations, parts, turns
from bot.storage.upsert import inserts

OURS_TO_DELETE = (PartState.DELETING, PartState.DELETED)

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


def add(connection: Connection, answer_id: int, *, attempt: int, part: Part, now: datetime) -> bool:
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


def posted(connection: Connection, answer_id: int, *, n: int, message_id: int) -> None:
    connection.execute(_PART_POSTED, {"answer": answer_id, "number": n, "message_id": message_id})


def refused(connection: Connection, answer_id: int, *, n: int) -> None:
    connection.execute(
        delete(parts).where(parts.c.turn_id == answer_id, parts.c.n == n, parts.c.message_id.is_(None))
    )


def deleting(connection: Connection, answer_id: int, *, n: int) -> None:
    connection.execute(_PART, {"answer": answer_id, "number": n, "state": PartState.DELETING, "text": ""})


def deleted(connection: Connection, answer_id: int, *, n: int) -> None:
    connection.execute(_PART, {"answer": answer_id, "number": n, "state": PartState.DELETED, "text": ""})
    forget_withdrawn(connection, [answer_id])


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


def forget_withdrawn(connection: Connection, answer_ids: Collection[int]) -> bool:
    """Let go of withdrawn answers of which nothing is in the channel any more. Whether there were such."""
    there = exists().where(parts.c.turn_id == turns.c.id, parts.c.state != PartState.DELETED)
    gone = connection.scalars(
        delete(turns)
        .where(
            turns.c.id.in_(answer_ids),
            turns.c.role == Role.ASSISTANT,  # a question's row stays: its message may be told of again
            turns.c.state == TurnState.WITHDRAWN,
            ~there,
        )
        .returning(turns.c.conversation_id)
    ).all()
    if gone:
        drop_forgotten(connection, conversations.c.id.in_(gone))
    return bool(gone)
