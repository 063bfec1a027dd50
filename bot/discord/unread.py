"""Which channels are still to be read for what was missed: known for one session, and thrown away with it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from bot.core.handled import EVERYWHERE, Handled


class Unread:
    def __init__(self, *, handled: Handled, server_of: Callable[[int], int | None]) -> None:
        """*server_of* says to which server a channel belongs, or None."""
        self._handled = handled
        self._server_of = server_of
        self._channels: dict[int, int] = {}  # still to be read, with their servers
        self._unsure: set[int] = {
            EVERYWHERE
        }  # servers of which nobody knows yet in which channels something was said
        self.causes: Counter[int] = Counter()  # to read a server anew, so far
        self._read: set[int] = set()
        self._waited_for: set[int] = set()  # long enough: turns go on, the marks do not
        self.readings: dict[int, asyncio.Task[None]] = {}  # under way, by channel; only these are heeded

    @property
    def nothing(self) -> bool:
        return not self._channels and not self._unsure

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

    def server(self, channel_id: int) -> int | None:
        return self._channels.get(channel_id) or self._server_of(channel_id)

    def begin_anew(self, server: int) -> None:
        """Something more was missed there: what was read before, or is being read, says nothing of it."""
        self._handled.begin_to_read(server)
        self.causes[server] += 1
        self._unsure.add(server)
        known = {*self._read, *self._waited_for, *self.readings}
        for channel_id in [each for each in known if self.server(each) in (server, None)]:
            self._read.discard(channel_id)
            self._waited_for.discard(channel_id)
            self.readings.pop(channel_id, None)

    def found(self, channels: Mapping[int, int], *, servers: Collection[int]) -> None:
        """In these channels of these servers something was said, and in no others of theirs."""
        self._channels |= {channel: server for channel, server in channels.items() if channel not in self._read}
        self._unsure -= set(servers)
        for server in servers:
            self._maybe_caught_up(server)

    def done(self, channel_id: int) -> None:
        self._read.add(channel_id)
        self._handled.heard(channel_id)
        server = self._channels.pop(channel_id, None)
        if server is not None:
            self._maybe_caught_up(server)

    def _maybe_caught_up(self, server: int) -> None:
        if self._unsure.isdisjoint((server, EVERYWHERE)) and server not in self._channels.values():
            self._handled.caught_up(server)

    def _is_of_unsure(self, channel_id: int) -> bool:
        if not self._unsure or EVERYWHERE in self._unsure:
            return bool(self._unsure)
        return self._server_of(channel_id) in (None, *self._unsure)
