"""Somebody pressed a button. What Discord tells of it is input from outside, and is checked here."""

import logging
from typing import Any

import discord

from bot.core.access import AccessRules
from bot.core.errors import BotError, PressRefused
from bot.core.messages import Press
from bot.core.presses import Presses
from bot.discord.askers import asker_of
from bot.discord.buttons import FORGET_EVERYWHERE, FORGET_HERE, STOP, read_custom_id
from bot.discord.commands.doors import Doors, conversation_of
from bot.discord.commands.forget_me import forget

log = logging.getLogger(__name__)

UNKNOWN = "That button does nothing any more."


def _is_unseen_by_others(interaction: discord.Interaction[Any]) -> bool:
    """The message that the button is below."""
    return interaction.message is not None and interaction.message.flags.ephemeral


class Pressing:
    def __init__(self, doors: Doors, *, presses: Presses | None, access: AccessRules) -> None:
        self._doors = doors
        self._presses = presses
        self._outbox = doors.outbox
        self._access = access

    async def pressed(self, interaction: discord.Interaction[Any], custom_id: str) -> None:
        """Do what the button says, or tell whoever pressed it, unseen by others, why not."""
        try:
            await self._carry_out(interaction, custom_id)
        except BotError as refusal:
            log.info("press=%d was refused: %s", interaction.id, refusal.code)
            await self._tell(interaction, refusal.user_message)
        except Exception:
            log.exception("press=%d failed", interaction.id)
            await self._tell(interaction, BotError.user_message)

    async def _carry_out(self, interaction: discord.Interaction[Any], custom_id: str) -> None:
        """Raises BotError."""
        read = read_custom_id(custom_id)
        if read is not None and read[0] in (FORGET_HERE, FORGET_EVERYWHERE):
            await forget(interaction, self._doors, person=read[1], everywhere=read[0] == FORGET_EVERYWHERE)
            return
        refusal = self._access.refuse(asker_of(interaction))
        if refusal is not None:
            raise refusal
        if self._presses is None or read is None or interaction.channel_id is None:
            raise PressRefused(UNKNOWN)
        action, question_id = read
        press = Press(
            id=interaction.id,
            question_id=question_id,
            person=interaction.user.id,
            moderates=interaction.guild_id is not None and interaction.permissions.manage_messages,
            key=conversation_of(interaction, private=_is_unseen_by_others(interaction)),
            guild_id=interaction.guild_id,
        )
        if action == STOP:
            self._presses.stop(press)
            await self._outbox.acknowledge_press(interaction)
        else:
            await self._outbox.acknowledge_press(interaction)
            await self._presses.rewrite(press)

    async def _tell(self, interaction: discord.Interaction[Any], sentence: str) -> None:
        try:
            await self._outbox.whisper(interaction, sentence)
        except BotError as unsaid:
            log.info("press=%d was not answered: %s", interaction.id, unsaid)
