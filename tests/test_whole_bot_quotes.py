"""What a question brings along, as people live through it."""

import pytest

from bot.playground.loopback import LoopbackDiscord
from tests.model_server import ModelServer
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
