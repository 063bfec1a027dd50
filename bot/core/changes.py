"""What Discord tells once, as of an edit, reaches the store in the order it was told, however long that takes."""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bot.core.errors import DatabaseUnavailable
from bot.core.ports import Clock

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_KEPT = 10_000  # while the database is away
SECONDS_BETWEEN_TRIES = 5.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Change(Generic[T]):
    number: int
    carry_out: Callable[[], Awaitable[T]]
    outcome: asyncio.Future[T]


class Changes:
    def __init__(self, clock: Clock, *, stopping: Callable[[], bool]) -> None:
        self._clock = clock
        self._stopping = stopping
        self._numbers = itertools.count()
        self._told: deque[_Change[Any]] = deque()  # and not carried out
        self._carrying_out = asyncio.Lock()
        self._trying = asyncio.Lock()  # one of them asks again for all

    @property
    def wait(self) -> bool:
        """Some are being carried out, or kept until they can be."""
        return bool(self._told)

    async def carry_out(self) -> None:
        """Return when all that were told so far are carried out. Raises DatabaseUnavailable: they are kept."""
        if not self._told:
            return
        last = self._told[-1].number
        async with self._carrying_out:
            while self._told and self._told[0].number <= last:
                await self._carry_out(self._told[0])

    async def surely(self, carry_out: Callable[[], Awaitable[T]]) -> T:
        """Carry a change out after those that were told before, and keep it until the database takes it.

        Raises DatabaseUnavailable when the bot is stopped before, or too much is kept already.
        """
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        change = _Change(number=next(self._numbers), carry_out=carry_out, outcome=outcome)
        too_many = len(self._told) >= MOST_KEPT
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
        if self._told and self._told[0] is change:
            self._told.popleft()

    async def _when_the_store_is_back(self, outcome: asyncio.Future[Any]) -> None:
        while not outcome.done():
            try:
                await self.carry_out()
            except DatabaseUnavailable:
                if self._stopping():
                    raise
                with suppress(TimeoutError):
                    async with self._clock.deadline(SECONDS_BETWEEN_TRIES):
                        await asyncio.wait({outcome})  # who takes a turn up may be sooner
