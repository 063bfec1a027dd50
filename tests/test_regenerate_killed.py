"""The bot ends while it writes an answer anew: the old one or the new one stands, never half of each."""

import pytest

from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import open_store
from tests.model_server import Answer, Gate, ModelServer, Status
from tests.pressing import LONG, answers, labels, pressed, with_button
from tests.storage.talk import rows
from tests.whole_bot import Stage


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


async def rewriting_when_killed(stage, old="word " * 700, *, by=None):
    """An answer of two messages of which the first shows new words, when the bot dies."""
    gate = Gate()
    stage.model.script(Answer(text=old), Answer(text=LONG, gate=gate))
    program = await stage.start()
    await stage.discord.until(lambda: stage.connected)
    message = await stage.ask("Why?")
    last = await stage.discord.until(
        lambda: next((each for each in answers(stage) if labels(each) == ["Regenerate"]), None)
    )
    await pressed(stage, last, "Regenerate", by=by)
    gate.let_out(10)
    await with_button(stage, message, "Stop")
    program.kill()
    await program.communicate()
    gate.open()
    return message, last


async def test_an_answer_that_is_rewritten_when_the_bot_is_killed_is_new_in_the_end(stage) -> None:
    message, last = await rewriting_when_killed(stage)
    stage.model.script(Answer(text="Because of scattering."), Answer(text="Yes."))

    async with stage.bot():
        await stage.settled(message, "Because of scattering.")
        await stage.discord.until(lambda: last.deleted)
        await stage.ask("Really?")

    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because of scattering.", "Really?"]
    assert [each.content for each in answers(stage)] == ["Because of scattering.", "Yes."]
    assert labels(message) == ["Regenerate"]


async def test_whoever_pressed_pays_after_the_bot_was_killed_too(stage) -> None:
    stage.discord.set_member_permissions(stage.discord.guild, stage.ada, manage_messages=True)
    message, _last = await rewriting_when_killed(stage, by=stage.ada)
    stage.model.script(Answer(text="Because of scattering."))

    async with stage.bot():
        await stage.settled(message, "Because of scattering.")
        await with_button(stage, message)

    async with open_store(stage.database_url) as store:
        assert (await rows(store, "SELECT author_id FROM model_calls ORDER BY id"))[-1] == (stage.ada.id,)


async def test_an_answer_that_is_rewritten_when_the_bot_is_killed_is_the_old_one_if_no_other_comes(stage) -> None:
    message, last = await rewriting_when_killed(stage)
    stage.model.script(Status(500), Answer(text="Yes."))

    async with stage.bot(MODEL_ATTEMPTS="1"):
        await with_button(stage, last)
        await stage.discord.until(lambda: labels(message) == [])
        await stage.ask("Really?")

    assert (message.content + " " + last.content).split() == ["word"] * 700
    assert [text.split()[0] for _, text in stage.prompts()[-1]][1:] == ["Why?", "word", "Really?"]
    assert len(answers(stage)) == 2 + 1 + 1  # with the sentence that says so


async def test_an_answer_that_is_rewritten_when_the_bot_is_stopped_stays_as_it_was(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text="Because."), Answer(text=LONG, gate=gate), Answer(text="Anew."))
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0"):
        message = await stage.ask("Why?")
        await with_button(stage, message)
        await pressed(stage, message, "Regenerate")
        await stage.discord.until(lambda: len(stage.model.requests) == 2)
    gate.open()

    async with stage.bot():
        await stage.ask("Really?")

    assert message.content == "Because."
    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because.", "Really?"]
