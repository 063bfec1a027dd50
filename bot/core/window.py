"""Which turns a prompt holds: all from the window's start on. It stays where it is until they outgrow the budget.

A provider reads again for little what a prompt begins with, as long as it begins with the same bytes as the one
before. A window that slides changes them at every turn; this one moves seldom, and then far.
"""

from collections.abc import Iterable, Sequence

from bot.core.history import TOKENS_PER_MESSAGE, Budget, content, cut_to, estimate_tokens, turn_tokens
from bot.core.messages import Kind, PastTurn, Role, Turn


def asked_tokens(questions: Sequence[Turn], budget: Budget, *, labelled: bool) -> int | None:
    """How many tokens the questions take at most, with their quotes; None: they are too long without these.

    What links lead to is not known yet: room for as much as they may take is kept.
    """
    asked = quoted = 0
    for turn in questions:
        if turn.is_unopened:
            quoted += budget.most_of_a_quote + turn_tokens(turn, labelled=labelled)
        elif turn.text and turn.kind is Kind.QUOTE:
            cut = PastTurn(turn.role, cut_to(turn.text, tokens=budget.most_of_a_quote), turn.label)
            quoted += turn_tokens(cut, labelled=labelled)
        elif turn.text:
            asked += turn_tokens(turn, labelled=labelled)
    return asked + min(quoted, budget.for_turns - asked) if asked <= budget.for_turns else None


def in_window(
    pages: Iterable[Sequence[PastTurn]], budget: Budget, *, asked: int, labelled: bool
) -> tuple[list[PastTurn], int, bool]:
    """The turns in *pages*, newest first, what they cost, and whether that is all of them.

    If they do not fit beside what is *asked*, as many of the newest exchanges stay as are kept, or the newest
    alone if it fits at all. Answers without a question before them would mislead, and are left out.
    """
    room = budget.for_turns - asked
    fitting, used, everything = newest_within(pages, tokens=room, labelled=labelled)
    if everything and (not fitting or fitting[-1].role is Role.USER):
        return fitting, used, True
    costs = [turn_tokens(turn, labelled=labelled) for turn in fitting]
    count = _exchanges_within(fitting, costs, room if everything else min(budget.kept, room))
    return fitting[:count], sum(costs[:count]), everything


def newest_within(
    pages: Iterable[Sequence[PastTurn]], *, tokens: int, labelled: bool
) -> tuple[list[PastTurn], int, bool]:
    """Of the turns in *pages*, newest first, those that fit without a gap, what they cost, and whether all do."""
    fitting: list[PastTurn] = []
    used = 0
    for page in pages:
        # Hundreds of turns, each cost on its own, take longer than reading them did.
        together = TOKENS_PER_MESSAGE * len(page)
        together += estimate_tokens("".join(content(turn, labelled=labelled) for turn in page))
        if used + together <= tokens:
            fitting += page
            used += together
            continue
        for turn in page:
            cost = turn_tokens(turn, labelled=labelled)
            if used + cost > tokens:
                return fitting, used, False
            used += cost
            fitting.append(turn)
    return fitting, used, True


def _exchanges_within(turns: Sequence[PastTurn], costs: Sequence[int], tokens: int) -> int:
    """How many of *turns*, newest first, begin with a question and fit; the newest exchange is there anyway."""
    count = used = 0
    for n, (turn, cost) in enumerate(zip(turns, costs, strict=True), start=1):
        used += cost
        begins = turn.role is Role.USER and (n == len(turns) or turns[n].role is not Role.USER)
        if begins and (used <= tokens or not count):
            count = n
    return count
