"""The token's limit over all requests: how many may go now, and when the next one.

A request counts from its grant until a second after its response, since nobody knows when in between Discord
counted it.
"""

from collections import deque

from bot.discord.buckets import NEVER
from bot.discord.invalid_requests import forget

REQUESTS_AT_ONCE = 50  # what Discord allows in a second
KEPT_FREE = 2  # of them, while something goes out that could have waited
DRAFTS_AT_ONCE = 40  # what may wait for better times leaves room for what may not
SECONDS_COUNTED = 1.001  # how long a request counts after its response


class LimitOverAll:
    """*exempt*: the limit does not hold for it; *can_wait*: it makes room for what cannot."""

    def __init__(self) -> None:
        self._under_way = 0  # requests that count and have no response yet
        self._responded: deque[float] = deque()  # until when those count that have one
        self._put_off_until = 0.0  # until when something counts that could have waited
        self._paused_until = 0.0
        self._shut_out_until = 0.0  # by Cloudflare: whatever comes from this machine

    def has_room_for_drafts(self, now: float) -> bool:
        return self._used(now) < DRAFTS_AT_ONCE

    def opens_at(self, now: float, *, exempt: bool, can_wait: bool) -> float:
        """When it has room for one more: *now* or earlier at once, infinity if that takes a response."""
        if now < self._shut_out_until:
            return self._shut_out_until
        if exempt:
            return now
        if now < self._paused_until:
            return self._paused_until
        excess = self._used(now) - self._allowed(now, can_wait=can_wait)
        if excess < 0:
            return now
        return self._responded[excess] if excess < len(self._responded) else NEVER

    def granted(self, now: float, *, exempt: bool, can_wait: bool) -> None:
        self._under_way += not exempt
        if can_wait:
            self._put_off_until = max(self._put_off_until, now + SECONDS_COUNTED)

    def given_back(self, *, exempt: bool) -> None:
        """What was granted was not used."""
        self._under_way -= not exempt

    def responded(self, now: float, *, exempt: bool, can_wait: bool) -> None:
        if not exempt:
            self._under_way -= 1
            self.made(now)
            if can_wait:
                self._put_off_until = now + SECONDS_COUNTED

    def made(self, now: float, requests: int = 1) -> None:
        """Count requests that have their response."""
        self._responded.extend([now + SECONDS_COUNTED] * requests)

    def pause(self, *, until: float) -> None:
        self._paused_until = max(self._paused_until, until)

    def shut_out(self, *, until: float) -> None:
        """Not even what is exempt goes out."""
        self._shut_out_until = max(self._shut_out_until, until)

    def _allowed(self, now: float, *, can_wait: bool) -> int:
        if can_wait:
            return DRAFTS_AT_ONCE
        return REQUESTS_AT_ONCE - (KEPT_FREE if now < self._put_off_until else 0)

    def _used(self, now: float) -> int:
        forget(self._responded, before=now)
        return self._under_way + len(self._responded)
