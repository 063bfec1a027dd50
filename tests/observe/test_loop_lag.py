"""How late the event loop is."""

import asyncio
from contextlib import suppress

from bot.observe.loop_lag import watch_loop


class HeldUpClock:
    """Its sleepers wake as much too late as the test says, and then no more."""

    def __init__(self, *late: float) -> None:
        self._late = iter(late)
        self._seconds = 0.0

    def monotonic(self) -> float:
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        late = next(self._late, None)
        if late is None:
            raise asyncio.CancelledError
        self._seconds += seconds + late


async def test_it_tells_by_how_much_the_loop_woke_too_late():
    told = []

    with suppress(asyncio.CancelledError):
        await watch_loop(HeldUpClock(0.0, 0.4, 0.01), told.append)

    assert [round(seconds, 3) for seconds in told] == [0.0, 0.4, 0.01]
