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
SECONDS_AT_THE_STOP = 5.0  # for one more try of all that is


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
        self._some_aside = asyncio.Event()
        self._others_stored = False  # something was, since the first of those told last failed
        self._carrying_out = asyncio.Lock()
        self._trying = asyncio.Lock()  # one of them asks again for all

    @property
    def wait(self) -> bool:
        """Some are being carried out, or kept until they can be."""
        return bool(self._told)

    @property
    def set_aside(self) -> frozenset[int]:
        """The messages, channels and servers of which the database alone does not take an edit or a deletion."""
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
        if not self._told:
            return
        last = self._told[-1].number
        async with self._carrying_out:
            while self._told and self._told[0].number <= last:
                await self._carry_out_first()

    async def surely(self, carry_out: Callable[[], Awaitable[T]], *, about: Collection[int] = ()) -> T:
        """Carry a change out after those that were told before, and keep it until the database takes it.

        *about*: the ids of the messages, or of the channel or server, that change. Raises DatabaseUnavailable when
        the bot is stopped before, or too much is kept already, and SetAside.
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

    async def keep_trying(self) -> None:
        """Carry out what is set aside, as soon as the database takes it, until this is cancelled."""
        while True:
            await self._some_aside.wait()
            await self._clock.sleep(SECONDS_ASIDE)
            await self._try_those_aside()
            if not self._aside:
                self._some_aside.clear()

    async def try_once_more(self) -> None:
        """The bot stops: what is set aside and fails now again is forgotten."""
        with suppress(TimeoutError):
            async with self._clock.deadline(SECONDS_AT_THE_STOP):
                for change in list(self._aside):
                    with suppress(DatabaseUnavailable):
                        await self._carry_out(change)
        for message_id in sorted(self.set_aside):
            log.error("an edit or deletion that was set aside was never stored: message=%d", message_id)

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
            self._some_aside.set()
            if not change.outcome.done():
                change.outcome.set_exception(SetAside(str(error)))

    async def _try_those_aside(self) -> None:
        """Up to the first that fails: each failure may hold up the others at the database for seconds."""
        while self._aside:
            try:
                await self._carry_out(self._aside[0])
            except DatabaseUnavailable:
                self._aside.rotate(-1)
                return

    async def _carry_out(self, change: _Change[T]) -> None:
        try:
            done = await change.carry_out()
        except DatabaseUnavailable:
            raise
        except Exception as error:
            if change.outcome.done():
                log.exception("what happened in Discord is not stored, by a fault of ours")
            else:  # whoever was told of it hears of that
                change.outcome.set_exception(error)
        else:
            if not change.outcome.done():
                change.outcome.set_result(done)
        if change in self._aside:
            self._aside.remove(change)
            log.info("no longer set aside: messages=%s", ",".join(map(str, change.about)))
        elif change in self._told:  # else it was given up meanwhile
            self._told.remove(change)

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
