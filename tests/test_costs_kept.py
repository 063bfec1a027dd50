"""What a request cost is on the record once and for what it was, while the database fails and after a restart."""

import asyncio

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore, open_store
from tests.model_server import Answer, ModelServer
from tests.storage.talk import rows
from tests.whole_bot import Stage

RECORD = "SELECT outcome, input_tokens, output_tokens, counted_tokens FROM model_calls ORDER BY id"
BUDGET = {"BUDGET_PERSON_PER_DAY": "10000", "MAX_ANSWER_TOKENS": "4000"}


@pytest.fixture
async def stage(database_url):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=database_url)


def fails(monkeypatch, method, *, times=1, carried_out):
    """The database does not confirm this transaction, be it carried out or not."""
    left, carry_out = times, getattr(SqlTurnStore, method)

    async def failing(*args, **how):
        nonlocal left
        if left == 0:
            return await carry_out(*args, **how)
        left -= 1
        if carried_out:
            await carry_out(*args, **how)
        raise DatabaseUnavailable("not confirmed")

    monkeypatch.setattr(SqlTurnStore, method, failing)


def answer(text, read, written):
    return Answer(text=text, usage={"prompt_tokens": read, "completion_tokens": written})


async def ask(stage, text="Why?"):
    asked = await stage.discord.post(stage.general, stage.you, text)
    async with asyncio.timeout(20):
        while "Fine." not in [each.content for each in stage.discord.messages(stage.general)]:
            await asyncio.sleep(0)
    return asked


async def recorded(stage):
    async with open_store(stage.database_url) as store:
        return [tuple(row) for row in await rows(store, RECORD)]


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_request_that_was_never_made_counts_nothing_after_a_restart(
    stage, monkeypatch, carried_out
) -> None:
    fails(monkeypatch, "begin_call", times=2, carried_out=carried_out)
    stage.model.script(answer("Fine.", 20, 5), answer("Yes.", 30, 2))
    async with stage.bot(**BUDGET):
        await ask(stage)
    before = await recorded(stage)
    async with stage.bot(**BUDGET):
        second = await stage.ask("And now?")
        await stage.settled(second, "Yes.")

    assert before == [*[("called_off", None, None, 0)] * 2, ("complete", 20, 5, 25)]


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("budget", [{}, BUDGET], ids=["no budgets", "a budget"])
async def test_a_text_that_the_database_did_not_take_is_stored_later_and_was_asked_for_and_paid_once(
    stage, monkeypatch, budget, carried_out
) -> None:
    fails(monkeypatch, "write_answer", carried_out=carried_out)
    fails(monkeypatch, "record_call", carried_out=False)  # the database is still away
    stage.model.script(answer("Fine.", 1000, 500))
    async with stage.bot(**budget):
        await ask(stage)

    assert await recorded(stage) == [("complete", 1000, 500, 1500 if budget else None)]


async def test_what_a_text_cost_that_the_database_never_took_is_recorded_as_lost(stage, monkeypatch) -> None:
    fails(monkeypatch, "write_answer", times=99, carried_out=False)
    stage.model.script(answer("Fine.", 1000, 500))
    async with stage.bot():
        asked = await stage.discord.post(stage.general, stage.you, "Why?")
        told = await stage.discord.until(lambda: stage.reply_to(asked))

    assert told.content == DatabaseUnavailable.waiting_message
    assert await recorded(stage) == [(DatabaseUnavailable.code, 1000, 500, None)]


@pytest.mark.parametrize("carried_out", [True, False])
async def test_what_a_failed_attempt_cost_is_on_the_record_though_that_failed_at_first(
    stage, monkeypatch, carried_out
) -> None:
    fails(monkeypatch, "record_call", carried_out=carried_out)
    stage.model.script(answer("", 10, 0), answer("Fine.", 20, 5))
    async with stage.bot():
        await ask(stage)

    costs = sorted(row[:3] for row in await recorded(stage))
    assert costs == [("complete", 20, 5), ("empty_answer", 10, 0)]
