"""Reads a conversation's turns, newest first and no further back than the token budget reaches."""

from collections.abc import Iterator

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from bot.core.history import cut_to, newest_within, quote_tokens
from bot.core.messages import ConversationKey, Kind, PastTurn, Remembered, TurnState
from bot.storage.conversations import Place, find
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


def read_history(
    connection: Connection, place: Place, *, before: int, tokens: int
) -> tuple[tuple[PastTurn, ...], int]:
    """The newest turns since the last reset that fit into *tokens*, oldest first, and what they cost."""
    newest, used = newest_within(
        _pages(connection, place, before=before, most_of_a_quote=quote_tokens(tokens)),
        tokens=tokens,
        labelled=place.conversation.labelled,
    )
    return tuple(reversed(newest)), used


def _pages(connection: Connection, place: Place, *, before: int, most_of_a_quote: int) -> Iterator[list[PastTurn]]:
    """Newest first; nothing is read before it is asked for."""
    while True:
        rows = connection.execute(
            _NEWEST,
            {"conversation_id": place.conversation.id, "since": place.reset_position, "before": before},
        ).all()
        yield [
            PastTurn(_ROLES[kind], cut_to(text, tokens=most_of_a_quote) if kind == Kind.QUOTE else text, label)
            for kind, text, label, _ in rows
        ]
        if len(rows) < TURNS_PER_READ:
            return
        before = rows[-1].position


def remembered(connection: Connection, *, key: ConversationKey, newest: int) -> Remembered:
    """What a conversation remembers since its last reset: how many turns, and the newest of them."""
    place = find(connection, key)
    if place is None:
        return Remembered()
    known = {"conversation_id": place.conversation.id, "since": place.reset_position}
    count = connection.execute(select(func.count()).select_from(turns).where(*_REMEMBERED), known).scalar_one()
    rows = connection.execute(_NEWEST.limit(newest), known | {"before": place.next_position}).all()
    return Remembered(
        turns=count, newest=tuple(PastTurn(_ROLES[kind], text, label) for kind, text, label, _ in reversed(rows))
    )
