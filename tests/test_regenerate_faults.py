"""Regenerate while the database fails, and while there is no place at the model."""

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore
from tests.model_server import Answer, ModelServer
from tests.pressing import pressed, whispered, with_button
from tests.whole_bot import Stage


@pytest.fixture
async def stage(database_url):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=database_url)


async def test_an_answer_whose_reopening_was_stored_and_not_confirmed_is_written_anew(stage, monkeypatch) -> None:
    reopen = SqlTurnStore.reopen

    async def unconfirmed(store, press):
        await reopen(store, press)
        raise DatabaseUnavailable("the commit was not confirmed")

    stage.model.script(Answer(text="Because."), Answer(text="Because of scattering."), Answer(text="Yes."))
    async with stage.bot():
        message = await stage.ask("Why?")
        await with_button(stage, message)
        monkeypatch.setattr(SqlTurnStore, "reopen", unconfirmed)
        told = await whispered(stage, await pressed(stage, message, "Regenerate"))
        await stage.settled(message, "Because of scattering.")
        await with_button(stage, message)
        await stage.ask("Really?")

    assert told == DatabaseUnavailable.user_message
    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because of scattering.", "Really?"]
