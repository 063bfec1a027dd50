"""Reads the turns in a conversation's window, and moves the window when they outgrow the budget."""

from bisect import bisect_right
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, update

from bot.core.history import TokenBudget, summary_tokens
from bot.core.messages import PastTurn, Turn
from bot.core.window import asked_tokens, newest_within, staying, without_orphans
from bot.storage import summaries
from bot.storage.conversations import Place
from bot.storage.history import Stretch, pages
from bot.storage.schema import conversations

_MOVE = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation"))
    .values(window_start=bindparam("start"))
)


def read_window(
    connection: Connection, place: Place, asked: Sequence[Turn], budget: TokenBudget
) -> tuple[tuple[PastTurn, ...], int, str | None]:
    """The turns before what is *asked*, oldest first, what they cost, and the summary of those before them."""
    labelled, summary = place.conversation.labelled, place.summary
    tokens = asked_tokens(asked, budget, labelled=labelled)
    if tokens is None:
        return (), 0, summary  # it is refused: nothing need make room for it
    room, positions = budget.for_turns - tokens, list[int]()
    first = min(turn.position or 0 for turn in asked)
    stretch = Stretch(
        conversation_id=place.conversation.id,
        since=place.window_start,
        before=first,
        most_of_a_quote=budget.most_of_a_quote,
    )
    newest, used, everything = newest_within(
        pages(connection, stretch, positions=positions), tokens=room - summary_tokens(summary), labelled=labelled
    )
    if not everything:
        ready = summaries.show_ready(connection, place, before=first)
        count, used = staying(
            newest,
            room=room - summary_tokens(ready.text if ready else summary),
            kept=budget.kept,
            labelled=labelled,
            summarised=_from(positions[: len(newest)], ready.before) if ready else None,
        )
        newest, summary = newest[:count], ready.text if ready else summary
        start = positions[count - 1] if count else first
        connection.execute(_MOVE, {"conversation": place.conversation.id, "start": start})
    newest, used = without_orphans(newest, used, labelled=labelled)
    return tuple(reversed(newest)), used, summary


def _from(positions: Sequence[int], start: int) -> int:
    """How many of *positions*, highest first, are not below *start*."""
    return bisect_right(positions, -start, key=lambda position: -position)
