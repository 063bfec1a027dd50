"""Who is left out, as people live through it."""

import asyncio
import os
import sys

import pytest

from bot.core.errors import DirectMessagesOff
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import open_store
from tests.model_server import ModelServer
from tests.storage.talk import rows
from tests.whole_bot import ROOT, Stage


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


async def test_who_is_blocked_is_neither_answered_nor_stored(stage) -> None:
    async with stage.bot(BLOCKED_USERS=str(stage.ada.id)):
        await stage.discord.post(stage.general, stage.ada, "Hello")
        await stage.discord.post(stage.random, stage.ada, f"{stage.discord.bot_user.mention} hello")
        await stage.ask("Hello")

    async with open_store(stage.database_url) as store:
        stored = await rows(store, "SELECT author_id FROM turns WHERE role = 'user'")
    assert [row.author_id for row in stored] == [stage.you.id]


async def test_where_dms_are_off_each_person_is_told_so_once(stage) -> None:
    async with stage.bot(DIRECT_MESSAGES="off"):
        yours, adas = stage.discord.open_dm(stage.you), stage.discord.open_dm(stage.ada)
        await stage.discord.post(yours, stage.you, "Hello")
        await stage.discord.post(yours, stage.you, "Are you there?")
        await stage.ask("Hello", channel=adas, author=stage.ada)
        await stage.ask("Hello")

    for dm in (yours, adas):
        said = [message.content for message in stage.discord.messages(dm) if message.author.bot]
        assert said == [DirectMessagesOff.user_message]
    assert len(stage.model.requests) == 1


async def test_the_playground_answers_everybody_whatever_lists_and_bounds_say(stage, tmp_path) -> None:
    bounds = {"MESSAGES_PER_MINUTE_PER_PERSON": "1", "MESSAGES_PER_MINUTE_PER_CHANNEL": "1"}
    environment = stage.environment(ALLOWED_USERS="1", BLOCKED_CATEGORIES="2", DIRECT_MESSAGES="off", **bounds)
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "playground", "--say", "Hello", "--say", "Are you there?"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment,
        stdout=asyncio.subprocess.PIPE,
    )

    try:
        async with asyncio.timeout(30):
            said, _ = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()

    assert program.returncode == 0
    assert said.decode().count("All good, how may I help you?") == 2
