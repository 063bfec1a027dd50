"""/reset: the conversation begins anew from here."""

import asyncio
from typing import Any

import discord
from discord import app_commands

from bot.core.messages import ConversationKey
from bot.discord.commands.doors import Doors

DONE = "Fresh start! I no longer think of what we said here before."
REFUSED = "Only people who may manage messages here can reset our conversation. Please ask one of them."


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name="reset", description="Start our conversation in this channel anew")
    async def reset(interaction: discord.Interaction[discord.Client]) -> None:
        await start_anew(interaction, doors)

    return reset


async def start_anew(interaction: discord.Interaction[discord.Client], doors: Doors) -> None:
    if interaction.channel_id is None:
        raise RuntimeError("a command needs a channel")
    # A server's own settings can show a command to anybody, so what counts is checked here.
    if interaction.guild_id is not None and not interaction.permissions.manage_messages:
        await doors.outbox.respond(interaction, REFUSED, ephemeral=True)
        return
    _, done = await asyncio.gather(
        doors.outbox.acknowledge(interaction, ephemeral=False),
        doors.intake.reset(ConversationKey(channel_id=interaction.channel_id)),
        return_exceptions=True,
    )
    if isinstance(done, BaseException):
        raise done
    await doors.outbox.respond(interaction, DONE, ephemeral=False)
