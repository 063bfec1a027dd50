"""Many at once: who waits, who is refused, who comes first; the whole bot over real sockets."""

import pytest

from bot.core import waiting_notices
from bot.playground.loopback import LoopbackDiscord
from tests.model_server import Answer, Gate, ModelServer
from tests.whole_bot import Stage

NEXT = "I've got your message. 1 other comes first; my answer will appear here."


@pytest.fixture
async def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting_notices, "SECONDS_BEFORE_NOTICE", 0.05)
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


def _from_bot(stage):
    return [message for message in stage.discord.messages(stage.general) if message.author.bot]


async def test_who_waits_is_told_and_the_notice_becomes_the_answer(stage, database_url) -> None:
    stage.database_url = database_url
    gate = Gate()
    stage.model.script(Answer(text="First.", gate=gate), Answer(text="Second."))
    async with stage.bot():
        await stage.discord.post(stage.general, stage.you, "one")
        await stage.discord.until(lambda: stage.model.requests)
        notice = await stage.ask("two", author=stage.ada)
        said = notice.content
        gate.open()
        await stage.settled(notice, "Second.")

    assert said == NEXT
    assert [message.content for message in _from_bot(stage)] == ["Second.", "First."]


async def test_a_notice_becomes_the_answer_after_a_restart_too(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text="First.", gate=gate), Answer(text="First."), Answer(text="Second."))
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0"):
        await stage.discord.post(stage.general, stage.you, "one")
        await stage.discord.until(lambda: stage.model.requests)
        notice = await stage.ask("two", author=stage.ada)
    gate.open()

    async with stage.bot():
        await stage.settled(notice, "First.")

    assert sum(message.reference.message_id == notice.reference.message_id for message in _from_bot(stage)) == 1


async def test_a_waiting_chat_command_says_so_in_its_response(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text="First.", gate=gate), Answer(text="Second."))
    async with stage.bot():
        await stage.discord.post(stage.general, stage.you, "one")
        await stage.discord.until(lambda: stage.model.requests)
        called = await stage.chat("two", author=stage.ada)
        await stage.discord.until(lambda: called.original and called.original.content == NEXT)
        gate.open()
        await stage.discord.until(lambda: called.original.content == "> two\nSecond.")

    assert len(_from_bot(stage)) == 2


async def test_a_question_deleted_while_it_waits_takes_its_notice_along(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text="First.", gate=gate))
    async with stage.bot():
        await stage.discord.post(stage.general, stage.you, "one")
        await stage.discord.until(lambda: stage.model.requests)
        notice = await stage.ask("two", author=stage.ada)

        await stage.discord.delete(notice.replied_to)
        await stage.discord.until(lambda: notice.deleted)
        gate.open()
        await stage.discord.until(lambda: _from_bot(stage))

    assert len(stage.model.requests) == 1


async def test_who_has_too_much_waiting_is_told_once_until_there_is_room(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text="First.", gate=gate), Answer(text="Then."), Answer(text="Later."))
    async with stage.bot(MAX_WAITING_PER_PERSON="1"):
        await stage.discord.post(stage.general, stage.you, "one")
        await stage.discord.until(lambda: stage.model.requests)
        await stage.ask("two")
        refusal = await stage.ask("three")
        said = refusal.content
        await stage.discord.post(stage.general, stage.you, "four")
        gate.open()
        await stage.discord.until(lambda: len(stage.model.requests) == 2)
        later = await stage.ask("five")
        await stage.settled(later, "Later.")

    assert said == "1 message of yours is waiting for me already. Please let me answer them first."
    assert [text for role, text in stage.prompts()[-1] if role == "user"] == ["one", "two", "five"]
    assert sum(message.content == said for message in _from_bot(stage)) == 1


async def test_a_chat_command_is_refused_for_its_author_alone(stage) -> None:
    async with stage.bot(MESSAGES_PER_MINUTE_PER_PERSON="1"):
        await stage.ask("one")
        refused = [await stage.chat("two") for _ in range(2)]
        await stage.discord.until(lambda: all(call.original and call.original.content for call in refused))

    assert all(call.ephemeral for call in refused)
    assert refused[0].original.content == "Please give me a moment: you can ask again in 60 seconds."


async def test_one_person_s_flood_delays_that_person(stage) -> None:
    gate = Gate()
    stage.model.answer("Well.", gate=gate)
    channels = [stage.discord.add_channel(stage.discord.guild, f"flooded-{n}") for n in range(8)]
    mention = stage.discord.bot_user.mention
    async with stage.bot(MODEL_CONCURRENCY="1"):
        for channel in channels:
            await stage.discord.post(channel, stage.you, f"{mention} flood")
        await stage.discord.until(lambda: stage.model.requests)
        asked = await stage.discord.post(stage.general, stage.ada, "and me?")
        await stage.discord.until(lambda: stage.reply_to(asked))  # the notice: it is in the line
        gate.open()
        await stage.discord.until(lambda: len(stage.model.requests) == len(channels) + 1)

    assert [prompt[-1][1] for prompt in stage.prompts()][:2] == ["flood", "and me?"]
