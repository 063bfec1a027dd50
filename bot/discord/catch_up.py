"""Reads what was said while nobody listened, before anything newer in that channel is answered.

A session that is resumed gets what it missed from Discord. One that begins anew does not: channels in which more
was said than the mark covers are read, newest message first, and what is found goes the way of live events.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import discord

from bot.core.errors import BotError, DatabaseUnavailable, Undeliverable
from bot.core.handled import DIRECT_MESSAGES, EVERYWHERE, MARGIN, Handled, server_of
from bot.core.ports import Clock, MissedStore
from bot.discord.changed_channels import ChangedChannels, believed
from bot.discord.missed_ranges import Listener, MissedRanges
from bot.discord.reading import Readable, may_read
from bot.discord.refusals import REQUEST_ERRORS, translate
from bot.discord.unread import Unread

log = logging.getLogger(__name__)

CHANNELS_AT_ONCE = 8
SECONDS_TO_READ = 30.0  # how long a channel's next turn waits for what comes before it
SECONDS_FOR_SERVERS = 15.0  # until the servers' channels are known, after the connection
SECONDS_BETWEEN_MARKS = 10.0
SECONDS_BETWEEN_TRIES = 5.0  # to read the marks


class CatchUp:
    """Implements bot.core.ports.Missed. It needs `wire` before a session begins."""

    _listener: Listener
    _ranges: MissedRanges
    _started: datetime  # where reading begins if nothing was ever handled

    def __init__(
        self,
        client: discord.Client,
        *,
        store: MissedStore,
        handled: Handled,
        clock: Clock,
        answer_within: timedelta,
    ) -> None:
        self._client = client
        self._store = store
        self._handled = handled
        self._clock = clock
        self._answer_within = answer_within
        self._marking: asyncio.Task[None] | None = None
        self._told_everything = False  # no connection was lost whose missed events are still to come
        self._marks_known = asyncio.Event()
        self._servers_known = asyncio.Event()
        self._unread = self._nothing_known()  # another one for each session
        self._under_way: set[asyncio.Task[None]] = set()  # in any: the library does not bear to be cancelled
        self._changed = ChangedChannels(client, store=store, handled=handled, clock=clock)

    def wire(self, listener: Listener) -> None:
        """Say where goes what was missed."""
        self._listener = listener
        self._ranges = MissedRanges(
            listener,
            store=self._store,
            handled=self._handled,
            clock=self._clock,
            answer_within=self._answer_within,
        )

    # A session's life, as the client's events tell it

    async def before_sessions(self) -> None:
        """The first run starts at now: that must be known before anything is said that could be missed."""
        self._started = self._clock.now()
        try:
            marks = await self._store.read_marks()
            if EVERYWHERE not in marks:
                await self._store.write_marks({EVERYWHERE: self._started})
        except DatabaseUnavailable as error:
            log.warning("where to begin reading what was missed is not known: %s", error)

    def session_begins(self) -> None:
        """READY: what was said before it will not be told. Messages may follow in the same breath."""
        self._unread = self._nothing_known()  # the marks wait for this session's reading
        self._told_everything = True
        for known in (self._marks_known, self._servers_known):
            known.clear()
        self._ranges.begin()
        if self._marking is None:
            self._marking = asyncio.create_task(self._keep_marks(), name="watermarks")

    async def learn_marks(self) -> None:
        """Where this session's reading begins."""
        unread = self._unread
        while unread is self._unread and not self._marks_known.is_set():
            # Until the marks are known nothing is read, and no new ones are written over them.
            try:
                marks = await self._store.read_marks()
            except DatabaseUnavailable as error:
                log.warning("where to begin reading what was missed is not known: %s", error)
                await self._clock.sleep(SECONDS_BETWEEN_TRIES)
                continue
            if unread is self._unread:
                self._handled.resume(believed(marks, started=self._started, now=self._clock.now()))
                self._marks_known.set()

    def connection_lost(self) -> None:
        """The next one hears Discord before it is told what was missed, or that nobody will tell it."""
        self._told_everything = False

    def session_resumed(self) -> None:
        """RESUMED: Discord has told all that was missed."""
        self._told_everything = True

    async def servers_are_known(self) -> None:
        """The servers have come in: read what is to be read, and then let the marks go on."""
        unread = self._unread
        await self._marks_known.wait()
        if unread is not self._unread:
            return
        self._servers_known.set()
        if not unread.is_unsure(EVERYWHERE):
            return
        await self._read_servers([*self._client.guilds, None], also=[EVERYWHERE])
        if unread is self._unread:
            self._ranges.tell()

    def server_goes_away(self, guild: discord.Guild) -> None:
        """When that was, nobody says: maybe long ago, if we are told of it only now.

        What is being read of it then is read anew, too.
        """
        self._handled.fall_behind(guild.id, mark=self._handled.mark(guild.id) or self._clock.now() - MARGIN)

    def server_comes_back(self, guild: discord.Guild) -> None:
        """Messages may follow in the same breath: they wait for what was missed there."""
        self._begin_anew(guild.id)

    async def server_is_back(self, guild: discord.Guild) -> None:
        unread = self._unread
        await self._marks_known.wait()
        if unread is self._unread and unread.is_unsure(guild.id):
            await self._read_servers([guild])

    async def _keep_marks(self) -> None:
        """Write, over and over, until when everything was handled."""
        while True:
            await self._clock.sleep(SECONDS_BETWEEN_MARKS)
            until = self._listener.told_until()
            if until is None or not (self._told_everything and self._unread.nothing):
                continue  # nobody is there to hear anything, or what was missed is still being told or read
            try:
                # A clock that was set back meanwhile makes no mark of the future.
                await self._store.write_marks(self._handled.marks(told=min(until, self._clock.now())))
            except DatabaseUnavailable as error:
                log.debug("the marks stay where they are: %s", error)
                continue
            for server in self._handled.due():  # the store works again
                guild = self._client.get_guild(server)
                if guild is not None or server == DIRECT_MESSAGES:
                    await self._catch_up_with(guild)
                else:
                    self._handled.begin_to_read(server)  # we left it
                    self._handled.caught_up(server)

    # What the queue asks

    def is_read(self, channel_id: int) -> bool:
        """Or waited for long enough."""
        return self._unread.may_go_on(channel_id)

    async def read(self, channel_id: int) -> None:
        try:
            async with self._clock.deadline(SECONDS_TO_READ):
                while not self.is_read(channel_id):
                    await asyncio.wait({self._begin(channel_id)})
        except TimeoutError:
            log.warning("what was missed in channel=%d is not read yet; going on without", channel_id)
            self._unread.give_up_waiting(channel_id)

    async def close(self) -> None:
        tasks = [*self._under_way, *([self._marking] if self._marking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Reading

    async def _catch_up_with(self, guild: discord.Guild | None) -> None:
        """One server was away, or what was said there could not be stored."""
        await self._read_servers([guild])

    async def _read_servers(self, guilds: list[discord.Guild | None], *, also: Sequence[int] = ()) -> None:
        unread = self._unread
        servers = [server_of(guild.id if guild else None) for guild in guilds]
        for server in servers:
            if self._handled.is_behind(server):  # maybe since some of its channels were read
                self._begin_anew(server)
        causes = unread.causes.copy()
        channels = await self._changed.of(guilds)
        if unread is self._unread:
            # One that came back meanwhile is looked at by itself.
            servers = [server for server in servers if unread.causes[server] == causes[server]]
            unread.found(channels, servers=[*also, *servers])
            await self._read_all(list(channels))

    def _begin_anew(self, server: int) -> None:
        if self._unread.nothing:
            self._ranges.begin()  # an absence of its own, with bounds of its own
        self._unread.begin_anew(server)

    async def _read_all(self, channel_ids: list[int]) -> None:
        channels, unread = iter(channel_ids), self._unread

        async def read_on() -> None:
            for channel_id in channels:
                while unread is self._unread and not unread.is_read(channel_id):
                    await asyncio.wait({self._begin(channel_id)})

        await asyncio.gather(*(read_on() for _ in range(CHANNELS_AT_ONCE)))

    def _begin(self, channel_id: int) -> asyncio.Task[None]:
        """The reading under way, unless what it reads may be older than what was missed."""
        readings = self._unread.readings
        reading = readings.get(channel_id)
        if reading is None:
            reading = readings[channel_id] = asyncio.create_task(self._read_channel(channel_id))
            self._under_way.add(reading)
            reading.add_done_callback(self._under_way.discard)
        return reading

    async def _read_channel(self, channel_id: int) -> None:
        unread, this = self._unread, asyncio.current_task()

        def is_heeded() -> bool:
            return unread is self._unread and unread.readings.get(channel_id) is this

        try:
            await self._marks_known.wait()
            if is_heeded() and not unread.is_read(channel_id):
                await self._take(channel_id, is_heeded)
        except (*REQUEST_ERRORS, BotError) as error:
            obstacle = error if isinstance(error, BotError) else translate(error)
            log.warning("what was missed in channel=%d cannot be read: %s", channel_id, obstacle)
            if is_heeded() and not isinstance(obstacle, Undeliverable):
                self._read_later(channel_id)
        except Exception:
            log.exception("what was missed in channel=%d is not read, after a fault of ours", channel_id)
            if is_heeded():
                self._read_later(channel_id)
        if is_heeded():
            del unread.readings[channel_id]
            unread.done(channel_id)

    def _read_later(self, channel_id: int) -> None:
        server = self._unread.server(channel_id) or DIRECT_MESSAGES
        mark = self._handled.mark(server)
        if mark is not None:
            self._handled.fail(server, mark=mark)

    async def _take(self, channel_id: int, is_heeded: Callable[[], bool]) -> None:
        channel, server = await self._find(channel_id), DIRECT_MESSAGES
        if not isinstance(channel, discord.DMChannel):
            server = channel.guild.id
            if not may_read(channel, channel.guild.me):  # a server that is away is read when it is back
                return
        since = self._changed.begins_at(server)
        if since is not None and not _is_quiet(channel, since):
            await self._ranges.take(channel, since, is_heeded=is_heeded)

    async def _find(self, channel_id: int) -> Readable | discord.DMChannel:
        channel = self._client.get_channel(channel_id)
        if channel is None:
            async with self._clock.deadline(SECONDS_FOR_SERVERS):
                await self._servers_known.wait()
            channel = self._client.get_channel(channel_id) or await self._client.fetch_channel(channel_id)
        if not isinstance(channel, Readable | discord.DMChannel):
            raise Undeliverable("nobody writes in such a channel")
        return channel

    def _nothing_known(self) -> Unread:
        return Unread(handled=self._handled, server_of=self._server_of)

    def _server_of(self, channel_id: int) -> int | None:
        channel = self._client.get_channel(channel_id)
        if channel is None:
            return None
        return DIRECT_MESSAGES if isinstance(channel, discord.abc.PrivateChannel) else channel.guild.id


def _is_quiet(channel: Readable | discord.DMChannel, since: int) -> bool:
    """An archived thread, asked for to learn this."""
    return isinstance(channel, discord.Thread) and (channel.last_message_id or 0) <= since
