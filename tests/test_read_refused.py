"""What was missed where the database did not let it be read comes before the next question all the same."""

import asyncio
import sqlite3

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.handled import EVERYWHERE
from bot.discord import catch_up
from bot.discord.unread import Unread
from tests.clock import LeapingClock
from tests.refusing import Refusing
from tests.whole_bot import met_before

ANSWER = "All good, how may I help you?"


@pytest.fixture
async def met(tmp_path):
    """A stage on which the bot has been, and is not any more. No mark is written unless its clock leaps."""
    async with met_before(tmp_path, clock=LeapingClock()) as stage:
        yield stage


async def _said(caplog, words):
    async with asyncio.timeout(20):
        while words not in caplog.text:
            await asyncio.sleep(0)


def _asked(stage) -> list[str]:
    """What people wrote, in the order of the history of the newest prompt."""
    return [text.split(": ")[-1] for role, text in stage.prompts()[-1] if role == "user"]


def _told(stage, question) -> list[str]:
    return [
        each.content
        for each in stage.discord.messages(question.channel)
        if each.author.bot and each.reference and each.reference.message_id == question.id
    ]


def _noting_what_is_unlisted(monkeypatch) -> asyncio.Event:
    """Set once all servers are known, and that the store does not tell of some channels."""
    noted, found = asyncio.Event(), Unread.found

    def note(unread, channels, *, servers, unlisted=()):
        found(unread, channels, servers=servers, unlisted=unlisted)
        if unlisted and EVERYWHERE in servers:
            noted.set()

    monkeypatch.setattr(Unread, "found", note)
    return noted


@pytest.mark.parametrize("name", ["stored_since", "quoted_since", "withdrawn_since"])
async def test_what_was_missed_comes_before_the_first_question_that_can_be_stored_again(
    met, monkeypatch, caplog, name
) -> None:
    missed = await met.discord.post(met.general, met.you, "missed")
    Refusing(monkeypatch, name, times=1)
    async with met.bot():
        await _said(caplog, "cannot be read")
        live = await met.discord.post(met.general, met.ada, "live")
        await met.discord.until(lambda: met.reply_to(missed) and met.reply_to(live))

    assert _asked(met) == ["I was here", "missed", "live"]
    assert DatabaseUnavailable.waiting_message not in _told(met, live)


async def test_a_lock_on_the_file_while_a_server_comes_back_costs_no_order(met, caplog) -> None:
    async with met.bot():
        await met.ask("before")
        await met.discord.remove_guild(met.discord.guild, unavailable=True)
        missed = await met.discord.post(met.general, met.you, "missed")
        other = sqlite3.connect(met.database_url.removeprefix("sqlite:///"), isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            await met.discord.restore_guild(met.discord.guild)
            await _said(caplog, "cannot be read: OperationalError (SQLITE_BUSY)")
        finally:
            other.close()
        live = await met.discord.post(met.general, met.ada, "live")
        await met.discord.until(lambda: met.reply_to(missed) and met.reply_to(live))

    assert _asked(met) == ["I was here", "before", "missed", "live"]


async def test_what_was_missed_in_a_dm_of_which_the_database_did_not_tell_comes_first(met, monkeypatch) -> None:
    direct = met.discord.open_dm(met.ada)
    async with met.bot():
        await met.ask("hello", channel=direct, author=met.ada)
    await met.discord.post(direct, met.ada, "missed")
    refusing = Refusing(monkeypatch, "direct_channels", times=1_000_000)
    unlisted = _noting_what_is_unlisted(monkeypatch)
    async with met.bot(), asyncio.timeout(20):
        await unlisted.wait()
        refusing.times = 0
        await met.ask("live", channel=direct, author=met.ada)

    assert _asked(met) == ["hello", "missed", "live"]


async def test_what_was_missed_in_an_archived_thread_of_which_the_database_did_not_tell_comes_first(
    met, monkeypatch
) -> None:
    thread = met.discord.add_thread(met.general, "talk")
    async with met.bot():
        await met.ask("hello", channel=thread)
    missed = await met.discord.post(thread, met.you, "missed")
    await met.discord.set_thread_state(thread, archived=True)
    refusing = Refusing(monkeypatch, "recent_threads", times=1_000_000)
    unlisted = _noting_what_is_unlisted(monkeypatch)
    async with met.bot(), asyncio.timeout(20):
        await unlisted.wait()
        refusing.times = 0
        await met.discord.set_thread_state(thread, archived=False)
        live = await met.discord.post(thread, met.ada, "live")
        await met.discord.until(lambda: met.reply_to(missed) and met.reply_to(live))

    assert _asked(met) == ["hello", "missed", "live"]


async def test_who_asks_where_the_database_never_lets_anything_be_read_is_told_and_answered_after_half_a_minute(
    met, monkeypatch
) -> None:
    await met.discord.post(met.general, met.you, "missed")
    refusing = Refusing(monkeypatch, "stored_since", times=1_000_000)
    async with met.bot():
        await refusing.refused.wait()
        live = await met.discord.post(met.general, met.ada, "live")
        await met.discord.until(lambda: _told(met, live) == [DatabaseUnavailable.waiting_message])
        asked_meanwhile = len(met.prompts())
        met.clock.leap(catch_up.SECONDS_TO_READ)
        await met.discord.until(lambda: ANSWER in _told(met, live))
        again = await met.discord.post(met.general, met.you, "again")
        await met.discord.until(lambda: _told(met, again) == [ANSWER])

    assert asked_meanwhile == 1
    assert _asked(met) == ["I was here", "live", "again"]
