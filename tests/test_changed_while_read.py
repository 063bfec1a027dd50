"""What is deleted or edited just as it is read up: the whole bot over real sockets, started again."""

import pytest

from bot.core.intake import Intake
from bot.discord.hearing import Hearing
from tests.whole_bot import met_before


@pytest.fixture
async def met(tmp_path):
    """A stage on which the bot has been, and is not any more."""
    async with met_before(tmp_path) as stage:
        yield stage


async def _change(stage, message, change, *, seen_in=None):
    """Delete or edit it, and see that the bot was told: events come in order."""
    if change == "deleted":
        await stage.discord.delete(message)
    else:
        await stage.discord.edit(message, "the new words")
    await stage.ask(f"{stage.discord.bot_user.mention} elsewhere", channel=seen_in or stage.random)


@pytest.mark.parametrize("change", ["deleted", "edited"])
async def test_what_is_changed_while_its_channel_is_read_is_not_taken_as_it_was(met, change, monkeypatch) -> None:
    taken, take = [], Intake.take

    async def take_down(intake, question):
        taken.append(question.text)
        await take(intake, question)

    monkeypatch.setattr(Intake, "take", take_down)
    missed = await met.discord.post(met.general, met.you, "the old words")
    reading = met.discord.faults.add("GET", r"/messages$", what="hang", when="after", times=1)
    async with met.bot():
        await met.discord.until(lambda: not reading.times)
        await _change(met, missed, change)
        reading.release()
        await met.ask("later")

    assert set(taken) == {"elsewhere", "later"} | ({"the new words"} if change == "edited" else set())
    assert ("the new words" in str(met.prompts()[-1])) == (change == "edited")


@pytest.mark.parametrize("change", ["deleted", "edited"])
async def test_what_is_changed_while_it_is_stored_is_not_remembered_as_it_was(met, change, monkeypatch) -> None:
    missed = await met.discord.post(met.general, met.you, "the old words")
    take = Hearing.take

    async def take_late(hearing, question):
        if question.message_id == missed.id:
            await _change(met, missed, change)
        return await take(hearing, question)

    monkeypatch.setattr(Hearing, "take", take_late)
    async with met.bot():
        await met.ask("later")

    assert "the old words" not in str(met.prompts()[-1])
    assert ("the new words" in str(met.prompts()[-1])) == (change == "edited")


@pytest.mark.parametrize("change", ["deleted", "edited"])
async def test_what_is_quoted_and_changed_while_its_channel_is_read_is_not_remembered_as_it_was(
    met, change
) -> None:
    quoted = await met.discord.post(met.random, met.ada, "the old words")
    mention = met.discord.bot_user.mention
    asked = await met.discord.post(met.random, met.you, f"{mention} what is this?", reply_to=quoted)
    reading = met.discord.faults.add("GET", r"/messages$", what="hang", when="after", times=1)
    async with met.bot():
        await met.discord.until(lambda: not reading.times)
        await _change(met, quoted, change, seen_in=met.general)
        reading.release()
        await met.discord.until(lambda: met.reply_to(asked))
        await met.ask(f"{mention} later", channel=met.random)

    assert "the old words" not in str(met.prompts()[-1])
    assert ("the new words" in str(met.prompts()[-1])) == (change == "edited")
