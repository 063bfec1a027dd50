"""A server that is away as the bot starts: nothing fails over it, and it is caught up with when it is back."""

import gc

import pytest

from bot.core.tokens import TokenBudget
from bot.storage.turns import open_store
from tests.fakes import message
from tests.whole_bot import met_before


@pytest.fixture
async def stage(tmp_path):
    async with met_before(tmp_path) as stage:
        yield stage


async def test_a_question_that_waits_in_a_server_that_is_away_is_no_fault(stage, caplog) -> None:
    asked = await stage.discord.post(stage.general, stage.you, "waits")
    async with open_store(stage.database_url) as store:
        question = message(asked.content, id=asked.id, channel=stage.general.id, guild_id=stage.discord.guild.id)
        await store.receive(question, take_up=False, budget=TokenBudget(history_tokens=8000))
    missed = await stage.discord.post(stage.general, stage.ada, "missed")
    await stage.discord.remove_guild(stage.discord.guild, unavailable=True)

    async with stage.bot():
        await stage.discord.until(lambda: stage.reply_to(asked))
        answered_meanwhile = stage.reply_to(missed)
        await stage.discord.restore_guild(stage.discord.guild)
        await stage.discord.until(lambda: stage.reply_to(missed))
    gc.collect()  # which tells of a task that failed unseen

    assert not answered_meanwhile
    assert not [record for record in caplog.records if record.exc_info]
