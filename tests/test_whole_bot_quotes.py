"""What a question brings along, as people live through it."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from bot.discord.links import NOT_READABLE
from bot.playground.loopback import LoopbackDiscord
from tests.model_server import Answer, Gate, ModelServer, Silence
from tests.openapi import validate_record
from tests.pressing import LONG, draft, pressed
from tests.whole_bot import Stage


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


async def test_a_reply_with_a_mention_brings_along_what_nobody_asked_the_bot(stage) -> None:
    async with stage.bot():
        remark = await stage.discord.post(stage.random, stage.ada, "Cats can fly.")
        await stage.ask(f"{stage.discord.bot_user.mention} is that so?", channel=stage.random, reply_to=remark)
        await stage.ask(f"{stage.discord.bot_user.mention} sure?", channel=stage.random, reply_to=remark)

    assert stage.prompts()[0][1:] == [("user", "Ada: Cats can fly."), ("user", "You: is that so?")]
    assert [text for role, text in stage.prompts()[1] if role == "user"][-2:] == [
        "Ada: Cats can fly.",
        "You: sure?",
    ]


async def test_a_reply_to_what_was_just_said_brings_nothing_twice(stage) -> None:
    async with stage.bot():
        answer = await stage.ask("How is it going?")
        await stage.ask("Why?", reply_to=answer)

    asked = [text for role, text in stage.prompts()[-1] if role == "user"]
    assert asked == ["How is it going?", "Why?"]


def link_to(message) -> str:
    return f"https://discord.com/channels/{message.channel.guild.id}/{message.channel.id}/{message.id}"


async def test_a_linked_message_is_read_and_its_deletion_heeded(stage) -> None:
    remark = await stage.discord.post(stage.random, stage.ada, "Cats can fly.")
    async with stage.bot():
        await stage.ask(f"Is that so? {link_to(remark)}")
        await stage.discord.edit(remark, "Cats can swim.")
        await stage.ask("And now?")
        await stage.discord.delete(remark)
        await stage.ask("And then?")

    first, second, third = stage.prompts()
    assert first[1:] == [("user", "Ada: Cats can fly."), ("user", f"You: Is that so? {link_to(remark)}")]
    assert second[1] == ("user", "Ada: Cats can swim.")
    assert "Cats" not in str(third)
    validate_record(stage.discord.requests)


async def test_what_is_said_in_a_channel_that_the_asker_may_not_read_reaches_no_prompt_elsewhere(stage) -> None:
    canary = await stage.discord.post(stage.random, stage.you, "canary")
    stage.discord.overwrite(stage.random, stage.ada, view_channel=False)
    async with stage.bot():
        answer = await stage.ask(f"What is this? {link_to(canary)}", author=stage.ada)
        await stage.discord.until(lambda: answer.content.endswith(NOT_READABLE))
        await stage.discord.edit(canary, "canary, edited")
        await stage.ask("And now?", author=stage.ada)

    assert len(stage.prompts()) == 2
    assert "canary" not in str(stage.prompts())


async def test_a_question_is_stored_before_its_links_are_read(stage) -> None:
    remark = await stage.discord.post(stage.random, stage.ada, "Cats can fly.")
    slow = stage.discord.faults.add("GET", f"/messages/{remark.id}", what="hang")
    async with stage.bot():
        asked = await stage.discord.post(stage.general, stage.you, f"Is that so? {link_to(remark)}")
        await stage.discord.until(lambda: stage.discord.requests[-1].fault == "hang")
        stored = sqlite3.connect(f"file:{stage.database_url.removeprefix('sqlite:///')}?mode=ro", uri=True)
        states = stored.execute("SELECT state FROM turns WHERE message_id = ?", [asked.id]).fetchall()
        stored.close()
        assert states == [("answering",)]
        slow.release()
        await stage.discord.until(lambda: stage.reply_to(asked))

    assert stage.prompts()[0][1] == ("user", "Ada: Cats can fly.")


async def test_a_linked_message_is_read_in_the_wording_that_it_has_when_its_question_is_taken_up(stage) -> None:
    remark = await stage.discord.post(stage.random, stage.ada, "Cats can fly.")
    gate = Gate()
    stage.model.answer("One after the other.", gate=gate)
    async with stage.bot():
        await stage.discord.post(stage.general, stage.you, "First this")
        await stage.discord.until(lambda: stage.model.requests)
        asked = await stage.discord.post(stage.general, stage.you, f"Is that so? {link_to(remark)}")
        await stage.discord.edit(remark, "Cats can swim.")
        heard = await stage.discord.post(stage.random, stage.ada, f"{stage.discord.bot_user.mention} heard?")
        await stage.discord.until(lambda: len(stage.model.requests) == 2)  # so the edit has been, too
        gate.open()
        await stage.discord.until(lambda: stage.reply_to(asked) and stage.reply_to(heard))

    assert ("user", "Ada: Cats can swim.") in stage.prompts()[-1]


async def test_links_of_an_earlier_run_are_read_by_the_next_one(stage) -> None:
    remark = await stage.discord.post(stage.random, stage.ada, "Cats can fly.")
    slow = stage.discord.faults.add("GET", f"/messages/{remark.id}", what="hang")
    program = await stage.start()
    await stage.discord.until(lambda: stage.connected)
    asked = await stage.discord.post(stage.general, stage.you, f"Is that so? {link_to(remark)}")
    await stage.discord.until(lambda: stage.discord.requests[-1].fault == "hang")
    program.kill()
    await program.communicate()
    slow.release()

    async with stage.bot():
        await stage.discord.until(lambda: stage.reply_to(asked))

    assert stage.prompts()[0][1] == ("user", "Ada: Cats can fly.")


async def test_a_link_that_is_corrected_before_anything_is_visible_brings_the_right_message_alone(
    stage, database_url
) -> None:
    stage.database_url = database_url
    wrong = await stage.discord.post(stage.random, stage.ada, "Cats can fly.")
    right = await stage.discord.post(stage.random, stage.ada, "Dogs can swim.")
    stage.model.script(Silence())
    async with stage.bot():
        asked = await stage.discord.post(stage.general, stage.you, f"Is that so? {link_to(wrong)}")
        await stage.model.received(1)
        await stage.discord.edit(asked, f"Is that so? {link_to(right)}")
        await stage.discord.until(lambda: stage.reply_to(asked))

    assert stage.prompts()[-1][1:] == [
        ("user", "Ada: Dogs can swim."),
        ("user", f"You: Is that so? {link_to(right)}"),
    ]


async def quoted(stage, message, text) -> None:
    """Wait until that is what is stored of the message where it is quoted."""
    database = sqlite3.connect(f"file:{stage.database_url.removeprefix('sqlite:///')}?mode=ro", uri=True)
    with closing(database):
        async with asyncio.timeout(10):
            while database.execute(
                "SELECT text FROM turns WHERE kind = 'quote' AND message_id = ?", [message.id]
            ).fetchall() != [(text,)]:
                await asyncio.sleep(0)


async def test_an_answer_that_was_quoted_while_it_was_written_is_quoted_whole_and_then_as_it_was_rewritten(
    stage,
) -> None:
    here = stage.discord.bot_user.mention
    async with stage.bot():
        message, gate = await draft(stage)
        await stage.ask(f"{here} is that so? {link_to(message)}", channel=stage.random)
        gate.open()
        await quoted(stage, message, LONG)
        await stage.ask(f"{here} and now?", channel=stage.random)
        stage.model.script(Answer(text="Because of the sea."))
        await pressed(stage, message, "Regenerate")
        await quoted(stage, message, "Because of the sea.")
        await stage.ask(f"{here} and then?", channel=stage.random)

    half, whole, _, rewritten = [prompt[1][1].removeprefix("Confab: ") for prompt in stage.prompts()[1:]]
    assert LONG.startswith(half.rstrip("…"))
    assert half != LONG
    assert (whole, rewritten) == (LONG, "Because of the sea.")


async def test_a_bare_reply_to_an_answer_that_is_being_written_is_about_the_whole_of_it(stage) -> None:
    async with stage.bot():
        message, gate = await draft(stage)
        asked = await stage.discord.post(
            stage.general, stage.you, stage.discord.bot_user.mention, reply_to=message
        )
        gate.open()
        await quoted(stage, message, LONG)
        await stage.discord.until(lambda: stage.reply_to(asked))
        await stage.ask("And now?")

    assert [text for role, text in stage.prompts()[-1] if role == "user"][1].endswith(LONG)
