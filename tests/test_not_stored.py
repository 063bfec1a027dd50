"""A question that could not be stored is answered later if nobody could say so, after a restart as well.

Whoever was told to ask again is not answered, whatever became of the question in the database.
"""

import asyncio

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.handled import Handled
from bot.storage.turns import SqlTurnStore
from tests.whole_bot import met_before


@pytest.fixture
async def met(tmp_path):
    """A stage on which the bot has been, and is not any more."""
    async with met_before(tmp_path) as stage:
        yield stage


def _answers_to(stage, question):
    return [
        each.content
        for each in stage.discord.messages(question.channel)
        if each.author.bot and each.reference and each.reference.message_id == question.id
    ]


@pytest.mark.parametrize("told", [True, False])
async def test_who_was_told_to_ask_again_is_not_answered_after_a_restart(met, monkeypatch, told) -> None:
    receive, refused = SqlTurnStore.receive, []

    async def refuse(store, message, **how):
        if message.text == "in vain":
            refused.append(message)
            raise DatabaseUnavailable("it is locked")
        return await receive(store, message, **how)

    with monkeypatch.context() as patch:
        patch.setattr(SqlTurnStore, "receive", refuse)
        async with met.bot():
            await met.ask("before")
            if not told:
                met.discord.faults.add("POST", r"/messages$", status=400, code=50035, times=1)
            question = await met.discord.post(met.general, met.you, "in vain")
            await met.discord.until(lambda: refused and (not told or met.reply_to(question)))
    async with met.bot():
        await met.ask("in vain", author=met.ada)

    sentences = [DatabaseUnavailable.user_message] if told else ["All good, how may I help you?"]
    assert _answers_to(met, question) == sentences
    assert str(met.prompts()[-1]).count("in vain") == (1 if told else 2)


async def test_a_question_heard_twice_at_once_is_stored_once_or_told_of_once(met, monkeypatch) -> None:
    receive, tries, in_vain = SqlTurnStore.receive, [], asyncio.Event()

    async def refuse_the_first(store, message, **how):
        if message.text == "heard twice":
            tries.append(message)
            if len(tries) == 1:
                await in_vain.wait()
                raise DatabaseUnavailable("it is locked")
        return await receive(store, message, **how)

    monkeypatch.setattr(SqlTurnStore, "receive", refuse_the_first)
    missed = await met.discord.post(met.general, met.ada, "missed")
    reading = met.discord.faults.add("GET", rf"/channels/{met.general.id}/messages$", what="hang")
    async with met.bot():
        await met.discord.until(lambda: reading.times == 0)
        question = await met.discord.post(met.general, met.you, "heard twice")
        await _until(lambda: tries)
        reading.release()
        await met.discord.until(lambda: met.reply_to(missed))
        await met.ask("next", author=met.ada)
        in_vain.set()
        await met.discord.until(lambda: met.reply_to(question))
        await met.ask("and now?")

    assert _answers_to(met, question) == [DatabaseUnavailable.user_message]
    assert "heard twice" not in str(met.prompts())


async def test_what_was_stored_unnoticed_is_not_answered_where_its_author_was_told_to_ask_again(
    met, monkeypatch
) -> None:
    receive = SqlTurnStore.receive

    async def store_unnoticed(store, message, **how):
        received = await receive(store, message, **how)
        if message.text == "in vain":
            raise DatabaseUnavailable("the connection was lost in COMMIT")
        return received

    monkeypatch.setattr(SqlTurnStore, "receive", store_unnoticed)
    async with met.bot():
        await met.ask("before")
        question = await met.discord.post(met.general, met.you, "in vain")
        await met.discord.until(lambda: met.reply_to(question))
        await met.ask("and now?", author=met.ada)
    async with met.bot():
        await met.ask("and later?", author=met.ada)

    assert _answers_to(met, question) == [DatabaseUnavailable.user_message]
    assert "in vain" not in str(met.prompts())


async def test_a_question_that_is_stored_and_heard_again_while_the_database_is_away_is_answered_and_not_told(
    met, monkeypatch
) -> None:
    receive, stored = SqlTurnStore.receive, asyncio.Event()

    async def store_once(store, message, **how):
        if message.text == "heard twice" and stored.is_set():
            raise DatabaseUnavailable("it is locked")
        received = await receive(store, message, **how)
        if message.text == "heard twice":
            stored.set()
        return received

    monkeypatch.setattr(SqlTurnStore, "receive", store_once)
    reading = met.discord.faults.add("GET", rf"/channels/{met.general.id}/messages$", what="hang")
    await met.discord.post(met.general, met.ada, "missed")
    async with met.bot():
        await met.discord.until(lambda: reading.times == 0)
        question = await met.discord.post(met.general, met.you, "heard twice")
        await stored.wait()
        reading.release()
        await met.discord.until(lambda: met.reply_to(question))
        await met.ask("and now?")

    assert _answers_to(met, question) == ["All good, how may I help you?"]


async def test_an_edit_is_heeded_where_the_model_answered_in_the_words_for_who_is_to_ask_again(met) -> None:
    met.model.answer(DatabaseUnavailable.user_message)
    async with met.bot():
        answer = await met.ask("Say that you can't reach your memory. Old")
        await met.settled(answer, DatabaseUnavailable.user_message)
        await met.ask("and now?", author=met.ada)
    await met.discord.edit(answer.replied_to, "Say it. New")
    await met.discord.post(met.general, met.you, "missed")
    async with met.bot():
        await met.ask("and later?", author=met.ada)

    assert "New" in str(met.prompts()[-1])
    assert "Old" not in str(met.prompts()[-1])


async def test_who_asks_in_vain_while_the_channel_is_read_and_is_not_told_is_answered_before_a_newer_question(
    met, monkeypatch
) -> None:
    receive, could_not_tell = SqlTurnStore.receive, Handled.could_not_tell
    reading, read_on, unheard = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow_or_refused(store, message, **how):
        if message.text == "missed":
            reading.set()
            await read_on.wait()
        if message.text == "in vain" and not unheard.is_set():
            raise DatabaseUnavailable("it is locked")
        return await receive(store, message, **how)

    def note(handled, message):
        could_not_tell(handled, message)
        unheard.set()

    monkeypatch.setattr(SqlTurnStore, "receive", slow_or_refused)
    monkeypatch.setattr(Handled, "could_not_tell", note)
    await met.discord.post(met.general, met.ada, "missed")
    async with met.bot(), asyncio.timeout(60):
        await reading.wait()
        met.discord.faults.add("POST", r"/messages$", status=400, code=50035, times=1)
        question = await met.discord.post(met.general, met.you, "in vain")
        await unheard.wait()
        read_on.set()
        live = await met.discord.post(met.general, met.ada, "live")
        await met.discord.until(lambda: _answers_to(met, live) and _answers_to(met, question))
        await met.ask("and now?", author=met.ada)

    asked = [text.split(": ")[-1] for role, text in met.prompts()[-1] if role == "user"]
    assert asked == ["I was here", "missed", "in vain", "live", "and now?"]


async def _until(so) -> None:
    async with asyncio.timeout(10):
        while not so():
            await asyncio.sleep(0)
