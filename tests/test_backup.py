"""`python -m bot backup` beside a running bot, and a bot that is started from the copy."""

import asyncio
import re
import signal

import pytest

from bot.playground.loopback import LoopbackDiscord
from tests.model_server import Answer, ModelServer
from tests.test_cli import run
from tests.whole_bot import Stage


@pytest.fixture
async def stage(tmp_path):
    (tmp_path / "data").mkdir()
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/data/bot.db")


async def back_up(stage, folder, name="backup.db"):
    return await asyncio.to_thread(run, "backup", name, folder=folder, DATABASE_URL=stage.database_url)


async def ended(program):
    async with asyncio.timeout(30):
        _, log = await program.communicate()
    assert program.returncode == 0, log.decode()


def restore(folder):
    """As docs/operations.md says it."""
    data = folder / "data"
    (folder / "old").mkdir()
    for file in data.glob("bot.db*"):
        file.rename(folder / "old" / file.name)
    (folder / "backup.db").rename(data / "bot.db")


async def test_a_backup_beside_a_bot_at_work_is_a_memory_to_go_on_with(stage, tmp_path) -> None:
    stage.model.script(Answer(text="All good."), Answer(text="Scattering."), Answer(text="Yes."))
    bot = await stage.start()
    await stage.discord.until(lambda: stage.connected)
    await stage.settled(await stage.ask("How is it going?"), "All good.")

    backup, told = await asyncio.gather(back_up(stage, tmp_path), stage.ask("Why is the sky blue?"))
    bot.send_signal(signal.SIGTERM)
    await ended(bot)
    restore(tmp_path)
    await stage.discord.delete(told.replied_to)  # in the copy or not, as it came
    async with stage.bot():
        await stage.ask("Do you remember?")

    assert (backup.returncode, backup.stderr) == (0, "")
    assert re.fullmatch(r"backup\.db: [234] turns, 0\.\d MB\n", backup.stdout)
    assert [text for _, text in stage.prompts()[-1]][1:] == ["How is it going?", "All good.", "Do you remember?"]


async def test_what_was_answered_since_the_backup_is_answered_once_more_in_the_same_message(
    stage, tmp_path
) -> None:
    stage.model.script(Answer(text="One."), Answer(text="Two."), Answer(text="Two, again."), Answer(text="Three."))
    async with stage.bot():
        await stage.settled(await stage.ask("one"), "One.")
        await back_up(stage, tmp_path)
        second = await stage.ask("two")
        await stage.settled(second, "Two.")
    restore(tmp_path)

    async with stage.bot():
        await stage.settled(second, "Two, again.")
        await stage.settled(await stage.ask("three"), "Three.")

    assert len([each for each in stage.discord.messages(stage.general) if each.author.bot]) == 3
    assert [text for _, text in stage.prompts()[-1]][1:] == ["one", "One.", "two", "Two, again.", "three"]


async def test_a_refused_backup_says_why(stage, tmp_path) -> None:
    refused = await back_up(stage, tmp_path)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "to back up. Check DATABASE_URL and the folder you are in." in refused.stderr
    assert "Traceback" not in refused.stderr
