"""An edit or deletion that the database alone never takes: where its message is, nothing is read until it does.

It is tried again by itself, and once more at the stop.
"""

import asyncio

import pytest

from bot.core import changes, conversation_queue, waiting_notices
from bot.core.changes import SECONDS_ASIDE
from bot.core.errors import SetAside
from bot.core.handled import EVERYWHERE
from bot.core.presses import SET_ASIDE
from bot.discord import catch_up
from bot.discord.commands import export
from bot.discord.recalled import NOTHING
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore
from tests.clock import LeapingClock
from tests.model_server import Answer, Gate, ModelServer
from tests.pressing import pressed, whispered, with_button
from tests.refusing import NAMES, Refusing
from tests.whole_bot import Watched, noting_what_stands

TOLD = SetAside.user_message


@pytest.fixture
async def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(changes, "SECONDS_BETWEEN_TRIES", 3600.0)
    monkeypatch.setattr(conversation_queue, "LONGEST_PAUSE", 0.01)
    stood, clock = noting_what_stands(monkeypatch), LeapingClock()
    async with LoopbackDiscord(clock=clock, rate_limits=False) as discord, ModelServer() as model:
        url = f"sqlite:///{tmp_path}/bot.db"
        yield Watched(discord=discord, model=model, database_url=url, clock=clock, stood=stood)


async def set_aside(stage, monkeypatch, change):
    """A question was answered, and what was told of it since is set aside."""
    answer = await stage.ask("the old words")
    await stage.stood.acquire()
    return await told_in_vain(stage, monkeypatch, change, answer.replied_to)


async def told_in_vain(stage, monkeypatch, change, message):
    """What the database refuses, while it takes what is asked elsewhere."""
    refusing = Refusing(monkeypatch, NAMES[change], times=1_000_000)
    if change == "deleted":
        await stage.discord.delete(message)
    else:
        await stage.discord.edit(message, "the new words")
    async with asyncio.timeout(10):
        while refusing.times > 1_000_000 - 2:  # as told, and again at once
            await asyncio.sleep(0)
    elsewhere = await stage.ask(f"{stage.discord.bot_user.mention} elsewhere", channel=stage.random)
    await stage.stood.acquire()
    assert elsewhere.content != TOLD
    return refusing


async def taken_at_last(stage, refusing):
    """The database takes it from now on, and is asked again."""
    refusing.times = 0
    stage.clock.leap(SECONDS_ASIDE)
    async with asyncio.timeout(20):
        await refusing.took.wait()


@pytest.mark.parametrize("change", NAMES)
async def test_whoever_asks_there_is_told_so_and_answered_once_the_database_takes_it(
    stage, monkeypatch, change
) -> None:
    async with stage.bot():
        refusing = await set_aside(stage, monkeypatch, change)
        told = await stage.ask("later")
        assert (told.content, len(stage.prompts())) == (TOLD, 2)

        refusing.times = 0
        stage.clock.leap(SECONDS_ASIDE)
        async with asyncio.timeout(20):
            await stage.model.received(3)

    assert "the old words" not in str(stage.prompts()[-1])
    assert ("the new words" in str(stage.prompts()[-1])) == (change == "edited")


async def test_a_conversation_that_began_anew_goes_on_at_once(stage, monkeypatch) -> None:
    async with stage.bot():
        await set_aside(stage, monkeypatch, "deleted")
        reset = await stage.discord.slash(stage.general, stage.you, "reset")
        await stage.discord.until(lambda: reset.original)
        answer = await stage.ask("later")

    assert answer.content != TOLD
    assert "the old words" not in str(stage.prompts()[-1])


@pytest.mark.parametrize(
    ("look", "options", "nothing"),
    [
        ("recall", {"query": "old"}, NOTHING),
        ("history", {}, None),
        ("export", {}, export.NO_CONVERSATION),
        ("export", {"what": "my-data"}, None),
    ],
)
async def test_it_is_not_shown_there_before_the_database_takes_it(
    stage, monkeypatch, look, options, nothing
) -> None:
    async with stage.bot():
        refusing = await set_aside(stage, monkeypatch, "deleted")
        told = (await stage.called(look, **options)).content
        await taken_at_last(stage, refusing)
        afterwards = (await stage.called(look, **options)).content

    assert told == TOLD
    assert afterwards != TOLD
    assert nothing in (None, afterwards)


async def test_it_is_not_quoted_elsewhere_either(stage, monkeypatch) -> None:
    mention = stage.discord.bot_user.mention
    async with stage.bot():
        said = await stage.discord.post(stage.random, stage.ada, "the old words")
        await stage.ask(f"{mention} what is this?", channel=stage.random, reply_to=said)
        await stage.stood.acquire()
        refusing = Refusing(monkeypatch, "erase_messages", times=1_000_000)
        await stage.discord.delete(said)
        async with asyncio.timeout(10):
            while refusing.times > 1_000_000 - 2:
                await asyncio.sleep(0)
        elsewhere = await stage.ask("elsewhere")
        told = await stage.ask(f"{mention} later", channel=stage.random)

    assert elsewhere.content != TOLD
    assert told.content == TOLD


@pytest.mark.parametrize("change", NAMES)
async def test_the_database_is_asked_again_though_nobody_else_asks(stage, monkeypatch, change) -> None:
    async with stage.bot():
        refusing = await set_aside(stage, monkeypatch, change)
        await taken_at_last(stage, refusing)


@pytest.fixture
def marks(monkeypatch):
    """Those that were written."""
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.01)
    marks, write = [], SqlTurnStore.write_marks

    async def note(store, new_marks):
        await write(store, new_marks)
        marks.append(new_marks[EVERYWHERE])

    monkeypatch.setattr(SqlTurnStore, "write_marks", note)
    return marks


async def an_hour_later(stage, running, marks):
    """The mark that is written then."""
    before = stage.clock.now()
    stage.clock.leap(3600.0)
    async with asyncio.timeout(10):
        while running.client.hearing.told_until() <= before:
            stage.discord.faults.ask_for_heartbeats()
            await asyncio.sleep(0.01)
        written = len(marks)
        while len(marks) < written + 2:  # the first may have been under way
            await asyncio.sleep(0)
    return marks[-1]


@pytest.mark.parametrize("change", NAMES)
async def test_the_database_is_asked_once_more_at_the_stop(stage, monkeypatch, change, marks) -> None:
    async with stage.bot() as running:
        answer = await stage.ask("the old words")
        await stage.stood.acquire()
        mark = await an_hour_later(stage, running, marks)
        refusing = await told_in_vain(stage, monkeypatch, change, answer.replied_to)
        refusing.times = 0
    async with stage.bot():
        later = await stage.ask("later")

    assert mark > answer.replied_to.created_at  # so that it is not compared
    assert later.content != TOLD
    assert "the old words" not in str(stage.prompts()[-1])
    assert ("the new words" in str(stage.prompts()[-1])) == (change == "edited")


async def test_the_mark_goes_on_once_the_database_takes_it_and_not_before(stage, monkeypatch, marks) -> None:
    async with stage.bot() as running, asyncio.timeout(30):
        refusing = await set_aside(stage, monkeypatch, "edited")
        since = stage.clock.now()
        before = await an_hour_later(stage, running, marks)
        await taken_at_last(stage, refusing)
        while marks[-1] <= since:
            await asyncio.sleep(0)

    assert before < since


async def test_the_notice_of_a_question_that_was_deleted_goes_when_the_database_takes_that(
    stage, monkeypatch
) -> None:
    monkeypatch.setattr(waiting_notices, "SECONDS_BEFORE_NOTICE", 0.05)
    gate = Gate()
    async with stage.bot(), asyncio.timeout(30):
        stage.model.script(Answer(text="A long answer.", gate=gate))
        await stage.discord.post(stage.general, stage.you, "first")
        await stage.model.received(1)
        notice = await stage.ask("second", author=stage.ada)
        refusing = await told_in_vain(stage, monkeypatch, "deleted", notice.replied_to)
        refusing.times = 0
        stage.clock.leap(SECONDS_ASIDE)
        await stage.discord.until(lambda: notice.deleted)
        gate.open()


async def channel_set_aside(stage, monkeypatch):
    """What was said in a channel was quoted in another, and that it is deleted is set aside."""
    room = stage.discord.add_channel(stage.discord.guild, "room")
    said = await stage.discord.post(room, stage.ada, "the old words")
    await stage.ask(f"what of https://discord.com/channels/{stage.discord.guild.id}/{room.id}/{said.id} ?")
    await stage.stood.acquire()
    assert "the old words" in str(stage.prompts())
    refusing = Refusing(monkeypatch, "erase_channel", times=1_000_000)
    await stage.discord.delete_channel(room)
    async with asyncio.timeout(10):
        while refusing.times > 1_000_000 - 2:  # as told, and again at once
            await asyncio.sleep(0)
    elsewhere = await stage.ask(f"{stage.discord.bot_user.mention} elsewhere", channel=stage.random)
    await stage.stood.acquire()
    assert elsewhere.content != TOLD
    return refusing


async def test_of_a_deleted_channel_nothing_is_read_where_it_is_quoted_either(stage, monkeypatch) -> None:
    async with stage.bot():
        refusing = await channel_set_aside(stage, monkeypatch)
        told = await stage.ask("later")
        assert (told.content, len(stage.prompts())) == (TOLD, 2)

        refusing.times = 0
        stage.clock.leap(SECONDS_ASIDE)
        async with asyncio.timeout(20):
            await stage.model.received(3)

    assert "the old words" not in str(stage.prompts()[-1])


@pytest.mark.parametrize(("look", "options"), [("recall", {"query": "old"}), ("history", {}), ("export", {})])
async def test_what_is_quoted_of_a_deleted_channel_is_not_shown_either(stage, monkeypatch, look, options) -> None:
    async with stage.bot():
        refusing = await channel_set_aside(stage, monkeypatch)
        told = (await stage.called(look, **options)).content
        await taken_at_last(stage, refusing)
        afterwards = (await stage.called(look, **options)).content

    assert told == TOLD
    assert afterwards != TOLD
    assert "the old words" not in afterwards


async def test_what_somebody_said_on_a_server_that_was_left_is_not_shown_to_them_either(
    stage, monkeypatch, caplog
) -> None:
    async with stage.bot():
        await stage.ask("the old words")
        await stage.stood.acquire()
        refusing = Refusing(monkeypatch, "erase_guild", times=1_000_000)
        await stage.discord.remove_guild(stage.discord.guild)
        async with asyncio.timeout(10):
            while refusing.times > 1_000_000 - 2:
                await asyncio.sleep(0)
        await stage.ask("elsewhere", channel=stage.discord.open_dm(stage.ada), author=stage.ada)
        mine = {"channel": stage.discord.open_dm(stage.you), "what": "my-data"}
        told = (await stage.called("export", **mine)).content
        await taken_at_last(stage, refusing)
        afterwards = (await stage.called("export", **mine)).content

    assert told == TOLD
    assert afterwards != TOLD
    assert f"is not stored, and set aside: id={stage.discord.guild.id}" in caplog.text


async def test_whoever_presses_regenerate_there_is_told_so_and_the_answer_stays(stage, monkeypatch) -> None:
    async with stage.bot():
        first = await stage.ask("the old words")
        await stage.stood.acquire()
        last = await stage.ask("and?")
        await stage.stood.acquire()
        await with_button(stage, last)
        refusing = await told_in_vain(stage, monkeypatch, "edited", first.replied_to)
        told = [await whispered(stage, await pressed(stage, last, "Regenerate")) for _ in range(2)]
        asked = len(stage.model.requests)

        await taken_at_last(stage, refusing)
        stage.model.script(Answer(text="Written anew."))
        await pressed(stage, last, "Regenerate")
        await stage.settled(last, "Written anew.")

    assert told == [SET_ASIDE] * 2
    assert len(stage.model.requests) == asked + 1
    assert "the old words" not in str(stage.prompts()[-1])
