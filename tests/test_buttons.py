"""Stop and Regenerate, below the answers of the whole bot over real sockets."""

import asyncio

import pytest

from bot.core.errors import ModelUnavailable
from bot.core.presses import GONE, NOT_LAST, NOT_THEIRS, NOT_WRITING
from bot.playground.loopback import LoopbackDiscord
from tests.model_server import Answer, Gate, ModelServer, Status
from tests.whole_bot import Stage

LONG = "The sky is blue because air scatters short waves of light far more than long ones."


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


def labels(message):
    return [button["label"] for row in message.components for button in row["components"]]


async def pressed(stage, message, label, *, by=None):
    """Press the button, and wait until Discord has an answer to that."""
    press = await stage.discord.press(message, by or stage.you, label)
    await stage.discord.until(lambda: press.acknowledged)
    return press


async def whispered(stage, press):
    """What whoever pressed was told, unseen by others."""
    told = await stage.discord.until(lambda: press.original or (press.followups and press.followups[0]))
    assert told.is_ephemeral
    return told.content


async def draft(stage, text="Why?", *, author=None):
    """An answer of which some words are shown, and the gate of the rest."""
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate), Answer(text="And now?"))
    asking = asyncio.create_task(stage.ask(text, author=author))
    gate.let_out(10)
    message = await asking
    await stage.discord.until(lambda: labels(message) == ["Stop"])
    return message, gate


async def test_what_is_there_of_a_stopped_answer_stays_and_is_history(stage, database_url) -> None:
    stage.database_url = database_url
    async with stage.bot():
        message, _gate = await draft(stage)
        shown = message.content
        await pressed(stage, message, "Stop")
        await stage.discord.until(lambda: message.content.endswith("\n-# Stopped here."))
        await stage.ask("go on")

    assert LONG.startswith(message.content.removesuffix("\n-# Stopped here."))
    assert message.content.startswith(shown[:20])
    assert labels(message) == ["Regenerate"]
    assert stage.prompts()[-1][2] == ("assistant", message.content.removesuffix("\n-# Stopped here."))


async def test_only_the_asker_and_moderators_stop_an_answer(stage) -> None:
    async with stage.bot():
        message, _gate = await draft(stage, author=stage.ada)
        by_another = stage.discord.add_user("ben")
        refusal = await whispered(stage, await pressed(stage, message, "Stop", by=by_another))
        still_written = labels(message)
        await pressed(stage, message, "Stop", by=stage.you)  # who owns the server
        await stage.discord.until(lambda: message.content.endswith("Stopped here."))

    assert refusal == NOT_THEIRS
    assert still_written == ["Stop"]


async def test_an_answer_can_be_stopped_after_a_restart(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate), Answer(text=LONG, gate=gate))
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0"):
        asking = asyncio.create_task(stage.ask("Why?"))
        gate.let_out(10)
        message = await asking
        await stage.discord.until(lambda: labels(message))
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
        await stage.discord.until(lambda: labels(message) == ["Regenerate"])
        message.components = components  # somebody's client has not heard of it yet
        await stage.ask("one more")  # so the first one stands
        refusal = await whispered(stage, await pressed(stage, message, "Stop"))

    assert refusal == NOT_WRITING
    assert message.content == LONG


async def test_the_last_answer_is_written_anew_in_its_place(stage, database_url) -> None:
    stage.database_url = database_url
    stage.model.script(
        Answer(text="Because of the sea."), Answer(text="Because of scattering."), Answer(text="Yes.")
    )
    async with stage.bot():
        message = await stage.ask("Why?")
        await stage.settled(message, "Because of the sea.")
        await pressed(stage, message, "Regenerate")
        await stage.settled(message, "Because of scattering.")
        await stage.discord.until(lambda: labels(message) == ["Regenerate"])
        await stage.ask("Really?")

    assert stage.prompts()[1] == stage.prompts()[0]
    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because of scattering.", "Really?"]
    assert len([each for each in stage.discord.messages(stage.general) if each.author.bot]) == 2


async def test_an_answer_can_be_written_anew_more_often_than_a_failed_one(stage) -> None:
    stage.model.script(*(Answer(text=f"Answer {n}.") for n in range(6)))
    async with stage.bot():
        message = await stage.ask("Why?")
        for n in range(1, 6):
            await stage.discord.until(lambda: labels(message) == ["Regenerate"])
            await pressed(stage, message, "Regenerate")
            await stage.settled(message, f"Answer {n}.")

    assert len(stage.model.requests) == 6


async def test_a_shorter_answer_takes_fewer_messages(stage) -> None:
    stage.model.script(Answer(text="word " * 700), Answer(text="Short."))
    async with stage.bot():
        first = await stage.ask("Tell me all")
        parts = await stage.discord.until(
            lambda: [m for m in stage.discord.messages(stage.general) if m.author.bot and labels(m)]
        )
        await pressed(stage, parts[0], "Regenerate")
        await stage.settled(first, "Short.")
        await stage.discord.until(lambda: parts[0].deleted)

    assert labels(first) == ["Regenerate"]


async def test_an_older_answer_is_not_written_anew(stage) -> None:
    async with stage.bot():
        older = await stage.ask("one")
        await stage.discord.until(lambda: labels(older))
        newer = await stage.ask("two")
        await stage.discord.until(lambda: labels(newer))
        refusal = await whispered(stage, await pressed(stage, older, "Regenerate"))

    assert refusal == NOT_LAST
    assert len(stage.model.requests) == 2


async def test_somebody_else_does_not_have_an_answer_written_anew(stage) -> None:
    async with stage.bot():
        message = await stage.ask("one")
        await stage.discord.until(lambda: labels(message))
        refusal = await whispered(stage, await pressed(stage, message, "Regenerate", by=stage.ada))

    assert refusal == NOT_THEIRS


async def test_an_answer_to_a_deleted_question_is_not_written_anew(stage) -> None:
    async with stage.bot():
        message = await stage.ask("one")
        await stage.discord.until(lambda: labels(message))
        await stage.ask("one more")  # so the answer to the first stands
        await stage.discord.delete(message.replied_to)
        await stage.ask("a fence")  # what comes later is handled later
        refusal = await whispered(stage, await pressed(stage, message, "Regenerate"))

    assert refusal == GONE


async def test_an_answer_that_cannot_be_written_anew_stays(stage) -> None:
    stage.model.script(Answer(text="Because."), Status(500), Answer(text="Yes."))
    async with stage.bot(MODEL_ATTEMPTS="1"):
        message = await stage.ask("Why?")
        await stage.discord.until(lambda: labels(message))
        await pressed(stage, message, "Regenerate")
        told = await stage.discord.until(
            lambda: [m for m in stage.discord.messages(stage.general) if m.author.bot and m is not message]
        )
        await stage.ask("Really?")

    assert told[0].content == f"{ModelUnavailable.user_message} My earlier answer stays."
    assert (message.content, labels(message)) == ("Because.", ["Regenerate"])
    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because.", "Really?"]


async def test_an_answer_under_way_anew_at_a_stop_is_finished_at_the_next_start(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text="Because."), Answer(text=LONG, gate=gate), Answer(text="Anew."))
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0"):
        message = await stage.ask("Why?")
        await stage.discord.until(lambda: labels(message))
        await pressed(stage, message, "Regenerate")
        await stage.discord.until(lambda: len(stage.model.requests) == 2)
    gate.open()

    async with stage.bot():
        await stage.ask("Really?")

    assert message.content == "Because."
    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because.", "Really?"]


async def test_a_regeneration_counts_as_a_question(stage) -> None:
    async with stage.bot(MESSAGES_PER_MINUTE_PER_PERSON="1"):
        message = await stage.ask("Why?")
        await stage.discord.until(lambda: labels(message))
        refusal = await whispered(stage, await pressed(stage, message, "Regenerate"))

    assert refusal == "Please give me a moment: you can ask again in 60 seconds."


async def test_whom_the_lists_leave_out_presses_in_vain(stage) -> None:
    async with stage.bot():
        message = await stage.ask("Why?")
        await stage.discord.until(lambda: labels(message))
    async with stage.bot(BLOCKED_USERS=str(stage.you.id)):
        press = await pressed(stage, message, "Regenerate")
        await whispered(stage, press)

    assert len(stage.model.requests) == 1


async def test_a_short_answer_is_one_request_button_included(stage) -> None:
    stage.model.answer("Yes.")
    async with stage.bot():
        message = await stage.ask("Is it?")
        await stage.discord.until(lambda: labels(message))

    writes = [r for r in stage.discord.requests if r.method in ("POST", "PATCH") and r.route.endswith("/messages")]
    assert len(writes) == 1


async def test_buttons_can_be_switched_off(stage) -> None:
    stage.model.answer("Yes.")
    async with stage.bot(ANSWER_BUTTONS="off"):
        message = await stage.ask("Is it?")
        await stage.settled(message, "Yes.")

    assert labels(message) == []


async def test_a_button_that_is_none_of_ours_does_nothing(stage) -> None:
    async with stage.bot():
        message = await stage.ask("Why?")
        await stage.discord.until(lambda: labels(message))
        message.components[0]["components"][0]["custom_id"] = "again:1; DROP TABLE turns"
        told = await whispered(stage, await pressed(stage, message, "Regenerate"))

    assert told == "That button does nothing any more."
