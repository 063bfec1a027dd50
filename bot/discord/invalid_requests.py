"""Counts the requests that Discord counts towards a ban of this machine's address: 10,000 in ten minutes."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from bot.core.ports import Clock
from bot.discord.refusals import TOO_MANY_REQUESTS

log = logging.getLogger(__name__)

INVALID_STATUSES = (401, 403, TOO_MANY_REQUESTS)
INVALID_SECONDS = 600.0
INVALID_WORTH_A_WARNING = 1_000
INVALID_TOO_MANY = 8_000


class InvalidRequests:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: deque[float] = deque()
        self.too_many = asyncio.Event()  # Discord would ban us soon: nothing is to go out any more

    def __len__(self) -> int:
        """How many there were in the last ten minutes."""
        forget(self._times, before=self._clock.monotonic() - INVALID_SECONDS)
        return len(self._times)

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """A response to any request."""
        if status not in INVALID_STATUSES or headers.get("X-RateLimit-Scope") == "shared":
            return
        self._times.append(self._clock.monotonic())
        count = len(self)
        if count == INVALID_WORTH_A_WARNING:
            log.warning("Discord refused %d requests in ten minutes; it bans at 10,000", count)
        if count >= INVALID_TOO_MANY and not self.too_many.is_set():
            log.critical("Discord refused %d requests in ten minutes: nothing goes out any more", count)
            self.too_many.set()


def forget(times: deque[float], *, before: float) -> None:
    """Of *times*, in their order, those up to *before*."""
    while times and times[0] <= before:
        times.popleft()
