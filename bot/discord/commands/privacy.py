"""/privacy: what is stored, for how long, and how to have it erased."""

from typing import Any

import discord
from discord import app_commands

from bot.core.rights_wording import privacy_words
from bot.discord.commands.doors import Doors


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(
        name="privacy", description="What I store of you, for how long, and how you have it erased"
    )
    async def privacy(interaction: discord.Interaction[discord.Client]) -> None:
        words = privacy_words(doors.policy, interaction.guild_id)
        await doors.outbox.respond(interaction, words, ephemeral=True)

    return privacy
