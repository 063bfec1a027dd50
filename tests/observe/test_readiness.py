"""Ready only when it is true, and not well when it never will be again."""

import asyncio
from dataclasses import replace

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.observe.readiness import SECONDS_BETWEEN_WRITES, SECONDS_OF_SILENCE, SECONDS_TO_WRITE, Readiness
from bot.observe.vitals import Vitals
from tests.clock import ManualClock


class Database:
    def __init__(self) -> None:
        self.writes = 0
        self.fault: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def write(self) -> None:
        self.writes += 1
        await self.answers.wait()
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def well(database):
    return Vitals(
        gateway_heard_seconds_ago=lambda: 1.0,
        event_seconds_ago=lambda: 1.0,
        stored_seconds_ago=lambda: 1.0,
        model_succeeded_seconds_ago=lambda: None,
        waiting=lambda: 0,
        oldest_waiting_seconds=lambda: None,
        answering=lambda: 0,
        requests_waiting=lambda: 0,
        requests=dict,
        invalid_requests=lambda: 0,
        model_admits=lambda: True,
        owns_database=lambda: True,
        stopping=lambda: False,
        write=database.write,
    )


async def obstacles(vitals, clock):
    readiness = Readiness(clock)
    readiness.vitals = vitals
    return await readiness.obstacles()


async def test_it_is_starting_until_its_parts_are_made(clock):
    assert await Readiness(clock).obstacles() == ["starting"]
    assert not Readiness(clock).lost


async def test_it_is_ready_when_all_is_well(well, clock):
    assert await obstacles(well, clock) == []


@pytest.mark.parametrize(
    ("obstacle", "symptom"),
    [
        ("discord", {"gateway_heard_seconds_ago": lambda: None}),
        ("discord", {"gateway_heard_seconds_ago": lambda: SECONDS_OF_SILENCE + 1}),
        ("model", {"model_admits": lambda: False}),
        ("ownership", {"owns_database": lambda: False}),
        ("stopping", {"stopping": lambda: True}),
    ],
)
async def test_what_keeps_it_from_answering_is_named(well, clock, obstacle, symptom):
    assert await obstacles(replace(well, **symptom), clock) == [obstacle]


async def test_a_bot_that_stops_does_not_try_its_database_any_more(well, clock, database):
    assert await obstacles(replace(well, stopping=lambda: True), clock) == ["stopping"]
    assert database.writes == 0


async def test_a_database_that_takes_no_write_is_named(well, clock, database):
    database.fault = DatabaseUnavailable()

    assert await obstacles(well, clock) == ["database"]


async def test_a_write_that_hangs_is_not_waited_for(well, clock, database):
    database.answers.clear()

    asking = asyncio.create_task(obstacles(well, clock))
    await clock.advance(SECONDS_TO_WRITE)

    assert await asking == ["database"]


async def test_asking_often_does_not_write_often(well, clock, database):
    readiness = Readiness(clock)
    readiness.vitals = well

    await readiness.obstacles()
    await clock.advance(SECONDS_BETWEEN_WRITES - 0.1)
    await readiness.obstacles()
    often = database.writes
    await clock.advance(0.1)
    await readiness.obstacles()

    assert (often, database.writes) == (1, 2)


async def test_a_bot_that_lost_its_database_is_lost(well, clock):
    readiness = Readiness(clock)
    readiness.vitals = replace(well, owns_database=lambda: False)

    assert readiness.lost
