"""What a command may use."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import discord

from bot.core.intake import Intake
from bot.core.look_ups import LookUps
from bot.core.messages import ConversationKey
from bot.core.ports import Clock
from bot.core.rights import Policy
from bot.core.usage import UsageStore
from bot.discord.outbound import Outbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Doors:
    """*keep* runs a coroutine beside everything else and ends it with the bot."""

    intake: Intake
    look_ups: LookUps
    outbox: Outbox
    clock: Clock
    policy: Policy
    usage: UsageStore
    keep: Callable[[Coroutine[Any, Any, None]], None]

    async def let_look_back(
        self, interaction: discord.Interaction[discord.Client], *, private: bool, unreadable: str
    ) -> bool:
        """Whether this person may look back in that conversation now; they are told why not.

        *unreadable* is said to who may not read what was said there before.
        """
        if not may_look_back(interaction, private=private):
            await self.outbox.respond(interaction, unreadable, ephemeral=True)
            return False
        return await self.let_look_up(interaction)

    async def let_look_up(self, interaction: discord.Interaction[discord.Client]) -> bool:
        """Count a look back at what is theirs, which they may always read."""
        if refusal := self.look_ups.admit(interaction.user.id):
            await self.outbox.respond(interaction, refusal.user_message, ephemeral=True)
            return False
        await self.outbox.acknowledge(interaction, ephemeral=True)
        return True


def conversation_of(interaction: discord.Interaction[discord.Client], *, private: bool) -> ConversationKey:
    """The channel's conversation, or the one that the command's user has there alone with the bot."""
    if interaction.channel_id is None:
        raise RuntimeError("a command needs a channel")
    return ConversationKey(channel_id=interaction.channel_id, private_to=interaction.user.id if private else 0)


def may_look_back(interaction: discord.Interaction[discord.Client], *, private: bool) -> bool:
    """Whether this person may read what was said in that conversation before, as Discord has it."""
    may = interaction.permissions
    return private or interaction.guild_id is None or (may.view_channel and may.read_message_history)
