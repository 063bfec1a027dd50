"""Token buckets by id: so many at once, and so many a minute."""

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
