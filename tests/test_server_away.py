"""A server that is away as the bot starts: nothing fails over it, and it is caught up with when it is back."""

import asyncio
import gc
import logging

import pytest

from bot.core.tokens import TokenBudget
from bot.discord import catch_up, client
from bot.storage.turns import SqlTurnStore, open_store
from tests.fakes import message
from tests.logged import caught_up
from tests.whole_bot import met_before


@pytest.fixture
async def stage(tmp_path):
    async with met_before(tmp_path) as stage:
        yield stage


async def test_a_question_that_waits_in_a_server_that_is_away_is_no_fault(stage, caplog, monkeypatch) -> None:
    monkeypatch.setattr(catch_up, "SECONDS_TO_READ", 0.05)
    asked = await stage.discord.post(stage.general, stage.you, "waits")
    async with open_store(stage.database_url) as store:
        question = message(asked.content, id=asked.id, channel=stage.general.id, guild_id=stage.discord.guild.id)
        await store.receive(question, take_up=False, budget=TokenBudget(history_tokens=8000))
    missed = await stage.discord.post(stage.general, stage.ada, "missed")
    await stage.discord.remove_guild(stage.discord.guild, unavailable=True)

    async with stage.bot():
        await stage.discord.until(lambda: stage.reply_to(asked))
        answered_meanwhile = stage.reply_to(missed)
        await stage.discord.restore_guild(stage.discord.guild)
        await stage.discord.until(lambda: stage.reply_to(missed))
    gc.collect()  # which tells of a task that failed unseen

    assert not answered_meanwhile
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_question_between_two_outages_waits_for_what_was_missed(stage, monkeypatch, caplog) -> None:
    caplog.set_level(logging.INFO)
    here, elsewhere = stage.discord.guild, stage.discord.open_dm(stage.ada)
    listed, stored = asyncio.Event(), asyncio.Event()
    recent_threads, receive = SqlTurnStore.recent_threads, SqlTurnStore.receive

    async def list_late(store, **how):
        await listed.wait()
        return await recent_threads(store, **how)

    async def store_late(store, question, **how):
        if question.text == "live":
            await stored.wait()
        return await receive(store, question, **how)

    async with stage.bot():
        await stage.ask("before", channel=elsewhere, author=stage.ada)
        await caught_up(caplog)
        await stage.discord.remove_guild(here, unavailable=True)
        await stage.discord.post(stage.general, stage.you, "missed")
        monkeypatch.setattr(SqlTurnStore, "recent_threads", list_late)
        monkeypatch.setattr(SqlTurnStore, "receive", store_late)
        await stage.discord.restore_guild(here)
        live = await stage.discord.post(stage.general, stage.ada, "live")
        await stage.discord.remove_guild(here, unavailable=True)
        await stage.ask("both outages are told of", channel=elsewhere, author=stage.ada)
        listed.set()
        await stage.ask("and the first one is looked at", channel=elsewhere, author=stage.ada)
        stored.set()
        await stage.ask("the question is stored", channel=elsewhere, author=stage.ada)
        answered_meanwhile = stage.reply_to(live)
        await stage.discord.restore_guild(here)
        await stage.discord.until(lambda: {"missed", "live"} <= set(_asked(stage)))

    assert not answered_meanwhile
    assert _asked(stage)[-2:] == ["missed", "live"]


async def test_an_outage_that_is_over_before_the_bot_is_ready_loses_nothing_and_no_order(
    stage, monkeypatch
) -> None:
    monkeypatch.setattr(client, "SECONDS_BETWEEN_SERVERS", 1.0)
    first = await stage.discord.post(stage.general, stage.you, "first")
    async with stage.bot():
        await stage.discord.remove_guild(stage.discord.guild, unavailable=True)
        second = await stage.discord.post(stage.general, stage.ada, "second")
        await stage.discord.restore_guild(stage.discord.guild)
        third = await stage.discord.post(stage.general, stage.you, "third")
        await stage.discord.until(lambda: all(map(stage.reply_to, (first, second, third))))

    assert _asked(stage)[-3:] == ["first", "second", "third"]


async def test_a_question_that_waits_comes_after_what_was_missed_where_its_server_is_away_at_the_start(
    stage,
) -> None:
    await stage.discord.post(stage.general, stage.ada, "missed")
    asked = await stage.discord.post(stage.general, stage.you, "waits")
    async with open_store(stage.database_url) as store:
        question = message(asked.content, id=asked.id, channel=stage.general.id, guild_id=stage.discord.guild.id)
        await store.receive(question, take_up=False, budget=TokenBudget(history_tokens=8000))
    await stage.discord.remove_guild(stage.discord.guild, unavailable=True)

    async with stage.bot():
        await stage.discord.until(lambda: f"/channels/{stage.general.id}" in _got(stage))
        await stage.ask("elsewhere", channel=stage.discord.open_dm(stage.ada), author=stage.ada)
        answered_meanwhile = stage.reply_to(asked)
        await stage.discord.restore_guild(stage.discord.guild)
        await stage.discord.until(lambda: {"missed", "waits"} <= set(_asked(stage)))

    assert not answered_meanwhile
    assert _asked(stage)[-2:] == ["missed", "waits"]


def _asked(stage):
    return [prompt[-1][1].split(": ")[-1] for prompt in stage.prompts()]


def _got(stage):
    return [request.path for request in stage.discord.requests if request.method == "GET"]
