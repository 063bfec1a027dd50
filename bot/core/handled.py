"""Until when everything that happened in Discord was handled, server by server.

A later start reads what was said since then. The mark of a server stands still while it is away, or while what
happens there cannot be stored.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from bot.core.errors import DatabaseUnavailable, SetAside
from bot.core.messages import IncomingMessage, snowflake_time

# What stands for a server's id where marks are stored.
EVERYWHERE = 0  # every server that has no mark of its own
DIRECT_MESSAGES = 1

MARGIN = timedelta(seconds=60)  # for events still on their way here, and for a clock that goes wrong
TOLD_REMEMBERED = 10_000


class Handled:
    def __init__(self, *, set_aside: Callable[[], Collection[int]] = tuple) -> None:
        """*set_aside*: of which messages something is not stored yet, whatever `changing` was told."""
        self._set_aside = set_aside
        self._everywhere: datetime | None = None
        self._held: dict[int, datetime] = {}  # the marks of servers that are away, or not read to the end
        # By channel: its server, and from where on it is read again.
        self._unstored: dict[int, tuple[int, datetime]] = {}
        self._being_stored: Counter[int] = Counter()  # message ids, and how many events are about each
        self._given_up: list[int] = []  # the lowest message id of which something was never stored, if any was
        self._unheard: set[int] = set()  # channels in which somebody asked in vain, and does not know it
        self._told: deque[int] = deque(maxlen=TOLD_REMEMBERED)

    def resume(self, marks: Mapping[int, datetime]) -> None:
        """Go on from where an earlier run's marks stand."""
        self._everywhere = marks.get(EVERYWHERE)
        self._held = {server: mark for server, mark in marks.items() if server != EVERYWHERE}
        self._unstored = {}
        self._given_up = []  # all from those marks on is compared before any is written: that is made up for

    def mark(self, server: int) -> datetime | None:
        """Since when what was said there is to be read; None: nobody knows yet."""
        marks = (self._own_marks().get(server), self._everywhere)
        return min((mark for mark in marks if mark is not None), default=None)

    @property
    def unstored(self) -> Mapping[int, int]:
        """Channels in which something could not be stored, with their servers: they are to be read again."""
        return {channel_id: server for channel_id, (server, _) in self._unstored.items()}

    def hold(self, server: int) -> None:
        """It keeps the mark that it has until it is caught up with."""
        if (mark := self.mark(server)) is not None:
            self._held[server] = mark

    def begin_to_read(self, channel_id: int) -> int | None:
        """Its server, which is held until that is done, if something could not be stored in the channel."""
        if channel_id not in self._unstored:
            return None
        server, _ = self._unstored[channel_id]
        self.hold(server)
        del self._unstored[channel_id]
        return server

    def caught_up(self, server: int) -> None:
        """All that was to be read there is handled."""
        self._held.pop(server, None)

    @contextmanager
    def storing(self, message: IncomingMessage) -> Iterator[None]:
        """While the message is being stored, no mark passes it; if that fails, its channel is to be read again."""
        with self._holding([message.message_id]):
            try:
                yield
            except DatabaseUnavailable:
                self._told.append(message.message_id)  # which is about to happen
                self._read_again(message)
                raise

    @contextmanager
    def changing(self, message_ids: Collection[int]) -> Iterator[None]:
        """While an edit or deletion of these is being stored, no mark passes them; if it never is, none will."""
        with self._holding(message_ids):
            try:
                yield
            except SetAside:  # it may be, later
                raise
            except DatabaseUnavailable:
                self._given_up = sorted([*self._given_up, *message_ids])[:1]
                raise

    @contextmanager
    def _holding(self, message_ids: Collection[int]) -> Iterator[None]:
        self._being_stored.update(message_ids)
        try:
            yield
        finally:
            for message_id in message_ids:
                self._being_stored[message_id] -= 1
                if not self._being_stored[message_id]:
                    del self._being_stored[message_id]

    def could_not_tell(self, message: IncomingMessage) -> None:
        """Its author does not know that it was not stored: it is read again, and answered then."""
        with suppress(ValueError):
            self._told.remove(message.message_id)
        self._unheard.add(message.key.channel_id)
        self._read_again(message)

    def is_unheard(self, channel_id: int) -> bool:
        """A question there is read again, and comes before any newer one."""
        return channel_id in self._unheard

    def heard(self, channel_id: int) -> None:
        """What was asked there is read, or cannot be had."""
        self._unheard.discard(channel_id)

    def was_told(self, message_id: int) -> bool:
        """Its author knows that it was not stored, and is not answered later."""
        return message_id in self._told

    def _read_again(self, message: IncomingMessage) -> None:
        channel_id, mark = message.key.channel_id, snowflake_time(message.message_id) - MARGIN
        _, earlier = self._unstored.get(channel_id, (None, mark))
        self._unstored[channel_id] = (server_of(message.guild_id), min(mark, earlier))

    def marks(self, *, told: datetime) -> dict[int, datetime]:
        """The marks, to be stored. *told*: all that happened before, Discord has told."""
        oldest = min([*self._being_stored, *self._given_up, *self._aside_beyond_the_mark()], default=None)
        until = told if oldest is None else min(told, snowflake_time(oldest))
        before = self._everywhere
        if before is None or before > told:  # a clock that was ahead
            before = until - MARGIN
        self._everywhere = max(until - MARGIN, before)
        own = {server: min(self._everywhere, mark) for server, mark in self._own_marks().items()}
        return own | {EVERYWHERE: self._everywhere}

    def _aside_beyond_the_mark(self) -> Iterator[int]:
        """What the mark has passed is not read again, however long it stands still for that."""
        for message_id in self._set_aside():
            if self._everywhere is None or snowflake_time(message_id) > self._everywhere:
                yield message_id

    def _own_marks(self) -> dict[int, datetime]:
        own = dict(self._held)
        for server, mark in self._unstored.values():
            own[server] = min(mark, own.get(server, mark))
        return own


def server_of(guild_id: int | None) -> int:
    return DIRECT_MESSAGES if guild_id is None else guild_id
