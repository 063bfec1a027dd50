"""Budgets: what people, channels, servers and all together may use in a day or a month.

What a request can use at most is reserved before it is made; when it has ended, what it used is counted. So many
at once use no more than one after the other would. All of it is in the memory of the database's one owner.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from bot.core.costs import dollars_in_words
from bot.core.errors import BudgetUsedUp
from bot.core.periods import Period
from bot.core.ports import Clock

NEARLY = 80  # percent of a budget, at which its owner hears of it
POTS_KEPT = 10_000  # before those of days and months that are over go


class Scope(StrEnum):
    """Whose use is counted together."""

    PERSON = "person"
    CHANNEL = "channel"
    SERVER = "server"
    TOTAL = "total"


_WHOSE = {
    Scope.PERSON: "Your budget",
    Scope.CHANNEL: "This channel's budget",
    Scope.SERVER: "This server's budget",
    Scope.TOTAL: "My budget",
}
_WHOSE_TO_OTHERS = _WHOSE | {Scope.PERSON: "The budget of whoever pressed Regenerate"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """What requests used, or may use. *nanodollars* None: there is no price."""

    tokens: int
    nanodollars: int | None = None

    def covers(self, other: "Amount") -> bool:
        return self.tokens >= other.tokens and (self.nanodollars or 0) >= (other.nanodollars or 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """So many tokens, or so many nano-dollars."""

    most: int
    in_dollars: bool = False

    def of(self, amount: Amount) -> int:
        """What counts of it here."""
        return amount.nanodollars or 0 if self.in_dollars else amount.tokens

    def words(self, count: int) -> str:
        return dollars_in_words(count) if self.in_dollars else f"{count:,} tokens"

    def __str__(self) -> str:
        return self.words(self.most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    scope: Scope
    period: Period
    limit: Limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Payer:
    """On whose budgets a request goes."""

    person: int | None  # None: nobody's own, as a summary's
    channel_id: int  # a thread's own
    guild_id: int | None
    is_told: bool = True  # they read a refusal, not somebody else

    @property
    def whose(self) -> Mapping[Scope, str]:
        """How a refusal begins."""
        return _WHOSE if self.is_told else _WHOSE_TO_OTHERS

    def id_in(self, scope: Scope) -> int | None:
        """None: no budget of that kind holds, as that of a server in a DM."""
        ids = {Scope.PERSON: self.person, Scope.CHANNEL: self.channel_id, Scope.SERVER: self.guild_id}
        return ids.get(scope, 0)


class Pot(NamedTuple):
    """One budget of one person, channel or server, for one day or month."""

    budget: Budget
    id: int
    begun: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """What one request may use, of the day and month in which that was reserved."""

    request_id: str
    made_at: datetime
    amount: Amount
    pots: tuple[Pot, ...]


class Budgets:
    def __init__(
        self,
        budgets: Sequence[Budget],
        *,
        least: Amount,
        clock: Clock,
        nearly: Callable[[Pot, int], None] = lambda _pot, _count: None,
    ) -> None:
        """*least*: what any request reserves. *nearly* is told of pots of which NEARLY is used, and how much."""
        self._budgets = budgets
        self._least = least
        self._clock = clock
        self._nearly = nearly
        self._used: dict[Pot, int] = defaultdict(int)
        self._reserved: dict[Pot, int] = defaultdict(int)
        self._settled = asyncio.Event()

    def __iter__(self) -> Iterator[Budget]:
        return iter(self._budgets)

    @property
    def in_dollars(self) -> bool:
        """Some of them are."""
        return any(budget.limit.in_dollars for budget in self._budgets)

    def start_with(self, budget: Budget, used: Mapping[int, Amount], *, begun: datetime) -> None:
        """What was used, by id, before the program was started, in the day or month that began then."""
        for id_, amount in used.items():
            self._used[Pot(budget, id_, begun)] = budget.limit.of(amount)

    def look_at_used(self) -> None:
        """Let it be told what is nearly used up already."""
        for pot in list(self._used):
            self._tell_if_near(pot)

    def refuse(self, payer: Payer) -> BudgetUsedUp | None:
        """Why no request fits any more, whatever is given back of those under way."""
        return self._refuse(self._pots(payer, self._clock.now()), self._least, payer.whose)

    def reserve(self, payer: Payer, amount: Amount) -> Reservation | None:
        """None: it may fit when requests under way have ended; see `room`. Raises BudgetUsedUp: it will not."""
        now = self._clock.now()
        pots = self._pots(payer, now)
        if refusal := self._refuse(pots, amount, payer.whose):
            raise refusal
        wanted = [(pot, pot.budget.limit.of(amount)) for pot in pots]
        if any(self._used[pot] + self._reserved[pot] + count > pot.budget.limit.most for pot, count in wanted):
            return None
        for pot, count in wanted:
            self._reserved[pot] += count
        return Reservation(request_id=secrets.token_hex(16), made_at=now, amount=amount, pots=pots)

    async def room(self) -> None:
        """Wait until something that was reserved is counted, or comes back."""
        self._settled.clear()
        await self._settled.wait()

    def settle(self, reservation: Reservation, used: Amount) -> None:
        """The request has ended: what it used is counted, the rest comes back."""
        for pot in reservation.pots:
            limit = pot.budget.limit
            self._reserved[pot] -= limit.of(reservation.amount)
            self._used[pot] += limit.of(used)
            self._tell_if_near(pot)
        self._settled.set()
        if len(self._used) > POTS_KEPT:
            self._forget_what_is_over()

    def _tell_if_near(self, pot: Pot) -> None:
        if self._used[pot] * 100 >= pot.budget.limit.most * NEARLY:
            self._nearly(pot, self._used[pot])

    def _pots(self, payer: Payer, now: datetime) -> tuple[Pot, ...]:
        ids = [(budget, payer.id_in(budget.scope)) for budget in self._budgets]
        return tuple(Pot(budget, id_, budget.period.start(now)) for budget, id_ in ids if id_ is not None)

    def _refuse(self, pots: Sequence[Pot], amount: Amount, whose: Mapping[Scope, str]) -> BudgetUsedUp | None:
        full = [pot for pot in pots if self._used[pot] + pot.budget.limit.of(amount) > pot.budget.limit.most]
        if not full:
            return None
        for pot in full:
            self._tell_if_near(pot)  # whoever is to hear of it may not have been reached
        # Until the last of them begins anew, the others keep it closed, too.
        last = max(full, key=lambda pot: pot.budget.period.end(pot.begun))
        if last.budget.limit.of(amount) > last.budget.limit.most:
            return BudgetUsedUp(_too_small(last, amount, whose[last.budget.scope]), about=last)
        return BudgetUsedUp(_used_up(last, whose[last.budget.scope]), about=last)

    def _forget_what_is_over(self) -> None:
        now = self._clock.now()
        for pot in [pot for pot in self._used if pot.budget.period.end(pot.begun) <= now]:
            if not self._reserved[pot]:
                del self._used[pot], self._reserved[pot]


def _too_small(pot: Pot, amount: Amount, whose: str) -> str:
    """It would not fit if nothing were used, so that no other day helps; a shorter history may."""
    budget = pot.budget
    return (
        f"With what was said here before, this may take {budget.limit.words(budget.limit.of(amount))}, more than "
        f"{whose[0].lower()}{whose[1:]} {budget.period.words} pays for ({budget.limit}). "
        "After /reset, or in fewer words, it takes less."
    )


def _used_up(pot: Pot, whose: str) -> str:
    """Which budget, how much it is, and when it begins anew, which Discord shows as a time from now."""
    budget = pot.budget
    end = budget.period.end(pot.begun)
    midnight = "00:00 UTC" if budget.period is Period.DAY else f"{end.day} {end:%B}, 00:00 UTC"
    resets = f"It resets <t:{int(end.timestamp())}:R> ({midnight})."
    return f"{whose} {budget.period.words} ({budget.limit}) is used up. {resets}"
