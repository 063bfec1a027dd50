"""/usage: what a person used of the models; for those who manage a server, what the server did."""

from typing import Any, Literal

import discord
from discord import app_commands

from bot.core.periods import Period
from bot.core.usage import FOR_MANAGERS, IN_SERVERS, By, Used, own_words, server_words
from bot.discord.commands.doors import Doors

Parted = Literal["person", "channel", "model", "day"]


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name="usage", description="How much you used of me, and what it cost; only you see it")
    @app_commands.describe(by="For those who may manage this server: what all of it used this month, by …")
    async def usage(interaction: discord.Interaction[discord.Client], by: Parted | None = None) -> None:
        await tell(interaction, doors, by=By(by) if by else None)

    return usage


async def tell(interaction: discord.Interaction[discord.Client], doors: Doors, *, by: By | None) -> None:
    if refusal := _refusal(interaction) if by else None:
        await doors.outbox.respond(interaction, refusal, ephemeral=True)
        return
    await doors.outbox.acknowledge(interaction, ephemeral=True)
    now = doors.clock.now()
    month = Period.MONTH.start(now)
    if by:
        used = await doors.usage.usage(by, since=month, guild_id=interaction.guild_id)
        words = server_words(by, used)
    else:
        today, this_month = [
            await doors.usage.usage(None, since=since, person=interaction.user.id)
            for since in (Period.DAY.start(now), month)
        ]
        words = own_words(today=_one(today), month=_one(this_month))
    await doors.outbox.respond(interaction, words, ephemeral=True)


def _refusal(interaction: discord.Interaction[discord.Client]) -> str | None:
    # A server's own settings can show a command to anybody, so what counts is checked here.
    if interaction.guild_id is None:
        return IN_SERVERS
    return None if interaction.permissions.manage_guild else FOR_MANAGERS


def _one(used: list[Used]) -> Used:
    return used[0] if used else Used()
