"""Edits and deletions, one after the other, and none lost."""

import asyncio
from contextlib import suppress

import pytest

from bot.core import changes
from bot.core.changes import SECONDS_ASIDE, SECONDS_AT_THE_STOP, SECONDS_BETWEEN_TRIES, Changes
from bot.core.errors import BotError, DatabaseUnavailable, SetAside
from tests.fakes import FakeClock

IDS = {"odd": 1000, "odder": 1001}  # of the messages that some are about


class Database:
    """Notes what it was told, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.odd: set[str] = set()  # never taken
        self.stuck = self.faulty = False
        self.clock = FakeClock()
        self.tries = 0
        self.carried_out: list[str] = []
        self.changes = Changes(self.clock)

    def tell(self, name: str, fault: Exception | None = None) -> asyncio.Task[str]:
        async def carry_out() -> str:
            await asyncio.sleep(0)
            self.tries += 1
            if self.stuck:
                await asyncio.Event().wait()
            if self.faulty:
                raise BotError("no such column")
            if self.away or name in self.odd:
                raise DatabaseUnavailable("locked")
            if fault:
                raise fault
            self.carried_out.append(name)
            return name

        return asyncio.create_task(self.changes.surely(carry_out, about=[IDS[name]] if name in IDS else []))

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


@pytest.fixture
async def with_one_aside():
    """A database that takes all but "odd"."""
    database = Database()
    database.odd = {"odd"}
    odd, _ = await database.kept("odd", "second")
    await database.clock.passes(SECONDS_BETWEEN_TRIES)
    with pytest.raises(SetAside):
        await odd
    assert database.changes.set_aside == {IDS["odd"]}
    trying = asyncio.create_task(database.changes.keep_trying())
    yield database
    trying.cancel()


async def test_what_is_set_aside_is_tried_once_a_minute_though_nobody_asks(with_one_aside) -> None:
    database, tries, since = with_one_aside, with_one_aside.tries, with_one_aside.clock.seconds

    while database.tries < tries + 3:
        await asyncio.sleep(0)
    passed = database.clock.seconds - since
    database.odd.clear()
    while database.changes.set_aside:
        await asyncio.sleep(0)

    assert 3 * SECONDS_ASIDE <= passed <= 4 * SECONDS_ASIDE
    assert database.carried_out == ["second", "odd"]


async def test_who_asks_for_all_so_far_waits_for_nothing_that_is_set_aside(with_one_aside) -> None:
    database, tries = with_one_aside, with_one_aside.tries

    await database.changes.carry_out()

    assert (database.tries, database.changes.wait) == (tries, False)


async def test_one_that_never_succeeds_keeps_no_other_aside(with_one_aside) -> None:
    database = with_one_aside
    database.odd = {"odd", "odder"}
    odder = database.tell("odder")
    while database.changes.set_aside != set(IDS.values()):
        await asyncio.sleep(0)
        database.changes.others_stored()
        with suppress(DatabaseUnavailable):
            await database.changes.carry_out()
    with pytest.raises(SetAside):
        await odder

    database.odd = {"odd"}
    while "odder" not in database.carried_out:
        await asyncio.sleep(0)

    assert database.changes.set_aside == {IDS["odd"]}


async def test_what_is_set_aside_is_tried_once_more_at_the_stop(with_one_aside, caplog) -> None:
    await with_one_aside.changes.try_once_more()
    named = str(IDS["odd"]) in caplog.text
    with_one_aside.odd.clear()
    await with_one_aside.changes.try_once_more()

    assert named
    assert with_one_aside.carried_out == ["second", "odd"]
    assert not with_one_aside.changes.set_aside


async def test_a_stop_waits_five_seconds_for_what_is_set_aside(with_one_aside) -> None:
    database = with_one_aside
    database.stuck = True
    stopping = asyncio.create_task(database.changes.try_once_more())

    await database.clock.passes(SECONDS_AT_THE_STOP)
    await stopping

    assert database.changes.set_aside == {IDS["odd"]}


async def test_a_fault_of_ours_over_what_was_set_aside_is_in_the_log(with_one_aside, caplog) -> None:
    with_one_aside.faulty = True

    while with_one_aside.changes.set_aside:
        await asyncio.sleep(0)

    assert "no such column" in caplog.text
