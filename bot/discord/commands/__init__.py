"""The commands, one file each: a new one is a module with `command(doors)`, named in COMMANDS."""

import logging
from typing import Any

import discord
from discord import app_commands

from bot.core.access import AccessRules
from bot.core.errors import BotError
from bot.discord.askers import asker_of
from bot.discord.commands import chat, export, forget_me, history, privacy, recall, reset, usage, why
from bot.discord.commands.doors import Doors
from bot.discord.outbound import Outbox

log = logging.getLogger(__name__)

COMMANDS = (chat, reset, history, recall, export, privacy, forget_me, usage, why)
# Also for whom the operator's lists leave out: something may be stored of them.
FOR_EVERYBODY = ("privacy", "forget-me")

UNKNOWN_COMMAND = "I don't know that command any more. Please try again in a minute."


class Commands(app_commands.CommandTree[discord.Client]):
    """For servers and DMs with the bot; a command that fails says so in a plain sentence."""

    def __init__(self, client: discord.Client, doors: Doors, *, access: AccessRules) -> None:
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        self._outbox: Outbox = doors.outbox
        self._access = access
        for module in COMMANDS:
            self.add_command(module.command(doors))

    async def interaction_check(self, interaction: discord.Interaction[discord.Client], /) -> bool:
        """Whether the person may use commands here; they are told, unseen by others, if not."""
        if _is_everybodys(interaction):
            return True
        refusal = self._access.refuse(asker_of(interaction))
        if refusal is not None:
            await self._tell(interaction, refusal.user_message)
        return refusal is None

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /
    ) -> None:
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        if isinstance(cause, BotError):
            log.warning("interaction=%d ended with %s: %s", interaction.id, cause.code, cause)
            sentence = cause.user_message
        elif isinstance(cause, app_commands.CommandNotFound):
            log.warning("interaction=%d is of a command that is not ours any more", interaction.id)
            sentence = UNKNOWN_COMMAND
        else:
            log.error("interaction=%d failed", interaction.id, exc_info=cause)
            sentence = BotError.user_message
        await self._tell(interaction, sentence)

    async def _tell(self, interaction: discord.Interaction[Any], sentence: str) -> None:
        try:
            await self._outbox.respond(interaction, sentence, ephemeral=True)
        except BotError as unsaid:
            log.info("interaction=%d was not answered: %s", interaction.id, unsaid)


def _is_everybodys(interaction: discord.Interaction[discord.Client]) -> bool:
    name = interaction.command.name if interaction.command else ""
    return name in FOR_EVERYBODY or (name == "export" and export.asks_for_own(interaction))
