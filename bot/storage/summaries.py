"""Summaries: rows over turns that are still there, each saying what it covers; they go with what they cover.

A conversation has two at most: the one that its prompts show, and the one that is shown when the window moves.
"""

from dataclasses import replace
from datetime import datetime
from math import inf
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from bot.core.history import TokenBudget, summary_tokens
from bot.core.messages import ConversationKey, PastTurn
from bot.core.summary import ToSummarise
from bot.core.window import leaving, newest_within
from bot.storage.conversations import Place, find
from bot.storage.history import Stretch, pages
from bot.storage.schema import conversations, summaries, turns

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


def to_summarise(connection: Connection, key: ConversationKey, budget: TokenBudget) -> ToSummarise | None:
    """What is to be summarised next in this conversation."""
    place = find(connection, key)
    if place is None:
        return None
    budget = replace(budget, rate=place.conversation.token_rate)
    if any(budget.is_too_much(each.text) for each in _of(connection, place)):
        _erase(connection, summaries.c.conversation_id == place.conversation.id)
    newest = next(iter(_of(connection, place)), None)
    if newest is not None and newest.shown and not newest.text:
        task = _task(connection, place, budget, before=newest.before, shown=True)
        if task is not None:
            return task
        _drop_shown(connection, place)  # nothing that it covered is left
        newest = None
    if newest is not None and not newest.shown and newest.before > place.window_start:
        return None  # it is ready
    before = _next_start(connection, place, budget)
    return None if before is None else _task(connection, place, budget, before=before, former=newest)


def keep(connection: Connection, task: ToSummarise, *, text: str, model: str, now: datetime) -> bool:
    """Whether it was kept: what it is of may have changed while it was made."""
    place = find(connection, task.conversation.key)
    if place is None or place.conversation.id != task.conversation.id or place.reset_position > task.first:
        return False
    newest = next(iter(_of(connection, place)), None)
    replaced = newest if newest and newest.shown and not newest.text else None
    if task.shown and (replaced is None or replaced.before != task.before):
        return False
    if (newest.text if newest else "") != task.former:
        return False
    read, _ = _read(connection, place, since=task.first, before=task.before, most_of_a_quote=task.most_of_a_quote)
    if tuple(read[::-1]) != task.turns:
        return False
    connection.execute(
        delete(summaries).where(
            summaries.c.conversation_id == place.conversation.id, summaries.c.shown == task.shown
        )
    )
    values = {"since": task.since, "before": task.before, "shown": task.shown, "text": text}
    values["turns"] = task.former_turns + len(task.turns)
    about = {"conversation_id": place.conversation.id, "model": model, "made_at": now}
    connection.execute(insert(summaries), values | about)
    return True


def ready(connection: Connection, place: Place, *, before: int) -> Summary | None:
    """The one that will be shown when the window moves."""
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


def _next_start(connection: Connection, place: Place, budget: TokenBudget) -> int | None:
    """Where the window will begin when it has moved, if that is not far off."""
    read, positions = _read(
        connection,
        place,
        since=place.window_start,
        before=place.next_position,
        most_of_a_quote=budget.most_of_a_quote,
    )
    count = leaving(read[::-1], budget, labelled=place.conversation.labelled)
    return positions[::-1][count] if count else None


def _task(
    connection: Connection,
    place: Place,
    budget: TokenBudget,
    *,
    before: int,
    former: Summary | None = None,
    shown: bool = False,
) -> ToSummarise | None:
    """As many turns as a prompt holds beside the former summary and the one that is to come."""
    said = former.text if former else ""
    read, positions = _read(
        connection,
        place,
        since=former.before if former else place.reset_position,
        before=before,
        most_of_a_quote=budget.most_of_a_quote,
        tokens=budget.for_turns - budget.most_of_a_summary - summary_tokens(said),
    )
    if not read:
        return None
    first = positions[len(read) - 1]
    return ToSummarise(
        conversation=place.conversation,
        since=former.since if former else first,
        first=first,
        before=before,
        former=said,
        former_turns=former.turns if former else 0,
        turns=tuple(read[::-1]),
        window_start=place.window_start,
        shown=shown,
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
    read, _, _ = newest_within(
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
