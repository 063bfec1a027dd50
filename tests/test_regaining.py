"""Who lost the database begins anew when it is to be had, and gives it up to whoever else has it."""

import asyncio
from itertools import pairwise

import pytest

from bot.core.errors import DatabaseAway, OwnershipLost, StartupRefused
from bot.regaining import LONGEST_PAUSE, SECONDS_TO_REGAIN, run_anew
from bot.storage.database import SECONDS_FOR_PREDECESSOR
from tests.clock import ManualClock


class Bot:
    """Runs as it is told: what each run raises, or None."""

    def __init__(self, *ends) -> None:
        self.clock, self.started, self.ends, self.runs = ManualClock(), asyncio.Event(), list(ends), []
        self.stop = asyncio.Event()

    async def run(self, seconds) -> None:
        self.runs.append((self.clock.monotonic(), seconds, self.started.is_set()))
        end = self.ends.pop(0)
        if not isinstance(end, StartupRefused):
            self.started.set()
        if end is not None:
            raise end

    async def serve(self) -> None:
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.sleep(0)
            await run_anew(self.run, stopping=stopping, started=self.started, clock=self.clock)
        finally:
            stopping.cancel()

    async def end(self) -> None:
        serving = asyncio.create_task(self.serve())
        await self.clock.advance(1000)
        await serving


async def test_a_lock_that_was_lost_is_asked_for_again_after_a_second_and_not_waited_for_as_long() -> None:
    bot = Bot(OwnershipLost(), None)

    await bot.end()

    assert bot.runs == [(0, SECONDS_FOR_PREDECESSOR, False), (1, SECONDS_TO_REGAIN, False)]


async def test_a_server_that_stays_away_is_asked_less_and_less_often_without_end() -> None:
    bot = Bot(OwnershipLost(), *[DatabaseAway("away")] * 9, OwnershipLost(), DatabaseAway("away"), None)

    await bot.end()

    times = [at for at, *_ in bot.runs]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == [1, 2, 4, 8, 16, *[LONGEST_PAUSE] * 5, 1, 2]


async def test_who_never_had_the_database_does_not_wait_for_it() -> None:
    bot = Bot(DatabaseAway("away"))

    with pytest.raises(DatabaseAway):
        await bot.end()


async def test_who_finds_somebody_else_with_the_lock_gives_up() -> None:
    bot = Bot(OwnershipLost(), StartupRefused("Another bot is using it."))

    with pytest.raises(StartupRefused, match="Another bot"):
        await bot.end()


async def test_who_is_being_stopped_begins_nothing_anew() -> None:
    bot = Bot(OwnershipLost(), None)
    bot.stop.set()

    with pytest.raises(OwnershipLost):
        await bot.end()
    assert len(bot.runs) == 1
