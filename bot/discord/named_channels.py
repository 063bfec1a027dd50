"""Says which channels of the settings the bot can't see: it would be silent there, and nobody would know why."""

import logging

import discord

from bot.core.access import AccessRules

log = logging.getLogger(__name__)

_NOT_THERE = (
    "%s: there is no channel %d on any of my servers. Invite me to its server, or correct the id (right-click the "
    "channel in Discord, Copy Channel ID). It is all right if this is a DM or an archived thread."
)
_NO_CATEGORY = "%s: %d is no category. Right-click the category in Discord, Copy Category ID."
_A_CATEGORY = "%s: %d is a category. Name the channels in it: right-click each in Discord, Copy Channel ID."
_HIDDEN = "%s: I can't see channel %d. Allow my role View Channel there: Edit Channel, Permissions."


class NamedChannels:
    def __init__(self, *, chat_channels: frozenset[int], access: AccessRules) -> None:
        self._channels = {
            "CHAT_CHANNELS": chat_channels,
            "ALLOWED_CHANNELS": access.allowed_channels,
            "BLOCKED_CHANNELS": access.blocked_channels,
        }
        self._categories = {
            "ALLOWED_CATEGORIES": access.allowed_categories,
            "BLOCKED_CATEGORIES": access.blocked_categories,
        }
        self._told: set[tuple[str, int]] = set()

    def tell_unseen(self, client: discord.Client) -> None:
        """Each once, when every server has said what channels it has."""
        if any(server.unavailable for server in client.guilds):
            return  # what is named may be there
        for setting, ids in (self._channels | self._categories).items():
            for channel_id in sorted(ids):
                trouble = self._trouble(setting, client.get_channel(channel_id))
                if trouble and (setting, channel_id) not in self._told:
                    self._told.add((setting, channel_id))
                    log.warning(trouble, setting, channel_id)

    def _trouble(self, setting: str, channel: object) -> str | None:
        if channel is None:
            return _NOT_THERE
        if isinstance(channel, discord.CategoryChannel) != (setting in self._categories):
            return _A_CATEGORY if isinstance(channel, discord.CategoryChannel) else _NO_CATEGORY
        answers = setting in {"CHAT_CHANNELS", "ALLOWED_CHANNELS"}
        if answers and isinstance(channel, discord.abc.GuildChannel | discord.Thread):
            return None if channel.permissions_for(channel.guild.me).view_channel else _HIDDEN
        return None
