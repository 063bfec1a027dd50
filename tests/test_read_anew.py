"""Something more is missed while a channel is still being read: the whole bot over real sockets."""

import asyncio
import logging
from datetime import timedelta

import pytest

from bot.core import handled
from bot.core.handled import EVERYWHERE
from bot.discord import catch_up, connecting
from bot.storage.turns import SqlTurnStore
from tests.logged import caught_up
from tests.whole_bot import met_before


@pytest.fixture
async def met(tmp_path, monkeypatch):
    """A stage on which the bot has been, and is not any more; its marks have no margin that would hide a gap."""
    monkeypatch.setattr(handled, "MARGIN", timedelta())
    for pause in ("SECONDS_BETWEEN_SESSIONS", "LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(connecting, pause, 0.0)
    async with met_before(tmp_path) as stage:
        yield stage


def _hang(stage):
    """The next reading of the channel gets what is there now, and not before it is let go."""
    where = rf"/{stage.general.id}/messages$"
    return stage.discord.faults.add("GET", where, what="hang", when="after", times=1)


async def _seen(stage):
    """The bot was told of all that happened before: events come in order."""
    await stage.ask("elsewhere", channel=stage.discord.open_dm(stage.ada), author=stage.ada)


async def _say_in_an_outage(stage, author, text):
    await stage.discord.remove_guild(stage.discord.guild, unavailable=True)
    await _seen(stage)
    return await stage.discord.post(stage.general, author, text)


async def test_an_outage_while_what_came_before_it_is_read_is_read_as_well(met) -> None:
    before = await met.discord.post(met.general, met.you, "before")
    reading = _hang(met)
    async with met.bot():
        await met.discord.until(lambda: not reading.times)
        during = await _say_in_an_outage(met, met.ada, "during")
        await met.discord.restore_guild(met.discord.guild)
        await _seen(met)
        reading.release()

        await met.discord.until(lambda: met.reply_to(before) and met.reply_to(during))


async def test_an_outage_while_the_one_before_it_is_read_is_read_as_well(met, monkeypatch) -> None:
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.01)
    async with met.bot():
        await _seen(met)
        first = await _say_in_an_outage(met, met.you, "first")
        reading = _hang(met)
        await met.discord.restore_guild(met.discord.guild)
        await met.discord.until(lambda: not reading.times)
        second = await _say_in_an_outage(met, met.ada, "second")
        await met.discord.restore_guild(met.discord.guild)
        await _seen(met)
        reading.release()

        await met.discord.until(lambda: met.reply_to(first) and met.reply_to(second))


async def test_an_outage_keeps_its_mark_where_the_one_before_it_is_read_to_the_end_meanwhile(
    met, monkeypatch, caplog
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.01)
    marks, write = {}, SqlTurnStore.write_marks

    async def note(store, new_marks):
        await write(store, new_marks)
        marks.update(new_marks)

    monkeypatch.setattr(SqlTurnStore, "write_marks", note)
    async with met.bot():
        await caught_up(caplog)
        first = await _say_in_an_outage(met, met.you, "first")
        reading = _hang(met)
        await met.discord.restore_guild(met.discord.guild)
        await met.discord.until(lambda: not reading.times)
        second = await _say_in_an_outage(met, met.ada, "second")
        reading.release()
        async with asyncio.timeout(10):
            while marks.get(EVERYWHERE, second.created_at) <= second.created_at:
                met.discord.faults.ask_for_heartbeats()
                await asyncio.sleep(0.01)
        await met.discord.restore_guild(met.discord.guild)

        await met.discord.until(lambda: met.reply_to(first) and met.reply_to(second))


@pytest.mark.parametrize("change", ["deleted", "edited"])
async def test_what_was_read_for_an_earlier_session_is_stored_no_longer(met, change, monkeypatch) -> None:
    looked_up, look_up = [], SqlTurnStore.withdrawn_since

    async def note(store, channel_id, **how):
        found = await look_up(store, channel_id, **how)
        looked_up.append(channel_id)
        return found

    monkeypatch.setattr(SqlTurnStore, "withdrawn_since", note)
    missed = await met.discord.post(met.general, met.you, "the old words")
    earlier = _hang(met)
    async with met.bot():
        await met.discord.until(lambda: not earlier.times)
        met.discord.faults.invalidate_session(resumable=False)
        await met.discord.until(lambda: not met.connected)
        if change == "deleted":
            await met.discord.delete(missed)
        else:
            await met.discord.edit(missed, "the new words")
        async with asyncio.timeout(10):
            while looked_up.count(met.general.id) < 2:
                await asyncio.sleep(0)
        earlier.release()
        await met.ask("and now?")

    assert "the old words" not in str(met.prompts())
    assert ("the new words" in str(met.prompts()[-1])) == (change == "edited")
