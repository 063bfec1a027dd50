"""What Discord tells once, as of an edit, reaches the store in the order it was told, however long that takes.

Only what fails while other things are stored is set aside: it would hold up everything else for ever. Where its
messages are, nothing is read meanwhile; see as_told.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bot.core.errors import DatabaseUnavailable, SetAside
from bot.core.ports import Clock

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_KEPT = 10_000  # while the database is away
SECONDS_BETWEEN_TRIES = 5.0
TRIES = 3  # before one that alone fails is set aside
SECONDS_ASIDE = 60.0  # between tries of what is set aside


@dataclass(kw_only=True, slots=True, eq=False)
class _Change(Generic[T]):
    number: int
    carry_out: Callable[[], Awaitable[T]]
    about: Collection[int]
    outcome: asyncio.Future[T]
    failures: int = 0
    failed_at: float = 0.0  # first


class Changes:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stopping = False
        self._numbers = itertools.count()
        self._told: deque[_Change[Any]] = deque()  # and not carried out
        self._aside: deque[_Change[Any]] = deque()  # whoever told of them knows
        self._aside_until = 0.0
        self._others_stored = False  # something was, since the first of those told last failed
        self._carrying_out = asyncio.Lock()
        self._trying = asyncio.Lock()  # one of them asks again for all

    @property
    def wait(self) -> bool:
        """Some are being carried out, or kept until they can be."""
        return bool(self._told) or self._aside_due

    @property
    def set_aside(self) -> frozenset[int]:
        """The messages of which the database alone does not take an edit or a deletion."""
        return frozenset[int]().union(*(change.about for change in self._aside))

    def stop(self) -> None:
        """The bot is being stopped: nobody waits any longer for a database that is away."""
        self._stopping = True

    def others_stored(self) -> None:
        """Something else was stored: the store is not away."""
        self._others_stored = True

    async def carry_out(self) -> None:
        """Return when all that were told so far are carried out, or set aside.

        Raises DatabaseUnavailable: they are kept.
        """
        if not self.wait:
            return
        last = self._told[-1].number if self._told else -1
        async with self._carrying_out:
            await self._try_those_aside()
            while self._told and self._told[0].number <= last:
                await self._carry_out_first()

    async def surely(self, carry_out: Callable[[], Awaitable[T]], *, about: Collection[int] = ()) -> T:
        """Carry a change out after those that were told before, and keep it until the database takes it.

        *about*: the ids of the messages that change. Raises DatabaseUnavailable when the bot is stopped before, or
        too much is kept already, and SetAside.
        """
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        change = _Change(number=next(self._numbers), carry_out=carry_out, about=about, outcome=outcome)
        too_many = len(self._told) + len(self._aside) >= MOST_KEPT
        self._told.append(change)
        try:
            try:
                await self.carry_out()
            except DatabaseUnavailable as error:
                log.warning("what happened in Discord waits for the database: %s", error)
                if too_many:
                    raise
                async with self._trying:
                    await self._when_the_store_is_back(outcome)
            return outcome.result()
        finally:
            if not outcome.done():  # it is given up
                outcome.cancel()
                self._told.remove(change)

    async def _carry_out_first(self) -> None:
        first = self._told[0]
        try:
            await self._carry_out(first)
        except DatabaseUnavailable as error:
            now = self._clock.monotonic()
            first.failures += 1
            if first.failures == 1:
                first.failed_at = now
            others_stored, self._others_stored = self._others_stored, False
            if first.failures < TRIES:
                raise
            if others_stored:
                self._set_aside(first, error)
            elif now - first.failed_at >= SECONDS_BETWEEN_TRIES and await self._next_is_stored():
                self._others_stored = True  # the store may be back just now: the first is tried once more
            else:
                raise

    async def _next_is_stored(self) -> bool:
        if len(self._told) < 2:  # noqa: PLR2004 - the first, and one more
            return False
        try:
            await self._carry_out(self._told[1])
        except DatabaseUnavailable:
            return False
        return True

    def _set_aside(self, change: _Change[Any], error: DatabaseUnavailable) -> None:
        if change in self._told:  # else it was given up meanwhile
            self._told.remove(change)
            self._aside.append(change)
            self._aside_until = self._clock.monotonic() + SECONDS_ASIDE
            if not change.outcome.done():
                change.outcome.set_exception(SetAside(str(error)))

    @property
    def _aside_due(self) -> bool:
        return bool(self._aside) and self._clock.monotonic() >= self._aside_until

    async def _try_those_aside(self) -> None:
        while self._aside_due:
            try:
                await self._carry_out(self._aside[0])
            except DatabaseUnavailable:
                self._aside.rotate(-1)
                self._aside_until = self._clock.monotonic() + SECONDS_ASIDE

    async def _carry_out(self, change: _Change[T]) -> None:
        try:
            done = await change.carry_out()
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whoever was told of the change hears of it
            if not change.outcome.done():
                change.outcome.set_exception(error)
        else:
            if not change.outcome.done():
                change.outcome.set_result(done)
        for kept in (self._told, self._aside):
            if change in kept:  # it may be given up meanwhile
                kept.remove(change)

    async def _when_the_store_is_back(self, outcome: asyncio.Future[Any]) -> None:
        while not outcome.done():
            try:
                await self.carry_out()
            except DatabaseUnavailable:
                if self._stopping:
                    raise
                with suppress(TimeoutError):
                    async with self._clock.deadline(SECONDS_BETWEEN_TRIES):
                        await asyncio.wait({outcome})  # who takes a turn up may be sooner
