"""In which channels something was missed, and from where on each is to be read."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import discord

from bot.core.errors import DatabaseUnavailable
from bot.core.handled import DIRECT_MESSAGES, EVERYWHERE, Handled, server_of
from bot.core.messages import snowflake_at
from bot.core.ports import Clock, MissedStore
from bot.discord.reading import Readable, may_read

log = logging.getLogger(__name__)

OLDEST_READ = timedelta(hours=24)
MOST_ARCHIVED = 100  # threads of a server: each takes a request to learn whether anything was said there


def believed(marks: Mapping[int, datetime], *, started: datetime, now: datetime) -> dict[int, datetime]:
    """A clock that was ahead for a moment would hide every gap until it is as late as that again.

    *started*, the first run's mark: before that there was no gap, however the clock is set meanwhile.
    """
    marks = {EVERYWHERE: started} | dict(marks)
    marks = {server: min(mark, now) if mark == started else mark for server, mark in marks.items()}
    if ahead := [mark for mark in marks.values() if mark > now]:
        log.warning(
            "the clock says %s, but marks were written at %s: either was wrong; reading %.0f hours back",
            now.isoformat(timespec="seconds"),
            max(ahead).isoformat(timespec="seconds"),
            OLDEST_READ / timedelta(hours=1),
        )
    return {server: mark if mark <= now else now - OLDEST_READ for server, mark in marks.items()}


class Changed(NamedTuple):
    channels: dict[int, int]  # with their servers
    unlisted: set[int]  # servers of which the store did not tell what Discord does not: DMs, and archived threads


class ChangedChannels:
    def __init__(self, client: discord.Client, *, store: MissedStore, handled: Handled, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._handled = handled
        self._clock = clock

    def begins_at(self, server: int) -> int | None:
        """The id behind which a server's messages are to be read; None: none are."""
        mark = self._handled.mark(server)
        return None if mark is None else snowflake_at(max(mark, self._clock.now() - OLDEST_READ))

    async def of(self, guilds: Sequence[discord.Guild | None]) -> Changed:
        """Channels in which more was said than the marks cover, with their servers, the newest first.

        None stands for DMs; of servers that are away nothing is known.
        """
        threads = await self._recent_threads() if any(guilds) else {}
        direct = await self._direct_channels() if None in guilds else []
        # From here on nothing is awaited: whoever is told knows of the same servers that they are away.
        changed: list[tuple[int, int, int]] = []
        unlisted: set[int] = set()
        for guild in guilds:
            server = server_of(guild.id if guild else None)
            since = self.begins_at(server)
            if since is None or (guild and guild.unavailable):
                continue
            quiet = direct
            if guild is not None:
                changed += ((newest, channel_id, server) for newest, channel_id in _changed_in(guild, since))
                quiet = _unknown_threads(guild, threads)
            if quiet is None:
                unlisted.add(server)
            else:
                changed += ((since, channel_id, server) for channel_id in quiet)
        return Changed({channel_id: server for _, channel_id, server in sorted(changed, reverse=True)}, unlisted)

    async def server_of(self, channel_id: int) -> int:
        """Of a channel that the library does not know: that of an archived thread, or DMs."""
        threads = await self._recent_threads() or {}
        return next((server for server, channels in threads.items() if channel_id in channels), DIRECT_MESSAGES)

    async def _recent_threads(self) -> Mapping[int, Sequence[int]] | None:
        """By server, since Discord tells nothing of those that are archived. None: nobody knows."""
        try:
            found = await self._store.recent_threads(after=self._oldest)
        except DatabaseUnavailable as error:
            log.warning("archived threads are not looked at yet for what was missed: %s", error)
            return None
        threads: dict[int, list[int]] = {}
        for server, channel_id in found:
            threads.setdefault(server, []).append(channel_id)
        return threads

    async def _direct_channels(self) -> Sequence[int] | None:
        try:
            return await self._store.direct_channels(after=self._oldest)
        except DatabaseUnavailable as error:
            log.warning("DMs are not looked at yet for what was missed: %s", error)
            return None

    @property
    def _oldest(self) -> int:
        return snowflake_at(self._clock.now() - OLDEST_READ)


def _unknown_threads(guild: discord.Guild, threads: Mapping[int, Sequence[int]] | None) -> Sequence[int] | None:
    if threads is None:
        return None
    return [each for each in threads.get(guild.id, ()) if guild.get_thread(each) is None][:MOST_ARCHIVED]


def _changed_in(guild: discord.Guild, since: int) -> Iterator[tuple[int, int]]:
    for channel in _channels_of(guild):
        newest = channel.last_message_id or 0
        if newest > since and may_read(channel, guild.me):
            yield newest, channel.id


def _channels_of(guild: discord.Guild) -> Iterator[Readable]:
    yield from guild.text_channels
    yield from guild.voice_channels
    yield from guild.stage_channels
    yield from guild.threads
