"""What the log says of channels that the settings name: a real client, a real socket."""

import asyncio
import logging

from bot.core.access import AccessRules
from bot.playground.loopback import ChannelType
from tests.discord.connected import connected, prepared


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "bot.discord.named_channels"]


async def until_ready(here) -> None:
    await here.client.wait_until_ready()
    await here.until_here()  # the event that follows it was served


def rules(discord) -> AccessRules:
    """With each of them mistaken."""
    category = discord.add_channel(discord.guild, "a category", type=ChannelType.CATEGORY)
    return AccessRules(
        allowed_channels=frozenset({1, category.id, discord.channel("#random").id}),
        blocked_channels=frozenset({2}),
        allowed_categories=frozenset({3, category.id}),
        blocked_categories=frozenset({discord.channel("#general").id}),
    )


async def test_channels_of_the_settings_that_are_not_there_are_named_with_their_cure(monkeypatch, caplog):
    async with connected(monkeypatch, chat_channels=["#general"], access=rules) as here:
        with caplog.at_level(logging.INFO):
            await until_ready(here)

        (category,) = [each for each in here.discord.world.channels.values() if each.name == "a category"]
        told = warnings(caplog)
        assert [each.partition(". ")[0] for each in told] == [
            "ALLOWED_CHANNELS: there is no channel 1 on any of my servers",
            f"ALLOWED_CHANNELS: {category.id} is a category",
            "BLOCKED_CHANNELS: there is no channel 2 on any of my servers",
            "ALLOWED_CATEGORIES: there is no channel 3 on any of my servers",
            f"BLOCKED_CATEGORIES: {here.general.id} is no category",
        ]
        assert all("Copy C" in each for each in told)
        assert f"connected as {here.bot.id}, in 1 server\n" in caplog.text


async def test_a_chat_channel_that_the_bot_cannot_see_is_named_and_one_that_it_sees_is_not(monkeypatch, caplog):
    async with prepared(monkeypatch, chat_channels=["#general", "#random"]) as here:
        here.discord.set_permissions(here.random, view_channel=False)
        running = asyncio.create_task(here.client.run_forever(here.discord.token))
        with caplog.at_level(logging.WARNING):
            await here.discord.until(lambda: here.discord.sessions)
            await here.client.wait_until_ready()
            await here.discord.post(here.general, here.you, "Hello")
            await here.intake.until(lambda: here.intake.taken)

        (told,) = warnings(caplog)
        assert told.startswith(f"CHAT_CHANNELS: I can't see channel {here.random.id}. Allow my role View Channel")
        await here.client.close()
        await running


async def test_while_a_server_is_away_none_of_its_channels_is_missed(monkeypatch, caplog):
    nowhere = lambda _: AccessRules(allowed_channels=frozenset({1}))  # noqa: E731
    async with prepared(monkeypatch, access=nowhere) as here:
        guild = here.discord.guild
        await here.discord.remove_guild(guild, unavailable=True)
        running = asyncio.create_task(here.client.run_forever(here.discord.token))
        with caplog.at_level(logging.INFO):
            await here.discord.until(lambda: here.discord.sessions)
            await here.client.wait_until_ready()
            dm = here.discord.open_dm(here.you)
            await here.discord.post(dm, here.you, "Hello")
            await here.intake.until(lambda: here.intake.taken)
            assert "connected as" in caplog.text
            assert warnings(caplog) == []

            await here.discord.restore_guild(guild)
            await here.discord.post(dm, here.you, "Hello again")
            await here.intake.until(lambda: len(here.intake.taken) > 1)

        assert len(warnings(caplog)) == 1
        await here.client.close()
        await running
