"""So many a minute, by id: token buckets for what happens now, and a count by the minute for what happened."""

from collections import OrderedDict
from datetime import datetime

from bot.core.ports import Clock

BUCKETS_KEPT = 10_000


class TokenBuckets:
    """Every id may do something *per_minute* times a minute, and as often at once. 0: as often as it likes."""

    def __init__(self, clock: Clock, *, per_minute: int) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._full_at: dict[int, float] = {}

    def wait(self, bucket: int) -> float:
        """Seconds until *bucket* holds a token; 0 now."""
        if not self._per_minute:
            return 0.0
        # A bucket is known by when it will be full again: one token less is that much later.
        lacking = self._full_at.get(bucket, 0.0) - self._clock.monotonic()
        return max(0.0, lacking - 60.0 + 60.0 / self._per_minute)

    def take(self, bucket: int) -> None:
        """Take a token that is there."""
        if not self._per_minute:
            return
        now = self._clock.monotonic()
        if len(self._full_at) >= BUCKETS_KEPT:
            self._full_at = {one: at for one, at in self._full_at.items() if at > now}
        self._full_at[bucket] = max(self._full_at.get(bucket, 0.0), now) + 60.0 / self._per_minute


class Minutes:
    """How many of each id's fell into each minute of the clock, in whatever order they are counted."""

    def __init__(self, *, per_minute: int) -> None:
        self._per_minute = per_minute  # 0: as many as like
        self._counted: OrderedDict[tuple[int, int], int] = OrderedDict()

    def is_full(self, bucket: int, at: datetime) -> bool:
        return 0 < self._per_minute <= self._counted.get(_minute(bucket, at), 0)

    def count(self, bucket: int, at: datetime) -> None:
        if self._per_minute:
            minute = _minute(bucket, at)
            self._counted[minute] = self._counted.get(minute, 0) + 1
            if len(self._counted) > BUCKETS_KEPT:
                self._counted.popitem(last=False)


def _minute(bucket: int, at: datetime) -> tuple[int, int]:
    return bucket, int(at.timestamp() // 60)
