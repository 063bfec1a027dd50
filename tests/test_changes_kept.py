"""Edits and deletions that the database does not take: none is forgotten, however long it takes."""

import asyncio

import pytest

from bot.core import changes
from bot.core.errors import DatabaseUnavailable
from bot.discord.missed_ranges import MissedRanges
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore
from tests.clock import LeapingClock
from tests.model_server import Answer, Gate, ModelServer
from tests.refusing import NAMES, Refusing
from tests.whole_bot import Stage, noting_what_stands


@pytest.fixture
async def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(changes, "SECONDS_BETWEEN_TRIES", 0.001)
    clock = LeapingClock()
    async with LoopbackDiscord(clock=clock, rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", clock=clock)


@pytest.fixture
def untried_for_an_hour(stage, monkeypatch):
    """Kept changes do not come by themselves."""
    monkeypatch.setattr(changes, "SECONDS_BETWEEN_TRIES", 3600.0)
    return stage


@pytest.fixture
def ten_minutes_later(stage, monkeypatch):
    """Let time pass until marks are written that know of it."""
    written, write = asyncio.Semaphore(0), SqlTurnStore.write_marks
    caught_up = asyncio.Event()  # no marks are written before

    async def write_and_tell(store, marks):
        await write(store, marks)
        written.release()

    async def pass_time():
        async with asyncio.timeout(10):
            await caught_up.wait()
        while not written.locked():
            await written.acquire()
        for _ in range(2):  # the first may have been under way
            stage.clock.leap(300.0)
            async with asyncio.timeout(10):
                await written.acquire()

    monkeypatch.setattr(SqlTurnStore, "write_marks", write_and_tell)
    monkeypatch.setattr(MissedRanges, "tell", lambda _ranges: caught_up.set())
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
    monkeypatch.setattr(changes, "MOST_KEPT", 0)
    refusing = Refusing(monkeypatch, NAMES[change], times=1)
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0"):
        await _change(stage, await _ask(stage, "the old words"), change)
        async with asyncio.timeout(10):
            await refusing.refused.wait()
        await ten_minutes_later()

    async with stage.bot():
        await stage.ask("later")

    assert "the old words" not in str(stage.prompts()[-1])


@pytest.mark.parametrize("change", NAMES)
async def test_what_was_changed_while_it_waited_is_not_asked_as_it_was(
    untried_for_an_hour, monkeypatch, change
) -> None:
    stage = untried_for_an_hour
    first_gate, stored = Gate(), asyncio.Semaphore(0)
    receive = SqlTurnStore.receive

    async def receive_and_tell(store, *args, **how):
        received = await receive(store, *args, **how)
        stored.release()
        return received

    monkeypatch.setattr(SqlTurnStore, "receive", receive_and_tell)
    async with stage.bot(), asyncio.timeout(30):
        stage.model.script(Answer(text="The first answer.", gate=first_gate))
        await stage.discord.post(stage.general, stage.you, "first")
        waiting = await stage.discord.post(stage.general, stage.ada, "the old words")
        for _ in range(2):
            await stored.acquire()
        refusing = Refusing(monkeypatch, NAMES[change], times=2)
        await _change(stage, waiting, change)
        await refusing.spent.wait()
        first_gate.open()
        await stage.ask("later")

    assert "the old words" not in str(stage.prompts())
    assert ("the new words" in str(stage.prompts())) == (change == "edited")


@pytest.mark.parametrize("change", NAMES)
async def test_what_is_asked_once_the_database_is_back_comes_after_what_was_changed_before(
    untried_for_an_hour, monkeypatch, change
) -> None:
    stage, stood = untried_for_an_hour, noting_what_stands(monkeypatch)
    async with stage.bot(), asyncio.timeout(30):
        question = await _ask(stage, "the old words")
        await stood.acquire()
        refusing = Refusing(monkeypatch, NAMES[change], times=2)
        await _change(stage, question, change)
        await refusing.spent.wait()
        await stage.ask("later")

    assert "the old words" not in str(stage.prompts()[-1])
    assert ("the new words" in str(stage.prompts()[-1])) == (change == "edited")


@pytest.mark.parametrize("change", NAMES)
async def test_one_change_that_is_never_stored_keeps_nobody_else_from_answers_nor_does_a_restart(
    untried_for_an_hour, monkeypatch, change
) -> None:
    stage, bot = untried_for_an_hour, untried_for_an_hour.discord.bot_user
    async with stage.bot():
        question = await _ask(stage, "the old words")
        refusing = Refusing(monkeypatch, NAMES[change], times=1_000_000)
        await _change(stage, question, change)
        async with asyncio.timeout(10):
            await refusing.refused.wait()
        while refusing.times > 1_000_000 - 2:  # as told, and again at once
            await asyncio.sleep(0)
        elsewhere = await stage.ask(f"{bot.mention} elsewhere", author=stage.ada, channel=stage.random)
    monkeypatch.setattr(changes, "SECONDS_BETWEEN_TRIES", 0.001)
    async with stage.bot():
        later = await stage.ask(f"{bot.mention} later", author=stage.ada, channel=stage.random)

    assert "memory" not in elsewhere.content + later.content


async def test_an_edit_that_was_stored_while_nobody_knew_is_asked_anew(stage, monkeypatch) -> None:
    edit, gate, unsure = SqlTurnStore.edit, Gate(), [True]

    async def commit_and_fail(store, *args, **how):
        answers = await edit(store, *args, **how)
        if unsure:
            unsure.clear()
            raise DatabaseUnavailable("the connection was lost in COMMIT")
        return answers

    monkeypatch.setattr(SqlTurnStore, "edit", commit_and_fail)
    async with stage.bot():
        stage.model.script(Answer(text="To the old words.", gate=gate))
        question = await stage.discord.post(stage.general, stage.you, "the old words")
        await stage.model.received(1)
        await stage.discord.edit(question, "the new words")
        await stage.model.received(2)
        gate.open()
        await stage.discord.until(lambda: stage.reply_to(question))

    assert "the new words" in str(stage.prompts()[-1])


async def test_no_prompt_holds_what_a_deleted_channel_was_quoted_with_before_an_outage_ended(
    untried_for_an_hour, monkeypatch
) -> None:
    stage = untried_for_an_hour
    async with stage.bot():
        room = stage.discord.add_channel(stage.discord.guild, "room")
        said = await stage.discord.post(room, stage.ada, "the old words")
        await _ask(stage, f"what of https://discord.com/channels/{stage.discord.guild.id}/{room.id}/{said.id} ?")
        refusing = Refusing(monkeypatch, "erase_channel", times=2)
        await stage.discord.delete_channel(room)
        async with asyncio.timeout(10):
            await refusing.spent.wait()
        await _ask(stage, "later")

    before, after = stage.prompts()
    assert "the old words" in str(before)
    assert "the old words" not in str(after)
