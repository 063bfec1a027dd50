"""So many at once, and so many a minute."""

import pytest

from bot.core.token_buckets import TokenBuckets
from tests.clock import ManualClock


async def test_as_many_at_once_as_in_a_minute_then_one_at_a_time():
    clock = ManualClock()
    buckets = TokenBuckets(clock, per_minute=6)
    for _ in range(6):
        assert buckets.wait(1) == 0
        buckets.take(1)

    assert buckets.wait(1) == pytest.approx(10)
    assert buckets.wait(2) == 0
    await clock.advance(10)
    assert buckets.wait(1) == 0
    buckets.take(1)
    assert buckets.wait(1) == pytest.approx(10)
    await clock.advance(3600)
    for _ in range(6):
        assert buckets.wait(1) == 0
        buckets.take(1)
    assert buckets.wait(1) > 0


async def test_zero_is_no_limit():
    buckets = TokenBuckets(ManualClock(), per_minute=0)
    for _ in range(1000):
        buckets.take(1)
        assert buckets.wait(1) == 0
