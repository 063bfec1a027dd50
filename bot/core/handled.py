"""Until when everything that happened in Discord was handled, server by server.

A later start reads what was said since then. The mark of a server stands still while it is away, or while what
happens there cannot be stored.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from bot.core.errors import DatabaseUnavailable
from bot.core.messages import IncomingMessage, snowflake_time

# What stands for a server's id where marks are stored.
EVERYWHERE = 0  # every server that has no mark of its own
DIRECT_MESSAGES = 1

MARGIN = timedelta(seconds=60)  # for events still on their way here, and for a clock that goes wrong
TOLD_REMEMBERED = 10_000
MOST_PASSED_OVER = 31  # marks, one in ten seconds: a server that fails for long is read every five minutes


class Handled:
    def __init__(self) -> None:
        self._everywhere: datetime | None = None
        self._behind: dict[int, datetime] = {}  # the servers with a mark of their own
        self._being_read: dict[int, datetime] = {}  # and those that had one, from where on
        self._failed: set[int] = set()  # of those, the ones that may be read again at once: something failed
        self._tries: dict[int, tuple[int, int]] = {}  # to read those, and how often each is to be passed over
        self._being_stored: Counter[int] = Counter()  # message ids, and how many events are about each
        self._given_up: list[int] = []  # the lowest message id of which something was never stored, if any was
        self._unheard: set[int] = set()  # channels in which somebody asked in vain, and does not know it
        self._told: deque[int] = deque(maxlen=TOLD_REMEMBERED)

    def resume(self, marks: Mapping[int, datetime]) -> None:
        """Go on from where an earlier run's marks stand."""
        self._everywhere = marks.get(EVERYWHERE)
        self._behind = {server: mark for server, mark in marks.items() if server != EVERYWHERE}
        self._being_read = {}
        self._given_up = []  # all from those marks on is compared before any is written: that is made up for

    def mark(self, server: int) -> datetime | None:
        """Since when what was said there is to be read; None: nobody knows yet."""
        marks = (self._behind.get(server), self._being_read.get(server), self._everywhere)
        return min((mark for mark in marks if mark is not None), default=None)

    def due(self) -> list[int]:
        """Servers of which something could not be read or stored, and that may be read now.

        Each is passed over in more and more calls while it goes on failing.
        """
        self._tries = {server: self._tries.get(server, (0, 0)) for server in self._failed}
        due = [server for server, (_, passed_over) in self._tries.items() if not passed_over]
        for server, (tries, passed_over) in self._tries.items():
            again = (tries + 1, min(2**tries - 1, MOST_PASSED_OVER))
            self._tries[server] = (tries, passed_over - 1) if passed_over else again
        return due

    def is_behind(self, server: int) -> bool:
        return server in self._behind

    def fall_behind(self, server: int, *, mark: datetime) -> None:
        """From *mark* on, things happen there that we do not hear of."""
        self._behind[server] = min(mark, self._behind.get(server, mark))

    def fail(self, server: int, *, mark: datetime) -> None:
        """What happened there from *mark* on is to be read again."""
        self._failed.add(server)
        self.fall_behind(server, mark=mark)

    def begin_to_read(self, server: int) -> None:
        """It is being read from its mark on. What is missed there meanwhile is to be read again."""
        mark = self._behind.pop(server, None)
        self._failed.discard(server)
        if mark is not None:
            self._being_read[server] = min(mark, self._being_read.get(server, mark))

    def caught_up(self, server: int) -> None:
        """What was being read there is handled."""
        self._being_read.pop(server, None)

    @contextmanager
    def storing(self, message: IncomingMessage) -> Iterator[None]:
        """While the message is being stored, no mark passes it; if that fails, its server falls behind."""
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
        self.fail(server_of(message.guild_id), mark=snowflake_time(message.message_id) - MARGIN)

    def marks(self, *, told: datetime) -> dict[int, datetime]:
        """The marks, to be stored. *told*: all that happened before, Discord has told."""
        oldest = min([*self._being_stored, *self._given_up], default=None)
        until = told if oldest is None else min(told, snowflake_time(oldest))
        before = self._everywhere
        if before is None or before > told:  # a clock that was ahead
            before = until - MARGIN
        self._everywhere = max(until - MARGIN, before)
        own = {server: min(self._everywhere, mark) for server, mark in self._being_read.items()}
        for server, mark in self._behind.items():
            own[server] = min(mark, own.get(server, mark))
        return own | {EVERYWHERE: self._everywhere}


def server_of(guild_id: int | None) -> int:
    return DIRECT_MESSAGES if guild_id is None else guild_id
