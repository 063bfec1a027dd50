"""More was missed than is read: the bound is one absence's, and what is beyond it is left as it was."""

import logging

import pytest

from bot.discord import missed_channels, missed_ranges
from tests.logged import caught_up
from tests.whole_bot import met_before

MOST = 4  # messages, of an absence


@pytest.fixture
async def met(tmp_path, monkeypatch, caplog):
    """A stage on which the bot has been, and is not any more; it reads next to nothing of what it missed."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(missed_ranges, "MOST_IN_ALL", MOST)
    async with met_before(tmp_path) as stage:
        yield stage


async def test_each_absence_has_a_bound_of_its_own(met, caplog) -> None:
    async with met.bot():
        await met.ask("before")
        await caught_up(caplog)
        for n in range(3):
            await met.discord.remove_guild(met.discord.guild, unavailable=True)
            missed = await met.discord.post(met.general, met.you, f"missed {n}")
            await met.discord.restore_guild(met.discord.guild)
            await met.discord.until(lambda missed=missed: met.reply_to(missed))

    assert f"{MOST} missed messages are read" in caplog.text


async def test_where_nothing_can_be_read_any_more_nothing_counts_as_deleted(met, monkeypatch, caplog) -> None:
    monkeypatch.setattr(missed_channels, "CHANNELS_AT_ONCE", 2)
    busy = [met.discord.add_channel(met.discord.guild, name) for name in ("one", "two")]
    for channel in busy:
        for n in range(MOST):
            await met.discord.post(channel, met.ada, f"talk {n}")
    at_once = met.discord.faults.add("GET", r"/messages$", what="hang", when="after", times=2)

    async with met.bot():
        await met.discord.until(lambda: not at_once.times)
        at_once.release()
        await caught_up(caplog)
        await met.ask("and now?")

    assert "I was here" in str(met.prompts()[-1])
