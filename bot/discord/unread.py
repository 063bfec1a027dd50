"""Which channels are still to be read for what was missed: known for one session, and thrown away with it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from bot.core.handled import EVERYWHERE, Handled
from bot.discord.pauses import Pauses


class Reading:
    """A channel's, in as many tries as it takes."""

    def __init__(self) -> None:
        self.attempt: asyncio.Task[None] | None = None  # the one under way
        # The channel is read, or what is read of it may be older than what was missed.
        self.ended = asyncio.Event()

    @property
    def is_heeded(self) -> bool:
        return not self.ended.is_set()


class Unread:
    def __init__(
        self,
        *,
        handled: Handled,
        server_of: Callable[[int], int | None],
        is_away: Callable[[int], bool],
    ) -> None:
        """*server_of* says to which server a channel belongs, or None."""
        self._handled = handled
        self._server_of = server_of
        self._is_away = is_away
        self.over = False
        self.marks_known = asyncio.Event()
        self.servers_known = asyncio.Event()
        self._channels: dict[int, int] = {}  # still to be read, with their servers
        self.failed = Pauses()  # channels that could not be read
        self.unlisted = Pauses()  # servers whose archived threads the store did not tell, or DMs
        # Servers of which nobody knows yet in which channels something was said: those that are away stay here.
        self._unsure: set[int] = {EVERYWHERE}
        self.causes: Counter[int] = Counter()  # to read a server anew, so far
        self._read: set[int] = set()
        self._waited_for: set[int] = set()  # long enough: turns go on, the marks do not
        self._refused: set[int] = set()  # by the database, when they were read last
        self._refused_since: dict[int, float] = {}  # monotonic seconds: when a turn first waited in vain for that
        self._readings: dict[int, Reading] = {}  # only these are heeded

    @property
    def nothing(self) -> bool:
        """But for what has a mark of its own: servers that are away, and what could not be read."""
        return self.nothing_but(None)

    def nothing_but(self, server: int | None) -> bool:
        return all(map(self.failed.waits, self._channels)) and all(map(self._is_away, self._unsure - {server}))

    def is_unsure(self, server: int) -> bool:
        """Nobody knows yet in which of its channels something was said."""
        return server in self._unsure

    def is_read(self, channel_id: int) -> bool:
        if channel_id in self._channels or self._handled.is_unheard(channel_id):
            return False
        return channel_id in self._read or not self._is_of_unsure(channel_id)

    def may_go_on(self, channel_id: int) -> bool:
        return channel_id in self._waited_for or self.is_read(channel_id)

    def give_up_waiting(self, channel_id: int) -> None:
        self._waited_for.add(channel_id)

    def is_refused(self, channel_id: int) -> bool:
        """The database did not let it be read, and no turn has tried that again."""
        return channel_id in self._refused

    def refused_for(self, channel_id: int, *, now: float) -> float:
        """For how many seconds turns there have waited for the database."""
        return now - self._refused_since.setdefault(channel_id, now)

    def try_refused_now(self, channel_id: int) -> None:
        """Somebody asked there, so the database works again: the pause is over."""
        if channel_id in self._refused:
            self._refused.discard(channel_id)
            self._waited_for.discard(channel_id)
            self.failed.end(channel_id)

    def server(self, channel_id: int) -> int | None:
        return self._channels.get(channel_id) or self._server_of(channel_id)

    def reading(self, channel_id: int) -> Reading:
        return self._readings.setdefault(channel_id, Reading())

    def begin_anew(self, server: int) -> None:
        """Something more was missed there: what was read before, or is being read, says nothing of it."""
        self._handled.hold(server)
        self.causes[server] += 1
        self._unsure.add(server)
        known = {*self._read, *self._waited_for, *self._readings, *self._channels}
        for channel_id in [each for each in known if self.server(each) in (server, None)]:
            self._forget(channel_id)

    def found(
        self, channels: Mapping[int, int], *, servers: Collection[int], unlisted: Collection[int] = ()
    ) -> None:
        """In these channels of these servers something was said, and in no others of theirs that are listed."""
        self._channels |= {channel: server for channel, server in channels.items() if channel not in self._read}
        for server in servers:
            if server in unlisted:
                self._handled.hold(server)
                self.unlisted.fail(server)
            else:
                self.unlisted.end(server)
            if self._is_away(server):
                self._handled.hold(server)
                self._unsure.add(server)
            else:
                self._unsure.discard(server)
        for server in servers:
            self._maybe_caught_up(server)

    def begin(self, channel_id: int) -> None:
        """It is being read, also for what could not be stored there until now."""
        if (server := self._handled.begin_to_read(channel_id)) is not None:
            self._channels[channel_id] = server

    def done(self, channel_id: int) -> None:
        unstored = self._handled.unstored
        if channel_id in unstored and self._handled.is_unheard(channel_id):
            # Somebody asked in vain since this reading began, which may have been past that already.
            self.fail(channel_id, unstored[channel_id], by_database=True)
            return
        reading, server = self._readings.pop(channel_id, Reading()), self._channels.pop(channel_id, None)
        self._read.add(channel_id)
        self._handled.heard(channel_id)
        self._no_longer_refused(channel_id)
        if channel_id not in self._handled.unstored:
            self.failed.end(channel_id)
        if server is not None:
            self._maybe_caught_up(server)
        reading.ended.set()

    def fail(self, channel_id: int, server: int, *, by_database: bool = False) -> None:
        """It is tried again. Its server's own mark stays until then.

        *by_database*: whoever waits for it waits for the database, and is told so.
        """
        self._handled.hold(server)
        self._channels[channel_id] = server
        self.failed.fail(channel_id)
        if by_database:
            self._refused.add(channel_id)
            self._readings.pop(channel_id, Reading()).ended.set()

    def read_again(self, channel_id: int, server: int) -> None:
        """Something said there could not be stored."""
        if channel_id not in self._channels and channel_id not in self._readings:
            self.fail(channel_id, server)

    def end(self) -> None:
        """Another session has begun: nobody is to wait for this one's."""
        self.over = True
        self.marks_known.set()
        self.servers_known.set()
        for reading in self._readings.values():
            reading.ended.set()

    def _forget(self, channel_id: int) -> None:
        self._read.discard(channel_id)
        self._waited_for.discard(channel_id)
        self._channels.pop(channel_id, None)
        self._no_longer_refused(channel_id)
        self.failed.end(channel_id)
        self._readings.pop(channel_id, Reading()).ended.set()

    def _no_longer_refused(self, channel_id: int) -> None:
        self._refused.discard(channel_id)
        self._refused_since.pop(channel_id, None)

    def _maybe_caught_up(self, server: int) -> None:
        known = self._unsure.isdisjoint((server, EVERYWHERE)) and server not in self.unlisted.failed
        if known and server not in self._channels.values():
            self._handled.caught_up(server)

    def _is_of_unsure(self, channel_id: int) -> bool:
        # Of what the store did not list nobody knows, either: whoever asks there has that one channel read.
        unsure = self._unsure | self.unlisted.failed
        if not unsure or EVERYWHERE in unsure:
            return bool(unsure)
        return self._server_of(channel_id) in (None, *unsure)
