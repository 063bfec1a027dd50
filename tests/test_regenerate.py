"""Regenerate, below the answers of the whole bot, over real sockets."""

import asyncio
import io

import pytest

from bot.core.errors import ModelUnavailable, TextRefused
from bot.core.presses import NOT_LAST, NOT_THEIRS, QUESTION_DELETED, UNDER_WAY
from bot.discord.buttons import stop_button
from bot.discord.pressing import UNKNOWN
from bot.playground.lines import AGAIN, STOP
from bot.playground.loopback import LoopbackDiscord
from bot.playground.play import play
from tests.model_server import Answer, Gate, ModelServer, Status
from tests.pressing import LONG, answers, labels, pressed, whispered, with_button
from tests.whole_bot import Stage


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


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
        await with_button(stage, message)
        await stage.ask("Really?")

    assert stage.prompts()[1] == stage.prompts()[0]
    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because of scattering.", "Really?"]
    assert len([each for each in stage.discord.messages(stage.general) if each.author.bot]) == 2


async def test_an_answer_can_be_written_anew_more_often_than_a_failed_one(stage) -> None:
    stage.model.script(*(Answer(text=f"Answer {n}.") for n in range(6)))
    async with stage.bot():
        message = await stage.ask("Why?")
        for n in range(1, 6):
            await with_button(stage, message)
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
        await with_button(stage, older)
        newer = await stage.ask("two")
        await with_button(stage, newer)
        refusal = await whispered(stage, await pressed(stage, older, "Regenerate"))

    assert refusal == NOT_LAST
    assert len(stage.model.requests) == 2


async def test_somebody_else_does_not_have_an_answer_written_anew(stage) -> None:
    async with stage.bot():
        message = await stage.ask("one")
        await with_button(stage, message)
        refusal = await whispered(stage, await pressed(stage, message, "Regenerate", by=stage.ada))

    assert refusal == NOT_THEIRS


async def test_an_answer_to_a_deleted_question_is_not_written_anew(stage) -> None:
    async with stage.bot():
        message = await stage.ask("one")
        await with_button(stage, message)
        await stage.ask("one more")  # so the answer to the first stands
        await stage.discord.delete(message.replied_to)
        await stage.ask("a fence")  # what comes later is handled later
        refusal = await whispered(stage, await pressed(stage, message, "Regenerate"))

    assert refusal == QUESTION_DELETED


async def test_an_answer_that_cannot_be_written_anew_stays(stage) -> None:
    stage.model.script(Answer(text="Because."), Status(500), Answer(text="Yes."))
    async with stage.bot(MODEL_ATTEMPTS="1"):
        message = await stage.ask("Why?")
        await with_button(stage, message)
        await pressed(stage, message, "Regenerate")
        told = await stage.discord.until(
            lambda: [m for m in stage.discord.messages(stage.general) if m.author.bot and m is not message]
        )
        await stage.ask("Really?")

    assert told[0].content == f"{ModelUnavailable.user_message} My earlier answer stays."
    assert (message.content, labels(message)) == ("Because.", ["Regenerate"])
    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because.", "Really?"]


@pytest.mark.parametrize("new", ["Darn.", f"{'Long, and darn. ' * 200}"], ids=["short", "of two parts"])
async def test_an_answer_that_filters_refuse_leaves_the_one_that_it_was_to_replace(stage, new) -> None:
    stage.model.script(Answer(text="Because."), Answer(text=new), Answer(text="Yes."))
    stage.discord.faults.add(
        "*",
        r"/messages",
        status=400,
        code=200000,
        times=99,
        matches=lambda request: "arn" in str(request.body or ""),
    )
    async with stage.bot():
        message = await stage.ask("Why?")
        await with_button(stage, message)
        await pressed(stage, message, "Regenerate")
        told = await stage.discord.until(
            lambda: [m for m in stage.discord.messages(stage.general) if m.author.bot and m is not message]
        )
        await with_button(stage, message)
        await stage.ask("Really?")

    assert told[0].content == f"{TextRefused.user_message} My earlier answer stays."
    assert (message.content, labels(message)) == ("Because.", ["Regenerate"])
    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because.", "Really?"]


async def test_a_regeneration_counts_as_a_question(stage) -> None:
    stage.model.script(Answer(text="Because."), Answer(text="Because of scattering."))
    async with stage.bot(MESSAGES_PER_MINUTE_PER_PERSON="2"):
        message = await stage.ask("Why?")
        await with_button(stage, message)
        await pressed(stage, message, "Regenerate")
        await stage.settled(message, "Because of scattering.")
        await with_button(stage, message)
        refusal = await whispered(stage, await pressed(stage, message, "Regenerate"))

    assert refusal.startswith("Please give me a moment: you can ask again in ")


async def test_whom_the_lists_leave_out_presses_in_vain(stage) -> None:
    async with stage.bot():
        message = await stage.ask("Why?")
        await with_button(stage, message)
    async with stage.bot(BLOCKED_USERS=str(stage.you.id)):
        press = await pressed(stage, message, "Regenerate")
        await whispered(stage, press)

    assert len(stage.model.requests) == 1


async def test_a_short_answer_is_one_request_button_included(stage) -> None:
    stage.model.answer("Yes.")
    async with stage.bot():
        message = await stage.ask("Is it?")
        await with_button(stage, message)

    writes = [r for r in stage.discord.requests if r.method in ("POST", "PATCH") and r.route.endswith("/messages")]
    assert len(writes) == 1


async def test_buttons_can_be_switched_off(stage) -> None:
    stage.model.answer("Yes.")
    async with stage.bot(ANSWER_BUTTONS="off"):
        message = await stage.ask("Is it?")
        await stage.settled(message, "Yes.")

    assert labels(message) == []


async def test_the_answer_to_a_command_is_written_anew_when_its_token_is_no_good_any_more(stage) -> None:
    stage.model.script(Answer(text="Because of the sea."), Answer(text="Because of scattering."))
    async with stage.bot():
        called = await stage.chat("Why?")
        message = await stage.discord.until(lambda: called.original)
        await with_button(stage, message)
        stage.discord.faults.add("*", f"/webhooks/.*{called.token}", status=401, code=50027)
        await pressed(stage, message, "Regenerate")
        await stage.settled(message, "> Why?\nBecause of scattering.")
        await with_button(stage, message)

    assert answers(stage) == [message]


async def test_an_answer_that_the_bot_could_not_come_back_to_has_no_button(stage) -> None:
    hidden = stage.discord.add_channel(stage.discord.guild, "hidden")
    stage.discord.set_permissions(hidden, view_channel=False)
    async with stage.bot():
        called = await stage.chat("Why?", channel=hidden)
        message = await stage.discord.until(lambda: called.original)
        await stage.settled(message, "> Why?\nAll good, how may I help you?")
        in_sight = await stage.chat("Why?")
        await with_button(stage, await stage.discord.until(lambda: in_sight.original))

    assert labels(message) == []


async def test_each_failure_to_rewrite_an_answer_is_told(stage) -> None:
    stage.model.script(Answer(text="Because."), Status(500), Status(500))
    async with stage.bot(MODEL_ATTEMPTS="1"):
        message = await stage.ask("Why?")
        for told in (1, 2):
            await with_button(stage, message)
            await pressed(stage, message, "Regenerate")
            await stage.discord.until(lambda told=told: len(answers(stage)) == 1 + told)

    assert message.content == "Because."


async def test_an_answer_that_is_being_rewritten_is_not_rewritten_twice(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text="Because."), Answer(text=LONG, gate=gate))
    async with stage.bot():
        message = await stage.ask("Why?")
        await with_button(stage, message)
        await pressed(stage, message, "Regenerate")
        await stage.discord.until(lambda: len(stage.model.requests) == 2)
        refusal = await whispered(stage, await pressed(stage, message, "Regenerate"))
        gate.open()
        await stage.settled(message, LONG)

    assert refusal == UNDER_WAY
    assert len(stage.model.requests) == 2


async def test_a_press_in_vain_counts_as_no_question(stage) -> None:
    async with stage.bot(MESSAGES_PER_MINUTE_PER_CHANNEL="2"):
        message = await stage.ask("Why?")
        await with_button(stage, message)
        for _ in range(3):
            await whispered(stage, await pressed(stage, message, "Regenerate", by=stage.ada))
        await pressed(stage, message, "Regenerate")
        await stage.discord.until(lambda: len(stage.model.requests) == 2)

    assert len(answers(stage)) == 1


async def test_a_button_that_is_still_there_does_nothing_once_they_are_switched_off(stage) -> None:
    async with stage.bot():
        message = await stage.ask("Why?")
        await with_button(stage, message)
    async with stage.bot(ANSWER_BUTTONS="off"):
        told = await whispered(stage, await pressed(stage, message, "Regenerate"))

    assert told == UNKNOWN
    assert len(stage.model.requests) == 1


async def test_the_playground_presses_the_very_button(stage, tmp_path) -> None:
    stage.model.script(Answer(text="Because of the sea."), Answer(text="Because of scattering."))
    printed = io.StringIO()

    async def answered(_):
        await stage.discord.until(lambda: answers(stage) and labels(answers(stage)[0]) == [AGAIN])
        return True

    async with stage.bot():
        status = await play(
            loopback=stage.discord,
            downloads=tmp_path,
            say=["Why?", "/again"],
            model_sentence="",
            answered=answered,
            recall=None,
            stop=asyncio.Event(),
            out=printed,
        )

    assert status == 0
    assert printed.getvalue().endswith("you (pressed [Regenerate])\nconfab: Because of scattering.\n")
    assert stop_button(1).label == STOP
