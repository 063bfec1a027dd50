"""Whoever runs the bot hears of a budget once a day or month, and not of everybody's own."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from bot.core import budget_notices as module
from bot.core.budget_notices import BudgetNotices
from bot.core.budgets import Budget, Limit, Pot, Scope
from bot.core.errors import DatabaseUnavailable, DiscordUnavailable, Undeliverable
from bot.core.periods import Period
from tests.fakes import FakeStore

TODAY, TOMORROW = datetime(2026, 11, 26, tzinfo=UTC), datetime(2026, 11, 27, tzinfo=UTC)
ALL = Budget(scope=Scope.TOTAL, period=Period.DAY, limit=Limit(most=10**9, in_dollars=True))
SERVERS = Budget(scope=Scope.SERVER, period=Period.MONTH, limit=Limit(most=1_000))


class FakeOwner:
    def __init__(self) -> None:
        self.told: list[tuple[str, int | None]] = []
        self.fault: Exception | None = None

    async def tell(self, sentence: str, *, occasion: str, server: int | None) -> None:
        if self.fault is not None:
            raise self.fault
        self.told.append((sentence, server))


class Desk:
    def __init__(self, store: FakeStore | None = None) -> None:
        self.owner = FakeOwner()
        self.store = store or FakeStore()
        self.notices = BudgetNotices(owner=self.owner, store=self.store)

    async def near(self, budget: Budget, used: int, *, id_: int = 0, begun: datetime = TODAY) -> None:
        self.notices.nearly(Pot(budget, id_, begun), used)
        await self.notices.close()


async def test_the_owner_reads_which_budget_how_much_of_it_and_until_when():
    desk = Desk()

    await desk.near(ALL, 810_000_000)

    [(told, server)] = desk.owner.told
    assert server is None
    assert told == (
        "81 % of the total budget for today are used: $0.81 of $1.00. When it is used up, I answer nobody at all "
        f"until it resets <t:{int(TOMORROW.timestamp())}:R>."
    )


async def test_each_server_and_each_day_is_told_of_once():
    desk = Desk()
    for begun in (TODAY, TODAY, TOMORROW, TOMORROW):
        await desk.near(ALL, 900_000_000, begun=begun)
        for id_ in (5, 6):
            await desk.near(SERVERS, 900, id_=id_)

    assert sorted(server or 0 for _, server in desk.owner.told) == [0, 0, 5, 6]


async def test_what_was_told_before_a_restart_is_not_told_again():
    first = Desk()
    await first.near(ALL, 900_000_000)

    second = Desk(first.store)
    await second.near(ALL, 950_000_000)

    assert (len(first.owner.told), second.owner.told) == (1, [])


async def test_a_budget_that_was_changed_is_told_of_again():
    first = Desk()
    await first.near(SERVERS, 900, id_=5)

    second = Desk(first.store)
    await second.near(replace(SERVERS, limit=Limit(most=2_000)), 1_800, id_=5)

    assert second.owner.told[0][0].startswith(
        "90 % of server 5's budget for this month are used: 1,800 tokens of 2"
    )


async def test_people_and_channels_are_not_told_of():
    desk = Desk()
    for scope in (Scope.PERSON, Scope.CHANNEL):
        await desk.near(Budget(scope=scope, period=Period.DAY, limit=Limit(most=10)), 10, id_=7)

    assert desk.owner.told == []


async def test_who_cannot_be_told_finds_it_in_the_log_once(caplog):
    desk = Desk()
    desk.owner.fault = Undeliverable("closed")

    for _ in range(2):
        await desk.near(SERVERS, 900, id_=5)

    (line,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert line.getMessage().startswith(
        "the owner could not be told (closed) that: 90 % of server 5's budget for this month are used: 900"
    )


async def test_who_took_no_message_is_tried_again_after_a_restart():
    first = Desk()
    first.owner.fault = Undeliverable("closed")
    await first.near(SERVERS, 900, id_=5)

    second = Desk(first.store)
    await second.near(SERVERS, 900, id_=5)

    assert len(second.owner.told) == 1


async def test_while_discord_is_away_it_is_tried_again_at_the_next_request(caplog):
    desk = Desk()
    desk.owner.fault = DiscordUnavailable("HTTP 503")
    await desk.near(SERVERS, 900, id_=5)
    desk.owner.fault = None
    await desk.near(SERVERS, 910, id_=5)

    assert len(desk.owner.told) == 1
    assert "could not be told (HTTP 503)" in caplog.text


async def test_a_message_that_does_not_get_through_holds_no_stop_up(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_TO_TELL", 0.01)
    desk = Desk()

    async def hang(*_args, **_options):
        await asyncio.Event().wait()

    desk.owner.tell = hang
    async with asyncio.timeout(10):
        await desk.near(SERVERS, 900, id_=5)

    assert await desk.store.read_fact("budget_told:server:5:month") is None


async def test_while_the_database_is_away_it_is_tried_again_at_the_next_request(caplog):
    class Away(FakeStore):
        away = True

        async def read_fact(self, name):
            if self.away:
                raise DatabaseUnavailable("gone")
            return await super().read_fact(name)

    desk = Desk(Away())
    await desk.near(ALL, 900_000_000)
    desk.store.away = False
    await desk.near(ALL, 910_000_000)

    assert len(desk.owner.told) == 1
    assert "could not be stored: gone" in caplog.text
