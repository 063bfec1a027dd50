"""Summaries: rows over turns that are still there, each saying what it covers; they go with what they cover.

A conversation has two at most: the one that its prompts show, and the one that is shown when the window moves. Of
one that is made anew in several pieces, the second is what is done so far; until then, the first is empty.
"""

from dataclasses import replace
from datetime import datetime
from math import inf
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from bot.core.messages import ConversationKey, PastTurn
from bot.core.prompt import summary_tokens
from bot.core.summary import ToSummarise, in_pieces
from bot.core.tokens import TokenBudget
from bot.core.window import first_within, leaving
from bot.storage.conversations import Place, find
from bot.storage.history import Stretch, pages
from bot.storage.schema import conversations, summaries, turns

MOST_REQUESTS = 8  # for one summary, one after the other: each is paid for, at any deletion again

_COLUMNS = (summaries.c.since, summaries.c.before, summaries.c.turns, summaries.c.text, summaries.c.shown)
# Newest first: the one that is ready, then the one that is shown.
_OF_CONVERSATION = (
    select(*_COLUMNS).where(summaries.c.conversation_id == bindparam("conversation")).order_by(summaries.c.shown)
)


class Summary(NamedTuple):
    since: int
    before: int
    turns: int
    text: str
    shown: bool


_NONE = Summary(since=0, before=0, turns=0, text="", shown=False)


def to_summarise(connection: Connection, key: ConversationKey, budget: TokenBudget) -> ToSummarise | None:
    """What is to be summarised next in this conversation."""
    place = find(connection, key)
    if place is None:
        return None
    budget = replace(budget, rate=place.conversation.token_rate)
    if any(budget.is_too_much(each.text) for each in _of(connection, place)):
        _erase(connection, summaries.c.conversation_id == place.conversation.id)
    ready, shown = _ready_and_shown(connection, place)
    if not budget.for_a_summary((ready or shown or _NONE).text):
        return None
    if shown is not None and not shown.text:
        task = _task(connection, place, budget, since=shown.since, before=shown.before, former=ready, anew=True)
        if task is not None:
            return task
        show_ready(connection, place)  # nothing is left of what it covered, or of what was still to be done of it
        ready, shown = None, ready
    return _next_task(connection, place, budget, former=ready or shown)


def keep(connection: Connection, task: ToSummarise, *, text: str, model: str, now: datetime) -> bool:
    """Whether it was kept: what it is of may have changed while it was made."""
    place = find(connection, task.conversation.key)
    if place is None or place.conversation.id != task.conversation.id or place.reset_position > task.first:
        return False
    ready, shown = _ready_and_shown(connection, place)
    if (ready or shown or _NONE).text != task.former:
        return False
    read, _ = _read(connection, place, since=task.first, before=task.before, most_of_a_quote=task.most_of_a_quote)
    if tuple(read[::-1]) != task.turns:
        return False
    replaced = summaries.c.conversation_id == place.conversation.id
    if not task.shown:
        replaced &= ~summaries.c.shown
    connection.execute(delete(summaries).where(replaced))
    values = {"since": task.since, "before": task.before, "shown": task.shown, "text": text}
    values["turns"] = task.former_turns + len(task.turns)
    about = {"conversation_id": place.conversation.id, "model": model, "made_at": now}
    connection.execute(insert(summaries), values | about)
    return True


def ready(connection: Connection, place: Place, *, before: int) -> Summary | None:
    """The one that will be shown when the window moves."""
    if place.summary == "":
        return None  # it is a piece of what is made anew
    return next((each for each in _of(connection, place) if not each.shown and each.before <= before), None)


def show_ready(connection: Connection, place: Place) -> None:
    """The window moves: the summary that is ready is shown from now on, and the former one goes."""
    _drop_shown(connection, place)
    mine = summaries.c.conversation_id == place.conversation.id
    connection.execute(update(summaries).where(mine).values(shown=True))


def _drop_shown(connection: Connection, place: Place) -> None:
    mine = summaries.c.conversation_id == place.conversation.id
    connection.execute(delete(summaries).where(mine, summaries.c.shown))


def _of(connection: Connection, place: Place) -> list[Summary]:
    rows = connection.execute(_OF_CONVERSATION, {"conversation": place.conversation.id})
    return [Summary(*row) for row in rows]


def _ready_and_shown(connection: Connection, place: Place) -> tuple[Summary | None, Summary | None]:
    """The one that waits for the window, or is a piece of what is made anew; and the one in the prompts."""
    both = {each.shown: each for each in _of(connection, place)}
    return both.get(False), both.get(True)


def _next_task(
    connection: Connection, place: Place, budget: TokenBudget, *, former: Summary | None
) -> ToSummarise | None:
    """What the window will drop, if that is not far off, and what it dropped before without a summary.

    That by itself, too: where a question always waits, the window has moved whenever it is looked at.
    """
    start = _next_start(connection, place, budget, former=former)
    since = place.reset_position
    task = _task(connection, place, budget, since=since, before=start, former=former)
    if task is not None and task.before < start and task.first < place.window_start:
        # In pieces: the last of them is of what the window drops, and all of that.
        return _task(connection, place, budget, since=since, before=place.window_start, until=start, former=former)
    return task


def _next_start(connection: Connection, place: Place, budget: TokenBudget, *, former: Summary | None) -> int:
    """Where the window will begin when it has moved, if that is not far off; else where it, or its rest, begins.

    Of a window of which the summary is ready, the rest is looked at: one that is nearly full is not left as it is.
    """
    since = max(place.window_start, former.before if former else 0)
    read, positions = _read(
        connection, place, since=since, before=place.next_position, most_of_a_quote=budget.most_of_a_quote
    )
    count = leaving(
        read[::-1],
        budget,
        labelled=place.conversation.labelled,
        beside=summary_tokens(former.text if former else None),
        is_rest=since > place.window_start,
    )
    return positions[::-1][count] if count else since


def _task(
    connection: Connection,
    place: Place,
    budget: TokenBudget,
    *,
    since: int,
    before: int,
    until: int | None = None,
    former: Summary | None = None,
    anew: bool = False,
) -> ToSummarise | None:
    """As many of the oldest turns as one request holds.

    They are the oldest of what MOST_REQUESTS hold; of what is older, nothing is summarised.
    """
    room = budget.for_a_summary(former.text if former else "")
    read, positions = _read(
        connection,
        place,
        since=former.before if former else since,
        before=before,
        most_of_a_quote=budget.most_of_a_quote,
        tokens=room * MOST_REQUESTS,
    )
    if not read:
        return None
    labelled = place.conversation.labelled
    first, *others = in_pieces(read[::-1], tokens=room, labelled=labelled)[-MOST_REQUESTS:]
    later = sum(map(len, others))
    positions = positions[: later + len(first)][::-1]
    return ToSummarise(
        conversation=place.conversation,
        since=former.since if former else positions[0],
        first=positions[0],
        before=positions[len(first)] if others else before,
        until=until or before,
        former=former.text if former else "",
        former_turns=former.turns if former else 0,
        turns=tuple(first),
        window_start=place.window_start,
        anew=anew,
        most_of_a_quote=budget.most_of_a_quote,
    )


def _read(
    connection: Connection,
    place: Place,
    *,
    since: int,
    before: int,
    most_of_a_quote: int,
    tokens: float = inf,
) -> tuple[list[PastTurn], list[int]]:
    """Newest first, with their positions."""
    positions: list[int] = []
    stretch = Stretch(
        conversation_id=place.conversation.id, since=since, before=before, most_of_a_quote=most_of_a_quote
    )
    read, _, _ = first_within(
        pages(connection, stretch, positions=positions), tokens=tokens, labelled=place.conversation.labelled
    )
    return read, positions


def drop_covering(connection: Connection, which: ColumnElement[bool]) -> None:
    """Erase the summaries of these turns; one that is shown is to be made anew from what is left.

    How many turns come before the window is to be counted anew as well.
    """
    rows = connection.execute(
        select(turns.c.conversation_id, func.min(turns.c.position), func.max(turns.c.position))
        .where(which, turns.c.position.is_not(None))
        .group_by(turns.c.conversation_id)
    ).all()
    for conversation_id, lowest, highest in rows:
        mine = summaries.c.conversation_id == conversation_id
        _erase(connection, mine & (summaries.c.since <= highest) & (summaries.c.before > lowest))
        behind = conversations.c.window_start > lowest
        connection.execute(
            update(conversations).where(conversations.c.id == conversation_id, behind).values(turns_before=None)
        )


def _erase(connection: Connection, which: ColumnElement[bool]) -> None:
    """One that is shown leaves its row, which says what is to be summarised anew."""
    connection.execute(delete(summaries).where(which, ~summaries.c.shown))
    connection.execute(update(summaries).where(which).values(text=""))


def drop_all(connection: Connection) -> int:
    return connection.execute(delete(summaries)).rowcount
