"""Reads the turns in a conversation's window, newest first, and moves the window when they outgrow the budget."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, and_, bindparam, func, or_, select, update

from bot.core.history import Budget, cut_to
from bot.core.messages import ConversationKey, Kind, PastTurn, Remembered, Turn, TurnState
from bot.core.window import asked_tokens, in_window
from bot.storage.conversations import Place, find
from bot.storage.rows import TurnRow
from bot.storage.schema import conversations, turns

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
_MOVE_WINDOW = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation"))
    .values(window_start=bindparam("start"))
)


def read_history(
    connection: Connection, place: Place, asked: Sequence[Turn], budget: Budget
) -> tuple[tuple[PastTurn, ...], int]:
    """The turns in the window before what is *asked*, oldest first, and what they cost. It moves if it must."""
    labelled = place.conversation.labelled
    tokens = asked_tokens(asked, budget, labelled=labelled)
    if tokens is None:
        return (), 0  # it is refused: nothing need make room for it
    positions: list[int] = []
    first = min(turn.position or 0 for turn in asked)
    pages = _pages(connection, place, before=first, most_of_a_quote=budget.most_of_a_quote, positions=positions)
    newest, used, everything = in_window(pages, budget, asked=tokens, labelled=labelled)
    if not everything:
        start = positions[len(newest) - 1] if newest else first
        connection.execute(_MOVE_WINDOW, {"conversation": place.conversation.id, "start": start})
    return tuple(reversed(newest)), used


def _pages(
    connection: Connection, place: Place, *, before: int, most_of_a_quote: int, positions: list[int]
) -> Iterator[list[PastTurn]]:
    """Newest first; nothing is read before it is asked for. What is read leaves its position in *positions*."""
    while True:
        rows = connection.execute(
            _NEWEST, {"conversation_id": place.conversation.id, "since": place.window_start, "before": before}
        ).all()
        page = [(_past_turn(row, most_of_a_quote), row.position) for row in rows]
        page = [(turn, position) for turn, position in page if turn.text]
        positions += (position for _, position in page)
        yield [turn for turn, _ in page]
        if len(rows) < TURNS_PER_READ:
            return
        before = rows[-1].position


def _past_turn(row: TurnRow, most_of_a_quote: int) -> PastTurn:
    text = cut_to(row.text, tokens=most_of_a_quote) if row.kind == Kind.QUOTE else row.text
    return PastTurn(_ROLES[row.kind], text, row.label)


def remembered(connection: Connection, *, key: ConversationKey, newest: int) -> Remembered:
    """What a conversation remembers since its last reset: how many turns, and the newest of them."""
    place = find(connection, key)
    if place is None:
        return Remembered()
    known = {"conversation_id": place.conversation.id, "since": place.reset_position}
    count = connection.execute(select(func.count()).select_from(turns).where(*_REMEMBERED), known).scalar_one()
    rows = connection.execute(_NEWEST.limit(newest), known | {"before": place.next_position}).all()
    return Remembered(
        turns=count, newest=tuple(PastTurn(_ROLES[kind], text, label) for kind, text, label, *_ in reversed(rows))
    )
