"""/history: what is remembered of this conversation, for whoever may read it."""

from typing import Any

import discord
from discord import app_commands

from bot.discord.commands.doors import Doors, conversation_of
from bot.discord.remembered import remembered_words

REFUSED = "You can't read what was said in this channel before, so I can't tell you what I remember of it."


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name="history", description="What I remember of our conversation here; only you see it")
    @app_commands.describe(private="Of your private conversation with me here, instead of everybody's")
    async def history(interaction: discord.Interaction[discord.Client], private: bool = False) -> None:  # noqa: FBT001, FBT002
        await tell(interaction, doors, private=private)

    return history


async def tell(interaction: discord.Interaction[discord.Client], doors: Doors, *, private: bool) -> None:
    if not await doors.let_look_back(interaction, private=private, unreadable=REFUSED):
        return
    memory = await doors.look_ups.memory(conversation_of(interaction, private=private))
    await doors.outbox.show(interaction, remembered_words(memory))
