"""The real clock. Tests have one that they move by hand."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime


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
