"""Who asks and where, as lists of ids can name them."""

from typing import Any

import discord
from discord.abc import GuildChannel

from bot.core.access import AccessRules, Asker, Location
from bot.core.ports import Clock
from bot.discord.inbound import guild_id
from bot.discord.refusals import REQUEST_ERRORS, translate
from bot.discord.requests import REQUEST_SECONDS

SECONDS_ROLES_HOLD = 60.0
NO_ROLES: frozenset[int] = frozenset()


class Askers:
    """Reads who wrote a message, as far as *rules* ask."""

    def __init__(self, rules: AccessRules, *, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._fetched: dict[tuple[int, int], tuple[float, frozenset[int]]] = {}  # server and person; until when

    async def of_message(self, message: discord.Message) -> Asker:
        """Raises Undeliverable and DiscordUnavailable where Discord has to be asked.

        It has to for messages that are read later, which come without their author's roles.
        """
        server, author = guild_id(message), message.author
        roles = NO_ROLES
        if isinstance(author, discord.Member):
            roles = role_ids(author)
        elif server is not None and self._rules.heed_roles:
            roles = await self._fetch_roles(message, server)
        return Asker(
            user_id=author.id, role_ids=roles, location=location_of(message.channel, message.channel.id, server)
        )

    async def _fetch_roles(self, message: discord.Message, server: int) -> frozenset[int]:
        now = self._clock.monotonic()
        self._fetched = {one: found for one, found in self._fetched.items() if now < found[0]}
        who = (server, message.author.id)
        if who not in self._fetched:
            self._fetched[who] = (now + SECONDS_ROLES_HOLD, await self._ask_for_roles(message))
        return self._fetched[who][1]

    async def _ask_for_roles(self, message: discord.Message) -> frozenset[int]:
        if message.guild is None:
            return NO_ROLES
        try:
            async with self._clock.deadline(REQUEST_SECONDS):
                return role_ids(await message.guild.fetch_member(message.author.id))
        except discord.NotFound:  # no member any more
            return NO_ROLES
        except REQUEST_ERRORS as error:
            raise translate(error) from error


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
