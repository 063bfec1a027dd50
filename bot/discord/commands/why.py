"""Why this answer?: what was sent for an answer and what it cost, in the menu of each message."""

import discord
from discord import app_commands

from bot.core.why import why_words
from bot.discord.commands.doors import Doors

NAME = "Why this answer?"


def command(doors: Doors) -> app_commands.ContextMenu:
    async def why(interaction: discord.Interaction[discord.Client], message: discord.Message) -> None:
        await explain(interaction, message, doors)

    return app_commands.ContextMenu(name=NAME, callback=why)


async def explain(
    interaction: discord.Interaction[discord.Client], message: discord.Message, doors: Doors
) -> None:
    # A server's own settings can show a command to anybody, so what counts is checked here.
    may = interaction.permissions
    manages = interaction.guild_id is not None and (may.manage_messages or may.manage_guild)
    await doors.outbox.acknowledge(interaction, ephemeral=True)
    made = await doors.look_ups.made(message.id, channel_id=interaction.channel_id or 0)
    await doors.outbox.show(interaction, why_words(made, person=interaction.user.id, manages=manages))
