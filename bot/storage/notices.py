"""Notices for those who wait: parts of a question, which become its answer's first part."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from bot.core.messages import Part, PartState, Role, TurnState
from bot.storage.answer_parts import OURS_TO_DELETE, pending
from bot.storage.rows import as_part
from bot.storage.schema import IS_NO_QUOTE, parts, turns
from bot.storage.upsert import inserts

BEHIND_ALL_PARTS = 1_000  # numbers of notices that nothing becomes of

_ADD = {
    dialect: statement.on_conflict_do_nothing().returning(parts.c.id)
    for dialect, statement in inserts(parts).items()
}
_OF_A_QUESTION = parts.c.turn_id.in_(select(turns.c.id).where(turns.c.role == Role.USER))


def add(connection: Connection, message_id: int, *, part: Part, now: datetime) -> bool:
    """False: the question waits no longer, or has had a notice."""
    question = connection.execute(
        select(turns.c.id, turns.c.attempts).where(
            IS_NO_QUOTE, turns.c.message_id == message_id, turns.c.state == TurnState.WAITING
        )
    ).one_or_none()
    if question is None:
        return False
    values = pending(question.id, part, attempt=question.attempts, now=now)
    return connection.execute(_ADD[connection.dialect.name], values).one_or_none() is not None


def posted(connection: Connection, nonce: str, *, message_id: int) -> None:
    mine = parts.c.nonce == nonce
    connection.execute(update(parts).where(mine, parts.c.message_id.is_(None)).values(message_id=message_id))
    connection.execute(
        update(parts).where(mine, parts.c.state == PartState.PENDING).values(state=PartState.POSTED)
    )


def drop(connection: Connection, nonce: str) -> bool:
    """False: it is an answer's by now."""
    mine = (parts.c.nonce == nonce, parts.c.message_id.is_(None), _OF_A_QUESTION)
    return connection.execute(delete(parts).where(*mine)).rowcount == 1


def hand_over(connection: Connection, questions: Collection[int], answer_id: int) -> tuple[Part, ...]:
    """Let the first notice of these questions be the answer's first part; further ones must go."""
    rows = connection.execute(
        select(parts)
        .where(parts.c.turn_id.in_(questions), parts.c.state.not_in(OURS_TO_DELETE))
        .order_by(parts.c.turn_id)
    ).all()
    for n, row in enumerate(rows):
        # Its text is a sentence of ours, and finds it in the channel.
        becomes = {"n": 0} if n == 0 else {"n": BEHIND_ALL_PARTS + n, "state": PartState.DELETING}
        connection.execute(update(parts).where(parts.c.id == row.id).values(turn_id=answer_id, **becomes))
    return tuple(map(as_part, rows[:1]))
