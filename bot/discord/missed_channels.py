"""Reads the channels of a session, each in a task of its own: what fails waits to be tried again."""

import asyncio
import logging
from collections.abc import Sequence

import discord

from bot.core.errors import BotError, DatabaseUnavailable, DiscordUnavailable, Undeliverable
from bot.core.handled import DIRECT_MESSAGES
from bot.core.ports import Clock
from bot.discord.changed_channels import ChangedChannels
from bot.discord.missed_ranges import MissedRanges
from bot.discord.reading import Readable, may_read
from bot.discord.refusals import REQUEST_ERRORS, translate
from bot.discord.unread import Reading, Unread

log = logging.getLogger(__name__)

CHANNELS_AT_ONCE = 8
SECONDS_FOR_SERVERS = 15.0  # until the servers' channels are known, after the connection


class MissedChannels:
    ranges: MissedRanges  # known before a session begins

    def __init__(self, client: discord.Client, *, changed: ChangedChannels, clock: Clock) -> None:
        self._client = client
        self._changed = changed
        self._clock = clock
        # Of any session: the library does not bear to be cancelled.
        self._under_way: set[asyncio.Task[None]] = set()

    async def read_all(self, unread: Unread, channel_ids: Sequence[int]) -> None:
        """Try each once, unless it is tried already."""
        channels = iter(channel_ids)

        async def read_on() -> None:
            for channel_id in channels:
                if unread.over:
                    return
                if not unread.is_read(channel_id) and (attempt := self.begin(unread, channel_id).attempt):
                    await asyncio.wait({attempt})

        await asyncio.gather(*(read_on() for _ in range(CHANNELS_AT_ONCE)))

    def begin(self, unread: Unread, channel_id: int) -> Reading:
        """The reading under way, which may be one that waits to be tried again."""
        reading = unread.reading(channel_id)
        if reading.attempt is None and not unread.failed.waits(channel_id):
            reading.attempt = attempt = asyncio.create_task(self._try(unread, channel_id, reading))
            self._under_way.add(attempt)
            attempt.add_done_callback(self._under_way.discard)
        return reading

    async def close(self) -> None:
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _try(self, unread: Unread, channel_id: int, reading: Reading) -> None:
        failed, by_database = True, False
        try:
            await unread.marks_known.wait()
            if reading.is_heeded and not unread.is_read(channel_id):
                unread.begin(channel_id)
                await self._take(unread, channel_id, reading)
            failed = False
        except (*REQUEST_ERRORS, BotError) as error:
            obstacle = error if isinstance(error, BotError) else translate(error)
            log.warning("what was missed in channel=%d cannot be read: %s", channel_id, obstacle)
            failed = not isinstance(obstacle, Undeliverable)
            by_database = isinstance(obstacle, DatabaseUnavailable)
        except Exception:
            log.exception("what was missed in channel=%d is not read, after a fault of ours", channel_id)
        server = await self._server_of(unread, channel_id) if failed else None
        reading.attempt = None
        if not reading.is_heeded:
            return
        if server is None:
            unread.done(channel_id)
        else:
            unread.fail(channel_id, server, by_database=by_database)

    async def _server_of(self, unread: Unread, channel_id: int) -> int:
        server = unread.server(channel_id)
        return await self._changed.server_of(channel_id) if server is None else server

    async def _take(self, unread: Unread, channel_id: int, reading: Reading) -> None:
        channel, server = await self._find(unread, channel_id), DIRECT_MESSAGES
        if not isinstance(channel, discord.DMChannel):
            server = channel.guild.id
            if channel.guild.unavailable:
                raise DiscordUnavailable("its server is away")
            if not may_read(channel, channel.guild.me):
                return
        since = self._changed.begins_at(server)
        if since is not None and not _is_quiet(channel, since):
            await self.ranges.take(channel, since, is_heeded=lambda: reading.is_heeded)

    async def _find(self, unread: Unread, channel_id: int) -> Readable | discord.DMChannel:
        channel = self._client.get_channel(channel_id)
        if channel is None:
            async with self._clock.deadline(SECONDS_FOR_SERVERS):
                await unread.servers_known.wait()
            channel = self._client.get_channel(channel_id) or await self._client.fetch_channel(channel_id)
        if not isinstance(channel, Readable | discord.DMChannel):
            raise Undeliverable("nobody writes in such a channel")
        return channel


def _is_quiet(channel: Readable | discord.DMChannel, since: int) -> bool:
    """An archived thread, asked for to learn this."""
    return isinstance(channel, discord.Thread) and (channel.last_message_id or 0) <= since
