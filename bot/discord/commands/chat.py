"""/chat: a question without a mention, part of the same conversation as the channel's messages."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import discord
from discord import app_commands

from bot.core.errors import BotError, ShuttingDown
from bot.core.messages import ConversationKey, IncomingMessage, Interaction, Kind
from bot.discord.commands.doors import Doors
from bot.discord.inbound import parent_id
from bot.discord.link_search import find_links
from bot.discord.words import read_text

log = logging.getLogger(__name__)

LONGEST_MESSAGE = 6000  # characters, the most that Discord takes in an option
INTERACTION_LIFE = timedelta(minutes=15)
SECONDS_LEFT_TO_SETTLE = 60.0  # when "thinking…" is over at the latest

Question = app_commands.Range[str, 1, LONGEST_MESSAGE]


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name="chat", description="Talk with me; everybody here can read along")
    @app_commands.describe(message="What you would like to say or ask")
    async def chat(interaction: discord.Interaction[discord.Client], message: Question) -> None:
        await ask(interaction, message, doors)

    return chat


async def ask(interaction: discord.Interaction[discord.Client], text: str, doors: Doors) -> None:
    """Acknowledge and take the question on; neither waits for the other."""
    if doors.intake.closed:
        await doors.outbox.respond(interaction, ShuttingDown.user_message, ephemeral=True)
        return
    question = read_chat(interaction, text)
    if refusal := doors.intake.refuse(question):
        await doors.outbox.respond(interaction, refusal.error.user_message, ephemeral=True)
        return
    acknowledged, taken = await asyncio.gather(
        doors.outbox.acknowledge(interaction, ephemeral=False),
        doors.intake.take(question),
        return_exceptions=True,
    )
    if isinstance(taken, BaseException):
        raise taken
    if isinstance(acknowledged, BotError):
        # The answer comes all the same, as an ordinary message.
        log.warning("interaction=%d was not acknowledged: %s", interaction.id, acknowledged)
    elif isinstance(acknowledged, BaseException):
        raise acknowledged
    elif question.interaction is not None:
        doors.keep(_end_thinking(question.interaction, doors))


def read_chat(interaction: discord.Interaction[discord.Client], text: str) -> IncomingMessage:
    me = interaction.client.user
    if me is None or interaction.channel_id is None:
        raise RuntimeError("a command needs a login and a channel")
    links, link_note = find_links(text, guild_id=interaction.guild_id)
    return IncomingMessage(
        message_id=interaction.id,
        kind=Kind.SLASH,
        key=ConversationKey(channel_id=interaction.channel_id),
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


async def _end_thinking(interaction: Interaction, doors: Doors) -> None:
    """See that the response holds text while it can still be edited."""
    left = (interaction.expires_at - doors.clock.now()).total_seconds()
    await doors.clock.sleep(max(left - SECONDS_LEFT_TO_SETTLE, 0.0))
    try:
        await doors.outbox.settle_original(interaction)
    except BotError as error:
        log.debug("interaction=%d keeps its response: %s", interaction.id, error)
