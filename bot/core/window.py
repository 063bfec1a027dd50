"""Which turns a prompt holds: all from the window's start on. It stays where it is until they outgrow the budget.

A provider reads again for little what a prompt begins with, as long as it begins with the same bytes as the one
before. A window that slides changes them at every turn; this one moves seldom, and then far.
"""

from collections.abc import Iterable, Sequence

from bot.core.messages import Kind, PastTurn, Role, Turn
from bot.core.prompt import content, turn_tokens
from bot.core.tokens import TOKENS_PER_MESSAGE, TokenBudget, cut_to, estimate_tokens

SHARE_TO_SUMMARISE_AT = 0.75  # of what there is for turns: what will leave the window is summarised before it does
SHARE_THAT_IS_FULL = 0.9  # a further question may well have no room beside it


def asked_tokens(questions: Sequence[Turn], budget: TokenBudget, *, labelled: bool) -> int | None:
    """How many tokens the questions take at most, with their quotes; None: they are too long without these.

    Then they are asked alone, or refused: `build_prompt`.

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


def staying(
    turns: Sequence[PastTurn], *, room: int, kept: int, labelled: bool, summarised: int | None = None
) -> tuple[int, int]:
    """How many of *turns*, newest first, stay in the window when it has to move, and what they cost.

    Those that the summary which is ready leaves, *summarised* of them, unless they nearly fill *room*, as with a
    late one: the window would move again at once. Else as many of the newest exchanges as fit into *kept*, or the
    newest alone if it fits at all.
    """
    costs = [turn_tokens(turn, labelled=labelled) for turn in turns]
    if summarised is not None and sum(costs[:summarised]) <= room * SHARE_TO_SUMMARISE_AT:
        return summarised, sum(costs[:summarised])
    while costs and sum(costs) > room:
        costs.pop()
    count = _exchanges_within(turns[: len(costs)], costs, min(kept, room))
    return count, sum(costs[:count])


def leaving(
    turns: Sequence[PastTurn], budget: TokenBudget, *, labelled: bool, beside: int = 0, is_rest: bool = False
) -> int:
    """How many of *turns*, oldest first, the window will drop at its next move; 0 while that is far off.

    *beside*: what the summary takes that will stand before them. *is_rest*: they are what one that is ready leaves
    of the window, which moves soon. The newest exchange is never dropped.
    """
    costs = [turn_tokens(turn, labelled=labelled) for turn in turns]
    room = budget.for_turns - beside
    if sum(costs) < room * SHARE_TO_SUMMARISE_AT:
        return 0
    used = newest = 0
    for n, (turn, cost) in enumerate(zip(turns, costs, strict=True)):
        if turn.role is Role.USER and (n == 0 or turns[n - 1].role is not Role.USER):
            if used >= budget.for_turns - budget.kept:
                return n
            newest = n
        used += cost
    return newest if is_rest or used > room * SHARE_THAT_IS_FULL else 0


def without_orphans(turns: list[PastTurn], used: int, *, labelled: bool) -> tuple[list[PastTurn], int]:
    """Newest first, and what they cost, without answers at the beginning: they mislead without their question."""
    count = len(turns)
    while count and turns[count - 1].role is not Role.USER:
        count -= 1
    if count == len(turns):
        return turns, used
    return turns[:count], sum(turn_tokens(turn, labelled=labelled) for turn in turns[:count])


def first_within(
    pages: Iterable[Sequence[PastTurn]], *, tokens: float, labelled: bool
) -> tuple[list[PastTurn], int, bool]:
    """Of the turns in *pages*, the first that fit without a gap, what they cost, and whether all do."""
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
