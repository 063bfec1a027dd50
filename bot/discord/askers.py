"""Who asks and where, as lists of ids can name them."""

from typing import Any

import discord
from discord.abc import GuildChannel

from bot.core.access import AccessRules, Asker, Location
from bot.core.ports import Clock
from bot.discord.inbound import guild_id
from bot.discord.members import Members

NO_ROLES: frozenset[int] = frozenset()


class Askers:
    """Reads who wrote a message, as far as *rules* ask."""

    def __init__(self, rules: AccessRules, *, clock: Clock) -> None:
        self._rules = rules
        self._members = Members(clock)

    async def of_message(self, message: discord.Message) -> Asker:
        """Raises Undeliverable and DiscordUnavailable where Discord has to be asked.

        It has to for messages that are read later, which come without their author's roles.
        """
        server, author = guild_id(message), message.author
        member = author if isinstance(author, discord.Member) else None
        if member is None and message.guild is not None and self._rules.heed_roles:
            member = await self._members.find(message.guild, author.id)
        return Asker(
            user_id=author.id,
            role_ids=role_ids(member) if member else NO_ROLES,
            location=location_of(message.channel, message.channel.id, server),
        )


def asker_of(interaction: discord.Interaction[Any]) -> Asker:
    user = interaction.user
    location = location_of(interaction.channel, interaction.channel_id or 0, interaction.guild_id)
    return Asker(
        user_id=user.id,
        role_ids=role_ids(user) if isinstance(user, discord.Member) else NO_ROLES,
        location=location,
    )


def role_ids(member: discord.Member) -> frozenset[int]:
    return frozenset(member._roles)  # noqa: SLF001 - `roles` needs the server's, which may not have come in yet


def location_of(channel: object, channel_id: int, server: int | None) -> Location:
    """*channel*: of any kind the library has, also of those that are an id and nothing more."""
    if server is None:
        return Location(channel_ids=(channel_id,), direct=True)
    if isinstance(channel, discord.Thread):
        parent = channel.parent
        return Location(
            channel_ids=(channel_id, channel.parent_id),
            category_id=parent.category_id if parent else None,
            complete=parent is not None,
        )
    if isinstance(channel, GuildChannel):
        return Location(channel_ids=(channel_id,), category_id=channel.category_id)
    return Location(channel_ids=(channel_id,), complete=False)
