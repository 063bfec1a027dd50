"""/reset: the conversation begins anew from here."""

import asyncio
from typing import Any

import discord
from discord import app_commands

from bot.discord.commands.doors import Doors, conversation_of

DONE = "Fresh start! I no longer think of what we said here before."
REFUSED = "Only people who may manage messages here can reset our conversation. Please ask one of them."


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name="reset", description="Start our conversation in this channel anew")
    @app_commands.describe(private="Start your private conversation with me here anew, instead of everybody's")
    async def reset(interaction: discord.Interaction[discord.Client], private: bool = False) -> None:  # noqa: FBT001, FBT002
        await start_anew(interaction, doors, private=private)

    return reset


async def start_anew(
    interaction: discord.Interaction[discord.Client], doors: Doors, *, private: bool = False
) -> None:
    # A server's own settings can show a command to anybody, so what counts is checked here.
    may = private or interaction.guild_id is None or interaction.permissions.manage_messages
    if not may:
        await doors.outbox.respond(interaction, REFUSED, ephemeral=True)
        return
    _, done = await asyncio.gather(
        doors.outbox.acknowledge(interaction, ephemeral=private),
        doors.intake.reset(conversation_of(interaction, private=private)),
        return_exceptions=True,
    )
    if isinstance(done, BaseException):
        raise done
    await doors.outbox.respond(interaction, DONE, ephemeral=private)
