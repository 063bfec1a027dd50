"""No more sessions are begun than Discord allows: 1,000 a day, then it resets the token."""

import logging
from collections import deque
from datetime import datetime, timedelta

from discord.http import Route

from bot.core.errors import DatabaseUnavailable
from bot.core.ports import Clock, TurnStore

log = logging.getLogger(__name__)

SESSIONS = 10
WINDOW = timedelta(minutes=15)  # 10 in 15 minutes are 960 a day


class IdentifyPace:
    """When the next IDENTIFY may go out. What earlier processes sent counts, too."""

    def __init__(self, *, application_id: int, store: TurnStore, clock: Clock) -> None:
        self._fact = f"identified:{application_id}@{Route.BASE}"
        self._store = store
        self._clock = clock
        self._sent: deque[datetime] | None = None

    async def wait(self) -> None:
        """Until one may go out, which nobody waits for while a connection is open: it would be lost meanwhile."""
        if self._sent is None:
            self._sent = await self._read()
        while len(self._sent) == SESSIONS and (wait := self._sent[0] + WINDOW - self._clock.now()) > timedelta():
            log.warning("too many sessions were begun of late; the next one waits %.0f s", wait.total_seconds())
            await self._clock.sleep(wait.total_seconds())

    async def count(self) -> None:
        """An IDENTIFY goes out now."""
        if self._sent is None:
            self._sent = await self._read()
        self._sent.append(self._clock.now())
        await self._write(self._sent)

    async def _read(self) -> deque[datetime]:
        try:
            written = await self._store.read_fact(self._fact)
        except DatabaseUnavailable as error:
            log.warning("earlier sessions are not known: %s", error)
            written = None
        times = (written or "").split()
        return deque((datetime.fromisoformat(time) for time in times), maxlen=SESSIONS)

    async def _write(self, sent: deque[datetime]) -> None:
        try:
            await self._store.write_fact(self._fact, " ".join(time.isoformat() for time in sent))
        except DatabaseUnavailable as error:
            log.warning("this session's beginning is not recorded: %s", error)
