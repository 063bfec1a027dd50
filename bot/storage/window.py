"""Reads the turns in a conversation's window, and moves the window when they outgrow the budget."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, update

from bot.core.archive import Memory
from bot.core.completions import Past
from bot.core.messages import ConversationKey, PastTurn, Turn
from bot.core.prompt import summary_tokens
from bot.core.tokens import TokenBudget
from bot.core.window import asked_tokens, first_within, staying, without_orphans
from bot.storage import summaries
from bot.storage.conversations import Place, find
from bot.storage.history import Stretch, count_turns, pages
from bot.storage.schema import conversations

_MOVE = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation"))
    .values(window_start=bindparam("start"), turns_before=bindparam("count"))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What a prompt holds of a conversation before its question."""

    history: tuple[PastTurn, ...] = ()  # oldest first
    tokens: int = 0  # that these cost
    summary: str | None = None  # of the turns before them
    summarised: int = 0  # so many
    left_out: int = 0  # turns since the last reset that are in neither


class _Seen(NamedTuple):
    window: Window
    start: int  # where it begins
    before: int  # how many turns of the history come before that
    moves: bool
    shows_ready: bool  # the summary is the one that was ready


def read_window(connection: Connection, place: Place, asked: Sequence[Turn], budget: TokenBudget) -> Window:
    """What the prompt for what is *asked* holds, in a window that has moved if it had to."""
    tokens = asked_tokens(asked, budget, labelled=place.conversation.labelled)
    if tokens is None:
        # It is refused or asked alone: nothing need make room for it.
        return Window(summary=_fitting(place.summary, budget))
    first = min(turn.position or 0 for turn in asked)
    seen = _see(connection, place, before=first, room=budget.for_turns - tokens, budget=budget)
    if seen.shows_ready:
        summaries.show_ready(connection, place)
    if seen.moves or place.turns_before is None:
        moved = {"conversation": place.conversation.id, "start": seen.start, "count": seen.before}
        connection.execute(_MOVE, moved)
    return seen.window


def memory(connection: Connection, *, key: ConversationKey, budget: TokenBudget) -> Memory:
    """What the next prompt would hold. Nothing is moved for that."""
    place = find(connection, key)
    if place is None:
        return Memory()
    rate = place.conversation.token_rate
    budget = replace(budget, rate=rate)
    window = _see(connection, place, before=place.next_position, room=budget.for_turns, budget=budget).window
    tokens = budget.system_tokens + summary_tokens(window.summary) + window.tokens
    return Memory(
        past=Past(
            turns_sent=len(window.history),
            turns_summarised=window.summarised,
            turns_left_out=window.left_out,
        ),
        tokens=ceil(tokens * rate),
        most_tokens=budget.most,
        summary=window.summary,
    )


def _see(connection: Connection, place: Place, *, before: int, room: int, budget: TokenBudget) -> _Seen:
    labelled, start, positions = place.conversation.labelled, place.window_start, list[int]()
    summary, ready = _fitting(place.summary, budget), None
    summarised = place.summarised if summary == place.summary else 0
    stretch = Stretch(
        conversation_id=place.conversation.id, since=start, before=before, most_of_a_quote=budget.most_of_a_quote
    )
    newest, used, everything = first_within(
        pages(connection, stretch, positions=positions), tokens=room - summary_tokens(summary), labelled=labelled
    )
    if not everything:
        if ready := summaries.ready(connection, place, before=before):
            summary, summarised = _fitting(ready.text, budget), ready.turns
        count, used = staying(
            newest,
            room=room - summary_tokens(summary),
            kept=budget.kept,
            labelled=labelled,
            summarised=_from(positions[: len(newest)], ready.before) if ready else None,
        )
        newest, start = newest[:count], positions[count - 1] if count else before
    in_window, turns_before = len(newest), _turns_before(connection, place, start)
    newest, used = without_orphans(newest, used, labelled=labelled)
    window = Window(
        history=tuple(reversed(newest)),
        tokens=used,
        summary=summary,
        summarised=summarised,
        left_out=turns_before - summarised + in_window - len(newest),
    )
    return _Seen(window, start, turns_before, not everything, ready is not None)


def _turns_before(connection: Connection, place: Place, start: int) -> int:
    """How many turns since the last reset come before *start*, where the window begins or will."""
    known, since = place.turns_before, place.window_start
    if known is None:
        known, since = 0, place.reset_position
    if since == start:
        return known
    return known + count_turns(connection, conversation_id=place.conversation.id, since=since, before=start)


def _fitting(summary: str | None, budget: TokenBudget) -> str | None:
    """Empty where it takes too much: it is made anew then."""
    return "" if summary and budget.is_too_much(summary) else summary


def _from(positions: Sequence[int], start: int) -> int:
    """How many of *positions*, highest first, are not below *start*."""
    return bisect_right(positions, -start, key=lambda position: -position)
