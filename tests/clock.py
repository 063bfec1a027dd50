"""Clocks that a test moves: one that stands still until then, and a real one that can be set forward."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta

from bot.core.clock import SystemClock
from bot.core.ports import Deadline

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ROUNDS_FOR_THE_WOKEN = 20  # of the event loop, so that what was woken can act and wait again


class ManualClock:
    """Implements `bot.core.ports.Clock`: sleeps and deadlines end by `advance`, and by nothing else."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._sleeping = 0
        self._somebody_slept = asyncio.Event()

    @property
    def sleeping(self) -> int:
        """How many sleeps are under way."""
        return self._sleeping

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def set_back(self, by: timedelta) -> None:
        """The time of day alone, as an administrator or NTP does it."""
        self._start -= by

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._set_alarm(self._elapsed + seconds, lambda: woken.done() or woken.set_result(None))
        self._sleeping += 1
        self._somebody_slept.set()
        try:
            await woken
        finally:
            self._sleeping -= 1

    @asynccontextmanager
    async def deadline(self, seconds: float) -> AsyncIterator["ManualDeadline"]:
        async with asyncio.timeout(None) as timeout:
            deadline = ManualDeadline(self, timeout)
            deadline.move(seconds)
            try:
                yield deadline
            finally:
                deadline.over = True

    async def advance(self, seconds: float) -> None:
        """Let time pass; whoever wakes on the way acts before it goes on."""
        end = self._elapsed + seconds
        await self._let_act()
        while self._alarms and self._alarms[0][0] <= end:
            self._elapsed = self._alarms[0][0]
            while self._alarms and self._alarms[0][0] <= self._elapsed:
                heapq.heappop(self._alarms)[2]()
            await self._let_act()
        self._elapsed = end
        await self._let_act()

    async def until_sleeping(self, sleepers: int = 1) -> None:
        """Wait until at least so many sleep on this clock."""
        while self._sleeping < sleepers:
            self._somebody_slept.clear()
            async with asyncio.timeout(10):
                await self._somebody_slept.wait()

    async def _let_act(self) -> None:
        for _ in range(ROUNDS_FOR_THE_WOKEN):
            await asyncio.sleep(0)

    def _set_alarm(self, at: float, ring: Callable[[], None]) -> None:
        heapq.heappush(self._alarms, (at, next(self._order), ring))


class HurriedClock(SystemClock):
    """The real clock, on which pauses and deadlines are over so many times sooner; the time of day is right."""

    def __init__(self, times: float) -> None:
        self._times = times

    def monotonic(self) -> float:
        return super().monotonic() * self._times

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self._times)

    @asynccontextmanager
    async def deadline(self, seconds: float) -> AsyncIterator["_HurriedDeadline"]:
        async with super().deadline(seconds / self._times) as deadline:
            yield _HurriedDeadline(deadline, self._times)


class _HurriedDeadline:
    def __init__(self, deadline: Deadline, times: float) -> None:
        self._deadline = deadline
        self._times = times

    def move(self, seconds: float) -> None:
        self._deadline.move(seconds / self._times)


class LeapingClock(SystemClock):
    """The real clock, that a test can set forward: sleeps and deadlines that are over by then end."""

    def __init__(self) -> None:
        self._leapt = 0.0
        self._alarms: list[tuple[float, Callable[[], object]]] = []

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._leapt)

    def monotonic(self) -> float:
        return super().monotonic() + self._leapt

    async def sleep(self, seconds: float) -> None:
        over = asyncio.Event()
        with self._alarm(self.monotonic() + seconds, over.set), suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await over.wait()

    @asynccontextmanager
    async def deadline(self, seconds: float) -> AsyncIterator["_LeapingDeadline"]:
        async with asyncio.timeout(seconds) as timeout:
            deadline = _LeapingDeadline(self, timeout, seconds)
            with self._alarm(0.0, deadline.look):
                yield deadline

    def leap(self, seconds: float) -> None:
        self._leapt += seconds
        for at, ring in list(self._alarms):
            if at <= self.monotonic():
                ring()

    @contextmanager
    def _alarm(self, at: float, ring: Callable[[], object]) -> Iterator[None]:
        alarm = (at, ring)
        self._alarms.append(alarm)
        try:
            yield
        finally:
            self._alarms.remove(alarm)


class _LeapingDeadline:
    def __init__(self, clock: LeapingClock, timeout: asyncio.Timeout, seconds: float) -> None:
        self._clock = clock
        self._timeout = timeout
        self._ends_at = clock.monotonic() + seconds

    def move(self, seconds: float) -> None:
        self._ends_at = self._clock.monotonic() + seconds
        self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)

    def look(self) -> None:
        if self._ends_at <= self._clock.monotonic() and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())


class ManualDeadline:
    def __init__(self, clock: ManualClock, timeout: asyncio.Timeout) -> None:
        self.over = False
        self._clock = clock
        self._timeout = timeout
        self._ends_at = 0.0

    def move(self, seconds: float) -> None:
        self._ends_at = self._clock.monotonic() + seconds
        if seconds <= 0:
            self._end()
        else:
            self._clock._set_alarm(self._ends_at, self._ring)

    def _ring(self) -> None:
        if self._clock.monotonic() >= self._ends_at:  # else it was moved, and rings again
            self._end()

    def _end(self) -> None:
        if not self.over:
            self._timeout.reschedule(asyncio.get_running_loop().time())
