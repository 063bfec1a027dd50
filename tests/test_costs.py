"""What each request cost is stored with it; the whole bot over real sockets, on both databases."""

import asyncio

import pytest

from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import open_store
from tests.model_server import Answer, ModelServer, Status
from tests.storage.talk import rows
from tests.test_cli import run
from tests.whole_bot import Stage

USAGE = {"prompt_tokens": 1_000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 200}}
PRICES = "gpt-5.4=2.50/0.25/15"


@pytest.fixture
async def stage(database_url):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=database_url)


async def stored(stage, columns):
    async with open_store(stage.database_url) as store:
        return [tuple(row) for row in await rows(store, f"SELECT {columns} FROM model_calls ORDER BY id")]  # noqa: S608


async def test_a_request_is_stored_with_what_it_cost_and_a_failed_one_with_nothing(stage) -> None:
    stage.model.script(Status(500), Answer(text="Blue.", usage=USAGE), Answer(text="So.", usage=None))
    async with stage.bot(MODEL_PRICES=PRICES):
        await stage.settled(await stage.ask("Why?"), "Blue.")
        await stage.settled(await stage.ask("How?"), "So.")

    assert await stored(stage, "outcome, cost_nanodollars") == [
        ("model_unavailable", 0),
        ("complete", 3_550_000),
        ("complete", None),
    ]


async def test_people_and_the_operator_read_what_it_cost(stage, tmp_path) -> None:
    stage.model.answer("Blue.", usage=USAGE)
    async with stage.bot(MODEL_PRICES=PRICES):
        await stage.settled(await stage.ask("Why?"), "Blue.")
        called = await stage.discord.slash(stage.general, stage.you, "usage")
        by_person = await stage.discord.slash(stage.general, stage.you, "usage", {"by": "person"})
        await stage.discord.until(lambda: called.original and by_person.original)
        beside = await asyncio.to_thread(
            run, "usage", "--csv", "--by", "person", folder=tmp_path, DATABASE_URL=stage.database_url
        )

    used = "1 answer, 1,000 tokens read (200 cached), 100 written, $0.0036"
    assert called.original.content.splitlines()[1:3] == [f"Today: {used}", f"This month: {used}"]
    assert by_person.original.content.splitlines()[1:3] == [f"<@{stage.you.id}>: {used}", f"In all: {used}"]
    assert (beside.returncode, beside.stderr) == (0, "")
    assert beside.stdout.splitlines()[1:] == [f"{stage.you.id},1,1,1000,200,100,0.003550000,0"]


async def test_requests_that_the_provider_refused_cost_nothing(stage) -> None:
    stage.model.script(Status(503), Status(429), Answer(text="Blue.", usage=USAGE))
    async with stage.bot(MODEL_PRICES=PRICES):
        await stage.settled(await stage.ask("Why?"), "Blue.")
        called = await stage.called("usage")

    used = "1 answer, 1,000 tokens read (200 cached), 100 written, $0.0036"
    assert called.content.splitlines()[1] == f"Today: {used}"
    assert sorted(await stored(stage, "cost_nanodollars")) == [(0,), (0,), (3_550_000,)]


async def test_tokens_from_the_cache_that_a_provider_leaves_out_of_those_read_are_paid_and_counted(stage) -> None:
    details = {"cached_tokens": 7_000}
    stage.model.answer(
        "Blue.", usage={"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": details}
    )
    async with stage.bot(MODEL_PRICES=PRICES, BUDGET_TOTAL_PER_DAY="20000"):
        await stage.settled(await stage.ask("Why?"), "Blue.")
        called = await stage.called("usage")

    assert "7,100 tokens read (7,000 cached), 10 written" in called.content
    paid = 100 * 2_500 + 7_000 * 250 + 10 * 15_000
    assert await stored(stage, "cost_nanodollars, counted_tokens") == [(paid, 7_110)]


async def test_later_prices_leave_the_past_as_it_was(stage) -> None:
    stage.model.answer("Blue.", usage=USAGE)
    async with stage.bot(MODEL_PRICES=PRICES):
        await stage.settled(await stage.ask("Why?"), "Blue.")
    async with stage.bot(MODEL_PRICES="gpt-5.4=5/0.50/30"):
        await stage.settled(await stage.ask("Why?"), "Blue.")

    assert await stored(stage, "cost_nanodollars") == [(3_550_000,), (7_100_000,)]


async def test_a_model_on_ones_own_machine_costs_nobody_knows_what(stage, caplog) -> None:
    caplog.set_level("INFO", logger="bot")
    async with stage.bot():
        await stage.ask("Why?")

    assert await stored(stage, "cost_nanodollars") == [(None,)]
    assert "what model gpt-5.4 costs is not known; MODEL_PRICES can say it" in caplog.text
