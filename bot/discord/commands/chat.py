"""/chat: a question without a mention, part of the same conversation as the channel's messages."""

import asyncio
import logging
from typing import Any

import discord
from discord import app_commands

from bot.core.errors import BotError, ShuttingDown
from bot.core.messages import IncomingMessage, Interaction, Kind
from bot.discord.commands.doors import Doors, conversation_of
from bot.discord.in_time import end_thinking
from bot.discord.inbound import parent_id
from bot.discord.link_search import find_links
from bot.discord.responses import INTERACTION_LIFE
from bot.discord.words import read_text

log = logging.getLogger(__name__)

LONGEST_MESSAGE = 6000  # characters, the most that Discord takes in an option

Question = app_commands.Range[str, 1, LONGEST_MESSAGE]


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(
        name="chat", description="Talk with me; everybody here can read along, unless it is private"
    )
    @app_commands.describe(
        message="What you would like to say or ask",
        private="Only you see it: a conversation of its own, between you and me",
    )
    async def chat(
        interaction: discord.Interaction[discord.Client],
        message: Question,
        private: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        await ask(interaction, message, doors, private=private)

    return chat


async def ask(
    interaction: discord.Interaction[discord.Client], text: str, doors: Doors, *, private: bool = False
) -> None:
    """Acknowledge and take the question on; neither waits for the other."""
    if doors.intake.closed:
        await doors.outbox.respond(interaction, ShuttingDown.user_message, ephemeral=True)
        return
    question = read_chat(interaction, text, private=private)
    if refusal := doors.intake.admit(question):
        await doors.outbox.respond(interaction, refusal.error.user_message, ephemeral=True)
        return
    acknowledged, taken = await asyncio.gather(
        doors.outbox.acknowledge(interaction, ephemeral=private),
        doors.intake.take(question),
        return_exceptions=True,
    )
    if isinstance(taken, BaseException):
        raise taken
    if isinstance(acknowledged, BotError):
        # It may be, all the same. If not, the answer comes as an ordinary message; a private one does not come.
        log.warning("interaction=%d was not acknowledged: %s", interaction.id, acknowledged)
    elif isinstance(acknowledged, BaseException):
        raise acknowledged
    doors.keep(end_thinking(question.key, question.address, doors))


def read_chat(
    interaction: discord.Interaction[discord.Client], text: str, *, private: bool = False
) -> IncomingMessage:
    me = interaction.client.user
    if me is None:
        raise RuntimeError("a command needs a login")
    links, link_note = find_links(text, guild_id=interaction.guild_id)
    return IncomingMessage(
        message_id=interaction.id,
        kind=Kind.SLASH,
        key=conversation_of(interaction, private=private),
        guild_id=interaction.guild_id,
        parent_id=parent_id(interaction.channel),
        author_id=interaction.user.id,
        author_name=interaction.user.display_name,
        text=read_text(text, me=me, guild=interaction.guild),
        raw_text=text,
        note=link_note,
        links=links,
        interaction=Interaction(
            id=interaction.id, token=interaction.token, expires_at=interaction.created_at + INTERACTION_LIFE
        ),
    )
