"""/recall: where something was said in this conversation, for whoever may read it."""

import asyncio
from typing import Any

import discord
from discord import app_commands

from bot.discord.commands.doors import Doors, conversation_of
from bot.discord.recalled import recalled_words

LONGEST_QUERY = 100  # characters, of which a search shows all it found

REFUSED = "You can't read what was said in this channel before, so I can't look it up for you."
Query = app_commands.Range[str, 1, LONGEST_QUERY]


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name="recall", description="Find what you said to me here, or I to you; only you see it")
    @app_commands.describe(
        query="Some of the words, as they were written",
        private="Look in your private conversation with me here, instead of everybody's",
    )
    async def recall(
        interaction: discord.Interaction[discord.Client],
        query: Query,
        private: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        await look_up(interaction, query, doors, private=private)

    return recall


async def look_up(
    interaction: discord.Interaction[discord.Client], words: str, doors: Doors, *, private: bool = False
) -> None:
    if not await doors.let_look_back(interaction, private=private, unreadable=REFUSED):
        return
    key = conversation_of(interaction, private=private)
    found = await doors.look_ups.recall(interaction.user.id, key, words)
    shown = await asyncio.to_thread(  # of long texts it takes a while
        recalled_words, found, key, guild_id=interaction.guild_id, bot_id=doors.outbox.bot_id
    )
    await doors.outbox.show(interaction, shown)
