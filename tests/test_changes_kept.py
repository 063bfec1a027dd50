"""Edits and deletions that the database does not take: none is forgotten, however long it takes."""

import asyncio

import pytest

from bot.core import intake
from bot.core.errors import DatabaseUnavailable
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore
from tests.clock import LeapingClock
from tests.model_server import ModelServer
from tests.whole_bot import Stage

NAMES = {"deleted": "erase_messages", "edited": "edit"}


class Refusing:
    """A database that takes nothing of a kind, so many times."""

    def __init__(self, monkeypatch, name, times):
        self.times = times
        self.refused, self.took = asyncio.Event(), asyncio.Event()
        change = getattr(SqlTurnStore, name)

        async def refuse(store, *args, **how):
            if self.times > 0:
                self.times -= 1
                self.refused.set()
                raise DatabaseUnavailable("it is locked")
            outcome = await change(store, *args, **how)
            self.took.set()
            return outcome

        monkeypatch.setattr(SqlTurnStore, name, refuse)


@pytest.fixture
async def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "SECONDS_BETWEEN_TRIES", 0.001)
    clock = LeapingClock()
    async with LoopbackDiscord(clock=clock, rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", clock=clock)


@pytest.fixture
def ten_minutes_later(stage, monkeypatch):
    """Let time pass until marks are written that know of it."""
    written, write = asyncio.Semaphore(0), SqlTurnStore.write_marks

    async def write_and_tell(store, marks):
        await write(store, marks)
        written.release()

    async def pass_time():
        while not written.locked():
            await written.acquire()
        for _ in range(2):  # the first may have been under way
            stage.clock.leap(300.0)
            async with asyncio.timeout(10):
                await written.acquire()

    monkeypatch.setattr(SqlTurnStore, "write_marks", write_and_tell)
    return pass_time


async def _change(stage, message, change):
    if change == "deleted":
        await stage.discord.delete(message)
    else:
        await stage.discord.edit(message, "the new words")


async def _ask(stage, text):
    """The question, when it is answered."""
    return (await stage.ask(text)).replied_to


@pytest.mark.parametrize("change", NAMES)
async def test_what_is_changed_while_the_database_is_away_is_kept_until_it_is_back(
    stage, monkeypatch, change
) -> None:
    refusing = Refusing(monkeypatch, NAMES[change], times=200)
    async with stage.bot():
        question = await _ask(stage, "the old words")
        await _change(stage, question, change)
        async with asyncio.timeout(30):
            await refusing.took.wait()
        await stage.ask("later")

    assert "the old words" not in str(stage.prompts()[-1])
    assert ("the new words" in str(stage.prompts()[-1])) == (change == "edited")


@pytest.mark.parametrize("change", NAMES)
async def test_no_mark_passes_a_change_that_is_not_stored(stage, monkeypatch, ten_minutes_later, change) -> None:
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0"):
        question = await _ask(stage, "the old words")
        refusing = Refusing(monkeypatch, NAMES[change], times=1_000_000)
        await _change(stage, question, change)
        async with asyncio.timeout(10):
            await refusing.refused.wait()
        await ten_minutes_later()
    refusing.times = 0

    async with stage.bot():
        await stage.ask("later")

    assert "the old words" not in str(stage.prompts()[-1])
    assert ("the new words" in str(stage.prompts()[-1])) == (change == "edited")


@pytest.mark.parametrize("change", NAMES)
async def test_no_mark_passes_a_change_that_is_given_up_since_too_many_wait(
    stage, monkeypatch, ten_minutes_later, change
) -> None:
    monkeypatch.setattr(intake, "MOST_KEPT", 0)
    refusing = Refusing(monkeypatch, NAMES[change], times=1)
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0"):
        await _change(stage, await _ask(stage, "the old words"), change)
        async with asyncio.timeout(10):
            await refusing.refused.wait()
        await ten_minutes_later()

    async with stage.bot():
        await stage.ask("later")

    assert "the old words" not in str(stage.prompts()[-1])
