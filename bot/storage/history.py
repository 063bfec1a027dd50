"""Reads a conversation's turns, newest first and no further back than somebody wants them."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from bot.core.messages import ConversationKey, Kind, PastTurn, Remembered, TurnState
from bot.core.tokens import cut_to
from bot.storage.conversations import find
from bot.storage.rows import TurnRow
from bot.storage.schema import turns

TURNS_PER_READ = 256  # more than most budgets hold, so that one read is the rule

_ROLES = {kind.value: kind.role for kind in Kind}

_REMEMBERED = (
    turns.c.conversation_id == bindparam("conversation_id"),
    turns.c.position >= bindparam("since"),
    turns.c.text != "",
    or_(
        turns.c.state == TurnState.ANSWERED,
        and_(
            turns.c.kind == Kind.ANSWER,
            or_(turns.c.state == TurnState.STANDING, turns.c.state == TurnState.WRITTEN),
        ),
    ),
)
_NEWEST = (
    select(turns.c.kind, turns.c.text, turns.c.label, turns.c.position)
    .where(*_REMEMBERED, turns.c.position < bindparam("before"))
    .order_by(turns.c.position.desc())
    .limit(TURNS_PER_READ)
)
_COUNT = select(func.count()).select_from(turns).where(*_REMEMBERED, turns.c.position < bindparam("before"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """From one position to before another in a conversation, and how long a quote there may be."""

    conversation_id: int
    since: int
    before: int
    most_of_a_quote: int


def pages(connection: Connection, stretch: Stretch, *, positions: list[int]) -> Iterator[list[PastTurn]]:
    """Newest first; nothing is read before it is asked for. What is read leaves its position in *positions*."""
    before = stretch.before
    while True:
        rows = connection.execute(
            _NEWEST, {"conversation_id": stretch.conversation_id, "since": stretch.since, "before": before}
        ).all()
        page = [(_past_turn(row, stretch.most_of_a_quote), row.position) for row in rows]
        page = [(turn, position) for turn, position in page if turn.text]
        positions += (position for _, position in page)
        yield [turn for turn, _ in page]
        if len(rows) < TURNS_PER_READ:
            return
        before = rows[-1].position


def count_turns(connection: Connection, *, conversation_id: int, since: int, before: int) -> int:
    """How many turns are history from one position to before another."""
    stretch = {"conversation_id": conversation_id, "since": since, "before": before}
    return connection.execute(_COUNT, stretch).scalar_one()


def _past_turn(row: TurnRow, most_of_a_quote: int) -> PastTurn:
    text = cut_to(row.text, tokens=most_of_a_quote) if row.kind == Kind.QUOTE else row.text
    return PastTurn(_ROLES[row.kind], text, row.label)


def remembered(connection: Connection, *, key: ConversationKey, newest: int) -> Remembered:
    """What a conversation remembers since its last reset: how many turns, and the newest of them."""
    place = find(connection, key)
    if place is None:
        return Remembered()
    known = {"conversation_id": place.conversation.id, "since": place.reset_position}
    known |= {"before": place.next_position}
    rows = connection.execute(_NEWEST.limit(newest), known).all()
    return Remembered(
        turns=count_turns(connection, **known),
        newest=tuple(PastTurn(_ROLES[kind], text, label) for kind, text, label, *_ in reversed(rows)),
    )
