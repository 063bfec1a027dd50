"""Edits and deletions, one after the other, and none lost."""

import asyncio
from contextlib import suppress

import pytest

from bot.core import changes
from bot.core.changes import SECONDS_ASIDE, SECONDS_BETWEEN_TRIES, Changes
from bot.core.errors import BotError, DatabaseUnavailable, SetAside
from tests.fakes import FakeClock


class Database:
    """Notes what it was told, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.odd: set[str] = set()  # never taken
        self.clock = FakeClock()
        self.tries = 0
        self.carried_out: list[str] = []
        self.changes = Changes(self.clock)

    def tell(self, name: str, fault: Exception | None = None) -> asyncio.Task[str]:
        async def carry_out() -> str:
            await asyncio.sleep(0)
            self.tries += 1
            if self.away or name in self.odd:
                raise DatabaseUnavailable("locked")
            if fault:
                raise fault
            self.carried_out.append(name)
            return name

        return asyncio.create_task(self.changes.surely(carry_out))

    async def kept(self, *names: str) -> list[asyncio.Task[str]]:
        """What was told while it was away, when all of it was tried."""
        self.away = True
        told = [self.tell(name) for name in names]
        while self.tries <= len(names):
            await asyncio.sleep(0)
        self.away = False
        return told


async def test_a_change_that_comes_once_the_database_is_back_follows_those_kept() -> None:
    database = Database()
    kept = await database.kept("first", "second")

    assert await database.tell("third") == "third"

    assert database.carried_out == ["first", "second", "third"]
    assert await asyncio.gather(*kept) == ["first", "second"]


async def test_those_kept_are_tried_again_by_one_for_all() -> None:
    database = Database()
    kept = await database.kept("first", "second", "third")
    database.away, before = True, database.tries

    await database.clock.passes(SECONDS_BETWEEN_TRIES)
    while database.tries < before + 2:  # the first, and whether it is the only one
        await asyncio.sleep(0)
    database.away = False
    await database.clock.passes(SECONDS_BETWEEN_TRIES)

    assert await asyncio.gather(*kept) == ["first", "second", "third"]
    assert database.tries == before + 2 + 3


async def test_whoever_asks_for_all_so_far_learns_that_they_are_still_kept() -> None:
    database = Database()
    (kept,) = await database.kept("first")
    database.away = True

    with pytest.raises(DatabaseUnavailable):
        await database.changes.carry_out()
    assert database.changes.wait
    database.away = False
    await database.changes.carry_out()

    assert await kept == "first"
    assert not database.changes.wait


async def test_a_fault_of_ours_ends_its_own_change_alone() -> None:
    database = Database()
    faulty, next_one = database.tell("first", BotError("no such column")), database.tell("second")

    with pytest.raises(BotError, match="no such column"):
        await faulty
    assert await next_one == "second"


async def test_one_given_up_is_carried_out_no_more(monkeypatch) -> None:
    monkeypatch.setattr(changes, "MOST_KEPT", 1)
    database = Database()
    first, second = await database.kept("first", "second")

    with pytest.raises(DatabaseUnavailable):
        await second
    await database.changes.carry_out()

    assert await first == "first"
    assert database.carried_out == ["first"]


async def test_what_is_kept_as_the_bot_is_stopped_is_given_up() -> None:
    database = Database()
    kept = await database.kept("first", "second")
    database.away = True
    database.changes.stop()

    await database.clock.passes(SECONDS_BETWEEN_TRIES)

    assert [type(one) for one in await asyncio.gather(*kept, return_exceptions=True)] == [DatabaseUnavailable] * 2
    assert not database.changes.wait


async def test_one_that_fails_while_what_comes_after_it_is_stored_is_set_aside() -> None:
    database = Database()
    database.odd = {"first"}
    odd, second = await database.kept("first", "second")

    await database.clock.passes(SECONDS_BETWEEN_TRIES)

    assert await second == "second"
    with pytest.raises(SetAside):
        await odd
    await database.changes.carry_out()
    assert await database.tell("third") == "third"


async def test_one_that_fails_while_other_things_are_stored_is_set_aside() -> None:
    database = Database()
    database.odd = {"first"}
    (odd,) = await database.kept("first")

    database.changes.others_stored()
    while database.changes.wait:
        with suppress(DatabaseUnavailable):
            await database.changes.carry_out()

    with pytest.raises(SetAside):
        await odd


async def test_nothing_is_set_aside_while_nothing_is_stored() -> None:
    database = Database()
    kept = await database.kept("first", "second")
    database.away = True
    for _ in range(10):
        tries = database.tries
        await database.clock.passes(SECONDS_BETWEEN_TRIES)
        while database.tries < tries + 2:
            await asyncio.sleep(0)
    database.away = False
    await database.clock.passes(SECONDS_BETWEEN_TRIES)

    assert await asyncio.gather(*kept) == ["first", "second"]
    assert database.carried_out == ["first", "second"]


async def test_what_is_set_aside_is_tried_again_now_and_then() -> None:
    database = Database()
    database.odd = {"first"}
    odd, _ = await database.kept("first", "second")
    await database.clock.passes(SECONDS_BETWEEN_TRIES)
    with pytest.raises(SetAside):
        await odd
    tries = database.tries

    await database.changes.carry_out()
    assert database.tries == tries
    database.clock.seconds += SECONDS_ASIDE
    assert database.changes.wait
    await database.changes.carry_out()
    database.odd.clear()
    database.clock.seconds += SECONDS_ASIDE
    await database.changes.carry_out()

    assert database.carried_out == ["second", "first"]
    assert not database.changes.wait
