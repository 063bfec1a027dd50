"""Ids as Discord makes them: the clock's time in the high bits, strictly increasing."""

from datetime import UTC, datetime

from bot.core.messages import DISCORD_EPOCH_MS
from bot.core.ports import Clock

TIME_BITS = 22  # Discord reference, "Snowflakes"


class Snowflakes:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def make(self) -> int:
        milliseconds = int(self._clock.now().timestamp() * 1000) - DISCORD_EPOCH_MS
        self._last = max(milliseconds << TIME_BITS, self._last + 1)
        return self._last


def made_at(snowflake: int) -> datetime:
    return datetime.fromtimestamp(((snowflake >> TIME_BITS) + DISCORD_EPOCH_MS) / 1000, UTC)
