"""What links to messages lead to, and for whom.

A message is read for the one who linked it: if they may read its channel, by the roles that they have now.
Who may not learns no more than that.
"""

import logging
from collections.abc import Sequence

import discord

from bot.core.access import AccessRules
from bot.core.errors import BotError
from bot.core.messages import ConversationKey
from bot.core.ports import Clock
from bot.core.quotes import Link, Opened
from bot.discord.askers import location_of
from bot.discord.inbound import parent_id
from bot.discord.members import Members
from bot.discord.quoting import as_quote
from bot.discord.reading import Readable, may_read
from bot.discord.refusals import REQUEST_ERRORS, is_discords, translate
from bot.discord.words import read_words

log = logging.getLogger(__name__)

SECONDS_TO_READ = 5.0  # for all of them: their author waits for an answer

NOT_READABLE = "I couldn't open a message you linked, since you or I may not read that channel."
GONE = "A message you linked is gone, so I can't read it."
NOT_NOW = "I couldn't open a message you linked, since Discord gave me no answer just now. Please ask again."
WITHOUT_TEXT = "A message you linked has no text that I can read."


class DiscordLinks:
    """Implements bot.core.ports.LinkReader."""

    def __init__(self, client: discord.Client, *, access: AccessRules, clock: Clock) -> None:
        self._client = client
        self._access = access
        self._clock = clock
        self._members = Members(clock)

    async def read(
        self, links: Sequence[Link], *, asker_id: int, key: ConversationKey, guild_id: int | None
    ) -> list[Opened]:
        ends = self._clock.monotonic() + SECONDS_TO_READ
        opened = []
        for link in links:
            try:
                async with self._clock.deadline(max(ends - self._clock.monotonic(), 0.0)):
                    opened.append(await self._open(link, asker_id=asker_id, key=key, guild_id=guild_id))
            except (*REQUEST_ERRORS, BotError) as error:
                obstacle = error if isinstance(error, BotError) else translate(error)
                log.info("not opened: channel=%d message=%d: %s", link.channel_id, link.message_id, obstacle)
                opened.append(Opened(note=NOT_NOW))
        return opened

    async def _open(self, link: Link, *, asker_id: int, key: ConversationKey, guild_id: int | None) -> Opened:
        is_here = link.channel_id == key.channel_id
        channel: Readable | discord.PartialMessageable | None = None
        if guild_id is not None:
            channel = await self._find(link, guild_id=guild_id, asker_id=asker_id, is_here=is_here)
        elif is_here:
            channel = self._client.get_partial_messageable(link.channel_id)
        if channel is None:
            return Opened(note=NOT_READABLE)
        try:
            return self._read(await channel.fetch_message(link.message_id))
        except (discord.NotFound, discord.Forbidden) as error:
            if not is_discords(error):
                raise
            return Opened(note=GONE if isinstance(error, discord.NotFound) else NOT_READABLE)

    async def _find(self, link: Link, *, guild_id: int, asker_id: int, is_here: bool) -> Readable | None:
        """The channel, if both the asker and the bot may read it."""
        guild = await self._guild(guild_id)
        channel = guild and await _channel_in(guild, link.channel_id)
        if guild is None or not isinstance(channel, Readable):
            return None
        if not is_here and (_is_private(channel) or self._is_left_out(channel)):
            return None
        member = await self._members.find(guild, asker_id)
        return channel if member and may_read(channel, member) and may_read(channel, guild.me) else None

    async def _guild(self, guild_id: int) -> discord.Guild | None:
        if self._client.get_guild(guild_id) is None:
            await self._client.wait_until_ready()
        return self._client.get_guild(guild_id)

    def _is_left_out(self, channel: Readable) -> bool:
        location = location_of(channel, channel.id, channel.guild.id)
        return self._access.refuse_place(location) is not None

    def _read(self, message: discord.Message) -> Opened:
        me = self._client.user
        if me is None:
            raise RuntimeError("nothing is read before the login")
        words = read_words(message, me=me)
        if not words.text:
            return Opened(note=words.note or WITHOUT_TEXT)
        quote = as_quote(message, words.text, me=me)
        return Opened(quote=quote, note=words.note, parent_id=parent_id(message.channel))


async def _channel_in(guild: discord.Guild, channel_id: int) -> object:
    """Also an archived thread, of which the library does not know by itself; None: there is none that we see."""
    try:
        return guild.get_channel_or_thread(channel_id) or await guild.fetch_channel(channel_id)
    except discord.InvalidData:
        return None
    except (discord.NotFound, discord.Forbidden) as error:
        if not is_discords(error):
            raise
        return None


def _is_private(channel: Readable) -> bool:
    """Who is in a private thread, only its members know."""
    return isinstance(channel, discord.Thread) and channel.is_private()
