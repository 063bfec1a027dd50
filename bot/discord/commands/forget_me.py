"""/forget-me: says how much is stored of a person, and erases it once they press the button."""

import asyncio
import logging
from typing import Any, Literal

import discord
from discord import app_commands

from bot.core.errors import BotError, DatabaseUnavailable, PressRefused
from bot.core.messages import Interaction
from bot.core.rights_wording import (
    COMMAND_FORGOTTEN,
    FORGETTING,
    NOT_FORGOTTEN,
    NOT_YOURS,
    forgotten_words,
    found_words,
    nothing_words,
)
from bot.discord.buttons import forget_button
from bot.discord.commands.doors import Doors, conversation_of
from bot.discord.payloads import Content

log = logging.getLogger(__name__)

Where = Literal["here", "everywhere"]


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name="forget-me", description="See how much I have of you, and have it erased")
    @app_commands.describe(where="Your messages in this channel, or on every server and in DMs")
    async def forget_me(interaction: discord.Interaction[discord.Client], where: Where) -> None:
        await offer(interaction, doors, everywhere=where == "everywhere")

    return forget_me


async def offer(interaction: discord.Interaction[discord.Client], doors: Doors, *, everywhere: bool) -> None:
    """Say how much there is, with the button that erases it."""
    await doors.outbox.acknowledge(interaction, ephemeral=True)
    person = interaction.user.id
    share = await doors.intake.share_of(person, channel_id=_channel(interaction, everywhere=everywhere))
    if share.is_nothing:
        words = Content(text=nothing_words(everywhere=everywhere))
    else:
        button = forget_button(person, everywhere=everywhere)
        words = Content(text=found_words(share, everywhere=everywhere), button=button)
    await doors.outbox.show(interaction, words)


async def forget(interaction: discord.Interaction[Any], doors: Doors, *, person: int, everywhere: bool) -> None:
    """The button was pressed; *person*: whom it is for. Raises BotError."""
    if interaction.user.id != person:
        raise PressRefused(NOT_YOURS)
    channel_id = _channel(interaction, everywhere=everywhere)
    taken, forgotten = await asyncio.gather(
        doors.outbox.take_press(interaction, FORGETTING),
        doors.intake.forget(person, channel_id=channel_id),
        return_exceptions=True,
    )
    if isinstance(taken, BotError):
        log.warning("press=%d was not acknowledged: %s", interaction.id, taken)  # it is carried out all the same
    elif isinstance(taken, BaseException):
        raise taken
    if isinstance(forgotten, DatabaseUnavailable):
        again = forget_button(person, everywhere=everywhere)
        await doors.outbox.show(interaction, Content(text=NOT_FORGOTTEN, button=again))
        return
    if isinstance(forgotten, BaseException):
        raise forgotten
    share, commands = forgotten
    log.info(
        "forgotten: press=%d everywhere=%s messages=%d answers=%d",
        interaction.id,
        everywhere,
        share.messages,
        share.answers,
    )
    for each in commands:
        doors.keep(_say_so(each, doors))
    words = nothing_words(everywhere=everywhere) if share.is_nothing else forgotten_words(share)
    await doors.outbox.show(interaction, words)


async def _say_so(waited: Interaction, doors: Doors) -> None:
    """A command that waited for its answer says "thinking…" no longer."""
    try:
        await doors.outbox.settle_original(waited, COMMAND_FORGOTTEN)
    except BotError as error:
        log.debug("interaction=%d keeps its response: %s", waited.id, error)


def _channel(interaction: discord.Interaction[Any], *, everywhere: bool) -> int | None:
    return None if everywhere else conversation_of(interaction, private=False).channel_id
