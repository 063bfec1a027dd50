"""A text that the database did not take is kept for its own question alone, in its own wording."""

import asyncio

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore
from tests.model_server import Answer, ModelServer
from tests.whole_bot import Stage

SECRET = "4711"


@pytest.fixture
async def stage(database_url):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        model.behave(lambda body: Answer(text=f"Re: {asked_in(body)}"))
        yield Stage(discord=discord, model=model, database_url=database_url)


def asked_in(body):
    return " | ".join(each["content"] for each in body["messages"] if each["role"] == "user")


def refused(monkeypatch):
    """Set once the database did not take a text with the secret in it."""
    was, write = asyncio.Event(), SqlTurnStore.write_answer

    async def refusing(store, *answer, **how):
        if SECRET in how["text"] and not was.is_set():
            was.set()
            raise DatabaseUnavailable("locked")
        await write(store, *answer, **how)

    monkeypatch.setattr(SqlTurnStore, "write_answer", refusing)
    return was


def carried_out(monkeypatch, method):
    """Set once the database did that, and whoever asked for it was told."""
    done, carry_out = asyncio.Event(), getattr(SqlTurnStore, method)

    async def tell(*args, **how):
        result = await carry_out(*args, **how)
        asyncio.get_running_loop().call_soon(done.set)
        return result

    monkeypatch.setattr(SqlTurnStore, method, tell)
    return done


async def test_a_text_of_a_channel_that_was_deleted_is_not_the_answer_to_somebody_elses_question(
    stage, monkeypatch
) -> None:
    was_refused, erased = refused(monkeypatch), carried_out(monkeypatch, "erase_channel")
    room = stage.discord.add_channel(stage.discord.guild, "a-room")
    async with stage.bot(CHAT_CHANNELS=f"{stage.general.id},{room.id}"), asyncio.timeout(30):
        await stage.settled(await stage.ask("Hello"), "Re: Hello")
        saying = stage.discord.faults.add("POST", r"/messages$", what="hang", times=1)
        await stage.discord.post(room, stage.ada, f"My number is {SECRET}")
        await was_refused.wait()
        await stage.discord.until(lambda: saying.times == 0)  # it is being said that the answer will come
        await stage.discord.delete_channel(room)
        await erased.wait()
        saying.release()

        second = await stage.ask("How are you?")
        await stage.settled(second, "Re: Hello | How are you?")


@pytest.mark.parametrize("change", ["edited", "deleted before it"])
async def test_a_text_is_not_kept_when_what_it_answers_changes_while_that_is_being_said(
    stage, monkeypatch, change
) -> None:
    was_refused = refused(monkeypatch)
    changed = carried_out(monkeypatch, "edit" if change == "edited" else "erase_messages")
    async with stage.bot(), asyncio.timeout(30):
        first = await stage.ask("Hello")
        await stage.settled(first, "Re: Hello")
        saying = stage.discord.faults.add("POST", r"/messages$", what="hang", times=1)
        asked = await stage.discord.post(stage.general, stage.you, f"My number is {SECRET}")
        await was_refused.wait()
        await stage.discord.until(lambda: saying.times == 0)
        if change == "edited":
            await stage.discord.edit(asked, "How are you?")
        else:
            await stage.discord.delete(first.replied_to)
        await changed.wait()
        saying.release()

        wanted = "Re: Hello | How are you?" if change == "edited" else f"Re: My number is {SECRET}"
        await stage.discord.until(
            lambda: wanted in [each.content for each in stage.discord.messages(stage.general)]
        )
