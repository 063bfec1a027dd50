"""A database that is away just as the bot starts: what was missed is read when it is back."""

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.discord import catch_up
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore
from tests.model_server import ModelServer
from tests.whole_bot import Stage

TIMES = 4


@pytest.fixture
async def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.01)
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_TRIES", 0.05)
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


@pytest.mark.parametrize("fails", ["read_marks", "direct_channels", "recent_threads"])
async def test_what_was_missed_is_answered_when_the_database_is_back(stage, monkeypatch, fails) -> None:
    direct, thread = stage.discord.open_dm(stage.you), stage.discord.add_thread(stage.general, "talk")
    async with stage.bot():
        await stage.ask("hello")
        await stage.ask("hello", channel=direct)
        await stage.ask("hello", channel=thread)
    missed = [await stage.discord.post(place, stage.you, "missed") for place in (stage.general, direct, thread)]
    await stage.discord.set_thread_state(thread, archived=True)
    happened = []
    read, write = getattr(SqlTurnStore, fails), SqlTurnStore.write_marks

    async def fail_at_first(store, **how):
        happened.append("failed")
        if happened.count("failed") <= TIMES:
            raise DatabaseUnavailable("it is locked")
        happened.append("read")
        return await read(store, **how)

    async def note(store, marks):
        happened.append("written")
        await write(store, marks)

    monkeypatch.setattr(SqlTurnStore, fails, fail_at_first)
    monkeypatch.setattr(SqlTurnStore, "write_marks", note)
    async with stage.bot():
        await stage.discord.until(lambda: all(map(stage.reply_to, missed)))

    if fails == "read_marks":
        assert "written" not in happened[: happened.index("read")]
