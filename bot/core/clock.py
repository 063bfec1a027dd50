"""The real clock, and how any is waited by. Tests have one that they move by hand."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from bot.core.ports import Clock


class _LoopDeadline:
    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout

    def move(self, seconds: float) -> None:
        self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(tz=UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def deadline(self, seconds: float) -> AsyncIterator[_LoopDeadline]:
        async with asyncio.timeout(seconds) as timeout:
            yield _LoopDeadline(timeout)


async def wait_at_most(event: asyncio.Event, seconds: float, *, clock: Clock) -> None:
    """Until it is set, or for so long."""
    with suppress(TimeoutError):
        async with clock.deadline(seconds):
            await event.wait()
