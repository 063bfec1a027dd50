"""What is erased as a whole just as it is read up: the whole bot over real sockets, started again."""

import asyncio
import logging
import sqlite3
from contextlib import closing

import pytest

from bot.core.intake import Intake
from bot.playground.loopback import LoopbackDiscord
from tests.model_server import ModelServer
from tests.pressing import pressed
from tests.whole_bot import Stage

SECRET = "the secret words"


@pytest.fixture
async def met(tmp_path):
    """A stage on which the bot has been, and is not any more."""
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        stage = Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")
        thread = discord.add_thread(stage.general, "talk")
        async with stage.bot():
            await stage.ask("I was here", channel=thread)
        yield stage


@pytest.fixture
def thread(met):
    return met.discord.channel("talk")


async def thread_deleted(stage, thread):
    await stage.discord.delete_thread(thread)


async def channel_deleted(stage, thread):
    await stage.discord.delete_channel(thread.parent)


async def server_left(stage, thread):
    await stage.discord.remove_guild(thread.guild)


async def forgotten_everywhere(stage, thread):
    await _forget(stage, stage.random, "everywhere")


async def forgotten_there(stage, thread):
    await _forget(stage, thread, "here")


async def _forget(stage, channel, where):
    await stage.discord.until(lambda: stage.discord.commands)
    call = await stage.discord.slash(channel, stage.you, "forget-me", {"where": where})
    message = await stage.discord.until(lambda: call.original and call.original.components and call.original)
    await pressed(stage, message, "Forget it")
    await stage.discord.until(lambda: "Forget it" not in str(message.components))


WAYS = [thread_deleted, channel_deleted, server_left, forgotten_everywhere, forgotten_there]


async def erase(way, stage, thread):
    """And see that the bot was told: events come in order."""
    await way(stage, thread)
    await stage.ask("elsewhere", channel=stage.discord.open_dm(stage.ada), author=stage.ada)


async def caught_up(caplog, times=1):
    async with asyncio.timeout(10):
        while caplog.text.count("caught up: ") < times:
            await asyncio.sleep(0)


def stored(stage):
    with closing(sqlite3.connect(stage.database_url.removeprefix("sqlite:///"))) as database:
        return {text for row in database.execute("SELECT text, raw_text FROM turns") for text in row}


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_erased_while_it_is_read_is_not_taken(met, thread, caplog, way, monkeypatch) -> None:
    taken, take = [], Intake.take

    async def take_down(intake, question):
        taken.append(question.text)
        await take(intake, question)

    monkeypatch.setattr(Intake, "take", take_down)
    await met.discord.post(thread, met.you, SECRET)
    reading = met.discord.faults.add("GET", rf"/{thread.id}/messages$", what="hang", when="after", times=1)
    async with met.bot():
        await met.discord.until(lambda: not reading.times)
        caplog.set_level(logging.INFO)
        await erase(way, met, thread)
        reading.release()
        await caught_up(caplog)

    assert taken == ["elsewhere"]
    assert not [text for text in stored(met) if SECRET in text]


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_erased_just_as_it_is_stored_is_erased(met, thread, caplog, way, monkeypatch) -> None:
    missed = await met.discord.post(thread, met.you, SECRET)
    take = Intake.take

    async def take_late(intake, question):
        if question.message_id == missed.id:
            await erase(way, met, thread)
        await take(intake, question)

    monkeypatch.setattr(Intake, "take", take_late)
    caplog.set_level(logging.INFO)
    async with met.bot():
        await caught_up(caplog)

    assert not [text for text in stored(met) if SECRET in text]


async def test_whoever_is_forgotten_while_others_are_read_is_not_quoted_by_them(met, caplog) -> None:
    quoted = await met.discord.post(met.general, met.you, SECRET)
    asked = await met.discord.post(met.general, met.ada, "what is this?", reply_to=quoted)
    reading = met.discord.faults.add("GET", rf"/{met.general.id}/messages$", what="hang", when="after", times=1)
    async with met.bot():
        await met.discord.until(lambda: not reading.times)
        await forgotten_everywhere(met, None)
        reading.release()
        await met.discord.until(lambda: met.reply_to(asked))

    assert not [text for text in stored(met) if SECRET in text]
