"""Reads what was said while nobody listened, before anything newer in that channel is answered.

A session that is resumed gets what it missed from Discord. One that begins anew does not: channels in which more
was said than the mark covers are read, newest message first, and what is found goes the way of live events.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import discord

from bot.core.errors import DatabaseUnavailable
from bot.core.handled import DIRECT_MESSAGES, EVERYWHERE, Handled, server_of
from bot.core.ports import Clock, MissedStore
from bot.discord.changed_channels import ChangedChannels, believed
from bot.discord.missed_channels import MissedChannels
from bot.discord.missed_ranges import Listener, MissedRanges
from bot.discord.unread import Unread

log = logging.getLogger(__name__)

SECONDS_TO_READ = 30.0  # how long a channel's next turn waits for what comes before it
SECONDS_BETWEEN_MARKS = 10.0
SECONDS_BETWEEN_TRIES = 5.0  # to read the marks


class CatchUp:
    """Implements bot.core.ports.Missed. It needs `wire` before a session begins."""

    _listener: Listener
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
        self._unread = self._nothing_known()  # another one for each session
        self._changed = ChangedChannels(client, store=store, handled=handled, clock=clock)
        self._channels = MissedChannels(client, changed=self._changed, clock=clock)

    def wire(self, listener: Listener) -> None:
        """Say where goes what was missed."""
        self._listener = listener
        self._channels.ranges = MissedRanges(
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
        self._unread.end()
        self._unread = self._nothing_known()  # the marks wait for this session's reading
        self._told_everything = True
        self._channels.ranges.begin()
        if self._marking is None:
            self._marking = asyncio.create_task(self._keep_marks(), name="watermarks")

    async def learn_marks(self) -> None:
        """Where this session's reading begins."""
        unread = self._unread
        while unread is self._unread and not unread.marks_known.is_set():
            # Until the marks are known nothing is read, and no new ones are written over them.
            try:
                marks = await self._store.read_marks()
            except DatabaseUnavailable as error:
                log.warning("where to begin reading what was missed is not known: %s", error)
                await self._clock.sleep(SECONDS_BETWEEN_TRIES)
                continue
            if unread is self._unread:
                self._handled.resume(believed(marks, started=self._started, now=self._clock.now()))
                unread.marks_known.set()

    def connection_lost(self) -> None:
        """The next one hears Discord before it is told what was missed, or that nobody will tell it."""
        self._told_everything = False

    def session_resumed(self) -> None:
        """RESUMED: Discord has told all that was missed."""
        self._told_everything = True

    async def servers_are_known(self) -> None:
        """The servers have come in: read what is to be read, and then let the marks go on."""
        unread = self._unread
        await unread.marks_known.wait()
        if unread is not self._unread:
            return
        unread.servers_known.set()
        if not unread.is_unsure(EVERYWHERE):
            return
        await self._read_servers([*self._client.guilds, None], also=[EVERYWHERE])
        if unread is self._unread:
            self._channels.ranges.tell()

    def server_goes_away(self, guild: discord.Guild) -> None:
        """When that was, nobody says: maybe long ago, if we are told of it only now.

        What is being read of it then is read anew, too.
        """
        self._unread.begin_anew(guild.id)

    def server_comes_back(self, guild: discord.Guild) -> None:
        """Messages may follow in the same breath: they wait for what was missed there."""
        if self._unread.nothing_but(guild.id):
            self._channels.ranges.begin()  # an absence of its own, with bounds of its own
        self._unread.begin_anew(guild.id)

    async def server_is_back(self, guild: discord.Guild) -> None:
        unread = self._unread
        await unread.marks_known.wait()
        if unread is self._unread and unread.is_unsure(guild.id):
            await self._read_servers([guild])

    def server_left(self, guild: discord.Guild) -> None:
        """There is nothing to be read in it any more."""
        self._unread.found({}, servers=[guild.id])

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
            await self._read_again()  # the store works

    # What the queue asks

    def is_read(self, channel_id: int) -> bool:
        """Or waited for long enough."""
        return self._unread.may_go_on(channel_id)

    async def read(self, channel_id: int) -> None:
        self._unread.try_refused_now(channel_id)
        try:
            async with self._clock.deadline(SECONDS_TO_READ):
                while not self.is_read(channel_id):
                    await self._channels.begin(self._unread, channel_id).ended.wait()
                    self._heed_refusal(channel_id)
        except TimeoutError:
            self._go_on_without(channel_id)

    def _heed_refusal(self, channel_id: int) -> None:
        if not self._unread.is_refused(channel_id):
            return
        if self._unread.refused_for(channel_id, now=self._clock.monotonic()) < SECONDS_TO_READ:
            raise DatabaseUnavailable("what was missed there comes first, and cannot be read")
        self._go_on_without(channel_id)

    def _go_on_without(self, channel_id: int) -> None:
        log.warning("what was missed in channel=%d is not read yet; going on without", channel_id)
        self._unread.give_up_waiting(channel_id)

    async def close(self) -> None:
        if self._marking is not None:
            self._marking.cancel()
            await asyncio.gather(self._marking, return_exceptions=True)
        await self._channels.close()

    # Reading

    async def _read_servers(self, guilds: list[discord.Guild | None], *, also: Sequence[int] = ()) -> None:
        unread = self._unread
        causes = unread.causes.copy()
        channels, unlisted = await self._changed.of(guilds)
        if unread is self._unread:
            servers = [server_of(guild.id if guild else None) for guild in guilds]
            # One that went away or came back meanwhile is looked at by itself.
            servers = [server for server in servers if unread.causes[server] == causes[server]]
            unread.found(channels, servers=[*also, *servers], unlisted=unlisted)
            await self._channels.read_all(unread, list(channels))

    async def _read_again(self) -> None:
        """What could not be stored or read, each channel when it is due."""
        unread = self._unread
        for channel_id, server in self._handled.unstored.items():
            unread.read_again(channel_id, server)
        guilds = [self._client.get_guild(server) for server in unread.unlisted.due()]  # None: DMs
        due = unread.failed.due()
        if guilds or due:
            self._channels.ranges.begin()
            await self._channels.read_all(unread, due)
            await self._read_servers(guilds)

    def _nothing_known(self) -> Unread:
        return Unread(handled=self._handled, server_of=self._server_of, is_away=self._is_away)

    def _server_of(self, channel_id: int) -> int | None:
        channel = self._client.get_channel(channel_id)
        if channel is None:
            return None
        return DIRECT_MESSAGES if isinstance(channel, discord.abc.PrivateChannel) else channel.guild.id

    def _is_away(self, server: int) -> bool:
        guild = self._client.get_guild(server)
        return guild is not None and guild.unavailable
