"""Stop, below an answer that the whole bot is writing, over real sockets."""

import asyncio
import sqlite3

import pytest

from bot.core.presses import NOT_THEIRS, NOT_WRITING
from bot.discord.pressing import UNKNOWN
from bot.playground.loopback import LoopbackDiscord
from tests.model_server import Answer, Gate, ModelServer
from tests.pressing import LONG, draft, labels, pressed, whispered, with_button
from tests.whole_bot import Stage

STOPPED = "\n-# Stopped here."


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


async def stopped(stage, message, **how):
    await pressed(stage, message, "Stop", **how)
    await stage.discord.until(lambda: message.content.endswith(STOPPED))


async def test_what_is_there_of_a_stopped_answer_stays_and_is_history(stage, database_url) -> None:
    stage.database_url = database_url
    async with stage.bot():
        message, _gate = await draft(stage)
        shown = message.content
        await stopped(stage, message)
        await stage.ask("go on")

    kept = message.content.removesuffix(STOPPED)
    assert LONG.startswith(kept)
    assert kept.startswith(shown)
    assert labels(message) == ["Regenerate"]
    assert stage.prompts()[-1][2] == ("assistant", kept)


async def test_a_stopped_answer_is_paid_for_no_longer_and_its_call_is_recorded(stage) -> None:
    async with stage.bot():
        message, _gate = await draft(stage)
        await stopped(stage, message)
        async with asyncio.timeout(10):
            await stage.model.hung_up()
    stored = sqlite3.connect(stage.database_url.removeprefix("sqlite:///"))

    assert stored.execute("SELECT outcome, attempt FROM model_calls").fetchall() == [("stopped", 1)]
    assert stored.execute("SELECT outcome FROM turns WHERE kind = 'answer'").fetchall() == [("stopped",)]
    stored.close()


async def test_an_answer_to_a_command_can_be_stopped(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate))
    async with stage.bot():
        called = await stage.chat("Why?")
        gate.let_out(10)
        message = await stage.discord.until(lambda: called.original)
        await with_button(stage, message, "Stop")
        await stopped(stage, message)

    assert message.content.startswith("> Why?\nThe sky is blue")


async def test_only_the_asker_and_moderators_stop_an_answer(stage) -> None:
    moderator = stage.discord.add_user("ben")
    stage.discord.set_member_permissions(stage.discord.guild, moderator, manage_messages=True)
    async with stage.bot():
        message, _gate = await draft(stage, author=stage.ada)
        refusal = await whispered(
            stage, await pressed(stage, message, "Stop", by=stage.discord.add_user("stranger"))
        )
        still_written = labels(message)
        await stopped(stage, message, by=moderator)

    assert refusal == NOT_THEIRS
    assert still_written == ["Stop"]


async def test_an_answer_that_is_being_written_again_after_a_kill_can_be_stopped(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate), Answer(text=LONG, gate=gate))
    program = await stage.start()
    await stage.discord.until(lambda: stage.connected)
    asking = asyncio.create_task(stage.ask("Why?"))
    gate.let_out(10)
    message = await asking
    await with_button(stage, message, "Stop")
    program.kill()
    await program.communicate()

    async with stage.bot():
        gate.let_out(12)
        await stage.discord.until(lambda: len(message.versions) > 1)
        await stopped(stage, message)

    assert LONG.startswith(message.content.removesuffix(STOPPED))


async def test_a_button_that_a_stop_of_the_bot_left_says_so(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate))
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0"):
        asking = asyncio.create_task(stage.ask("Why?"))
        gate.let_out(10)
        message = await asking
        await with_button(stage, message, "Stop")
        components = list(message.components)
    assert message.content.endswith("continue.")  # closed with a sentence, and no longer to be stopped
    message.components = components

    async with stage.bot():
        refusal = await whispered(stage, await pressed(stage, message, "Stop"))

    assert refusal == NOT_WRITING


async def test_an_answer_that_is_finished_is_not_stopped_any_more(stage) -> None:
    async with stage.bot():
        message, gate = await draft(stage)
        components = list(message.components)
        gate.open()
        await stage.settled(message, LONG)
        await with_button(stage, message)
        message.components = components  # somebody's client has not heard of it yet
        await stage.ask("one more")  # so the first one stands
        refusal = await whispered(stage, await pressed(stage, message, "Stop"))

    assert refusal == NOT_WRITING
    assert message.content == LONG


async def test_a_button_that_is_none_of_ours_does_nothing(stage) -> None:
    async with stage.bot():
        message = await stage.ask("Why?")
        await with_button(stage, message)
        message.components[0]["components"][0]["custom_id"] = "again:1; DROP TABLE turns"
        told = await whispered(stage, await pressed(stage, message, "Regenerate"))

    assert told == UNKNOWN
