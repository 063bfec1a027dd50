"""Channels that cannot be read just now: who waits for them, and what is tried again."""

import asyncio
import logging
from collections import Counter

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.handled import EVERYWHERE
from bot.core.tokens import TokenBudget
from bot.discord import catch_up
from bot.discord.changed_channels import ChangedChannels
from bot.discord.unread import Unread
from bot.storage.turns import SqlTurnStore, open_store
from tests.clock import LeapingClock
from tests.fakes import message
from tests.whole_bot import met_before


@pytest.fixture
async def met(tmp_path):
    """A stage on which the bot has been, and is not any more."""
    async with met_before(tmp_path, clock=LeapingClock()) as stage:
        stage.discord.requests.clear()
        yield stage


def _refuse(stage, channel, times):
    return stage.discord.faults.add("GET", rf"/{channel.id}/messages$", what="html", status=403, times=times)


async def _said(caplog, words):
    async with asyncio.timeout(10):
        while words not in caplog.text:
            await asyncio.sleep(0)


async def test_a_question_waits_for_what_could_not_be_read_before_it_until_that_is_tried_again(
    met, caplog
) -> None:
    elsewhere = met.discord.open_dm(met.ada)
    await met.discord.post(met.general, met.you, "missed")
    _refuse(met, met.general, 1)
    async with met.bot():
        await _said(caplog, "cannot be read")
        live = await met.discord.post(met.general, met.ada, "live")
        await met.ask("elsewhere", channel=elsewhere, author=met.ada)
        await met.ask("and again", channel=elsewhere, author=met.ada)
        answered_meanwhile = met.reply_to(live)
        met.clock.leap(catch_up.SECONDS_BETWEEN_MARKS)
        await met.discord.until(lambda: {"missed", "live"} <= set(_asked(met)))  # one is told that it waits before

    assert not answered_meanwhile
    assert _asked(met)[-2:] == ["missed", "live"]


async def test_only_the_channel_that_could_not_be_read_is_read_again(met, monkeypatch) -> None:
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.05)
    missed = await met.discord.post(met.general, met.you, "missed")
    await met.discord.post(met.random, met.ada, "not for the bot")
    _refuse(met, met.general, 2)
    async with met.bot():
        await met.discord.until(lambda: met.reply_to(missed))

    read = Counter(request.path.split("/")[2] for request in met.discord.requests if _is_reading(request))
    assert read == {str(met.general.id): 3, str(met.random.id): 1}


async def test_a_thread_that_cannot_be_looked_up_holds_the_mark_of_its_own_server(met, monkeypatch) -> None:
    thread = met.discord.add_thread(met.general, "talk")
    async with met.bot():
        await met.ask("hello", channel=thread)
    asked = await met.discord.post(thread, met.you, "waits")
    async with open_store(met.database_url) as store:
        question = message(
            asked.content, id=asked.id, channel=thread.id, guild_id=met.discord.guild.id, parent_id=met.general.id
        )
        await store.receive(question, take_up=False, budget=TokenBudget(history_tokens=8000))
    await met.discord.set_thread_state(thread, archived=True)
    failed: dict[int, int] = {}
    known, fail, of = asyncio.Event(), Unread.fail, ChangedChannels.of

    def note(unread, channel_id, server, **how):
        fail(unread, channel_id, server, **how)
        failed[channel_id] = server
        known.set()

    async def look_late(changed, guilds):
        await known.wait()
        return await of(changed, guilds)

    monkeypatch.setattr(Unread, "fail", note)
    monkeypatch.setattr(ChangedChannels, "of", look_late)
    met.discord.faults.add("GET", rf"/channels/{thread.id}$", what="html", status=403, times=1)
    async with met.bot(), asyncio.timeout(10):
        await known.wait()

    assert failed == {thread.id: met.discord.guild.id}


def _asked(stage) -> list[str]:
    return [prompt[-1][1].split(": ")[-1] for prompt in stage.prompts()]


def _is_reading(request) -> bool:
    return request.method == "GET" and request.route.endswith("/messages")


async def test_what_could_not_be_stored_holds_no_mark_once_it_is_read_again(met, monkeypatch, caplog) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.05)
    receive, write, in_vain, marks = SqlTurnStore.receive, SqlTurnStore.write_marks, [], []

    async def refuse_at_first(store, question, **how):
        if not in_vain:
            in_vain.append(question)
            raise DatabaseUnavailable("it is locked")
        return await receive(store, question, **how)

    async def note(store, new_marks):
        await write(store, new_marks)
        marks.append(new_marks)

    monkeypatch.setattr(SqlTurnStore, "write_marks", note)
    async with met.bot():
        await _said(caplog, "caught up: ")
        monkeypatch.setattr(SqlTurnStore, "receive", refuse_at_first)
        await met.ask("in vain")
        async with asyncio.timeout(10):
            while not any(met.discord.guild.id in each for each in marks):
                await asyncio.sleep(0)
            while marks[-1].keys() != {EVERYWHERE}:
                await asyncio.sleep(0)
