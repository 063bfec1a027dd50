"""A session that begins anew: what it missed comes before what it hears."""

import asyncio

from tests.discord.connected import connected


async def test_a_question_that_follows_a_new_session_in_one_breath_waits_for_what_was_missed(monkeypatch) -> None:
    async with connected(monkeypatch, chat_channels=["#general"]) as here:
        heard = await here.hear(here.discord.post(here.general, here.you, "Hello"))
        await here.intake.until(lambda: here.intake.taken)
        async with asyncio.timeout(10):
            while not here.catch_up.is_read(here.general.id):
                await asyncio.sleep(0)
        read, take = [], here.intake.take

        async def note(question):
            read.append(here.catch_up.is_read(question.key.channel_id))
            await take(question)

        monkeypatch.setattr(here.intake, "take", note)
        here.client.dispatch("message", heard)
        here.client.dispatch("connect")
        here.client.dispatch("message", heard)
        await here.intake.until(lambda: len(read) >= 2)

    assert read[:2] == [True, False]
