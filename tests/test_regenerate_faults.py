"""Regenerate while the database fails, and while there is no place at the model."""

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.presses import NOT_THEIRS, UNDER_WAY
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore, open_store
from tests.model_server import Answer, Gate, ModelServer
from tests.pressing import pressed, whispered, with_button
from tests.storage.talk import rows
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

    stage.discord.set_member_permissions(stage.discord.guild, stage.ada, manage_messages=True)
    stage.model.script(Answer(text="Because."), Answer(text="Because of scattering."), Answer(text="Yes."))
    async with stage.bot():
        message = await stage.ask("Why?")
        await with_button(stage, message)
        monkeypatch.setattr(SqlTurnStore, "reopen", unconfirmed)
        told = await whispered(stage, await pressed(stage, message, "Regenerate", by=stage.ada))
        await stage.settled(message, "Because of scattering.")
        await with_button(stage, message)
        await stage.ask("Really?")

    assert told == DatabaseUnavailable.user_message
    assert await payers(stage) == [(stage.you.id,), (stage.ada.id,), (stage.you.id,)]
    assert [text for _, text in stage.prompts()[-1]][1:] == ["Why?", "Because of scattering.", "Really?"]


async def payers(stage):
    async with open_store(stage.database_url) as store:
        return await rows(
            store, "SELECT author_id FROM model_calls WHERE channel_id = :id ORDER BY id", id=stage.general.id
        )


@pytest.mark.parametrize("second", ["a moderator", "the asker", "a stranger"])
async def test_the_first_press_pays_whoever_presses_while_there_is_no_place_at_the_model(stage, second) -> None:
    gate, stranger = Gate(), stage.discord.add_user("stranger")
    stage.discord.set_member_permissions(stage.discord.guild, stage.you, manage_messages=True)
    by, refusal = {
        "a moderator": (stage.you, UNDER_WAY),
        "the asker": (stage.ada, UNDER_WAY),
        "a stranger": (stranger, NOT_THEIRS),
    }[second]
    stage.model.script(Answer(text="Because."), Answer(text="Elsewhere.", gate=gate), Answer(text="Anew."))
    channels = f"{stage.general.id},{stage.random.id}"
    async with stage.bot(MODEL_CONCURRENCY="1", CHAT_CHANNELS=channels):
        message = await stage.ask("Why?", author=stage.ada)
        await with_button(stage, message)
        await stage.discord.post(stage.random, stranger, "And there?")
        await stage.model.received(2)
        await pressed(stage, message, "Regenerate", by=stage.you)
        told = await whispered(stage, await pressed(stage, message, "Regenerate", by=by))
        gate.open()
        await stage.settled(message, "Anew.")
        await with_button(stage, message)

    assert told == refusal
    assert await payers(stage) == [(stage.ada.id,), (stage.you.id,)]
