"""A very long answer, lived through with the whole bot: shown in part, attached whole, remembered whole."""

import asyncio

import pytest

from bot.discord.layout import IN_FILE
from bot.playground.loopback import LoopbackDiscord
from tests.model_server import Answer, ModelServer
from tests.whole_bot import Stage

VERY_LONG = " ".join(f"Sentence number {n} says something." for n in range(300))


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


def files(stage):
    return [
        attachment.upload.data.decode()
        for message in stage.discord.messages(stage.general)
        for attachment in message.attachments
    ]


async def test_a_very_long_answer_is_remembered_whole_until_its_file_is_deleted(stage) -> None:
    stage.model.script(Answer(text=VERY_LONG), Answer(text="Yes."), Answer(text="No."))
    async with stage.bot():
        await stage.ask("Tell me everything")
        await stage.discord.until(lambda: files(stage))
        await stage.ask("Do you remember?")
        (shown,) = [each for each in stage.discord.messages(stage.general) if each.attachments]
        await stage.discord.delete(shown)
        await stage.ask("And now?")

    assert shown.content.endswith(IN_FILE)
    assert shown.attachments[0].upload.data.decode() == VERY_LONG
    assert ("assistant", VERY_LONG) in stage.prompts()[1]
    assert ("assistant", VERY_LONG) not in stage.prompts()[2]


async def test_a_file_under_way_when_the_bot_is_killed_is_there_once(stage) -> None:
    stage.model.script(Answer(text=VERY_LONG), Answer(text="Here again."))
    hanging = stage.discord.faults.add("*", r"/messages", what="hang", matches=lambda request: request.files)
    process = await stage.start()
    await stage.discord.until(lambda: stage.connected)
    await stage.discord.post(stage.general, stage.you, "Tell me everything")
    await stage.discord.until(lambda: any(request.files for request in stage.discord.requests))

    process.kill()
    async with asyncio.timeout(30):
        await process.communicate()
    hanging.release()  # what was under way arrives all the same
    await stage.discord.until(lambda: files(stage))
    async with stage.bot():
        await stage.ask("Are you there?")

    assert files(stage) == [VERY_LONG]
    assert len([each for each in stage.discord.messages(stage.general) if each.author.bot]) == 4 + 1
