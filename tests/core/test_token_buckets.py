"""So many at once, and so many a minute."""

from datetime import timedelta

import pytest

from bot.core import token_buckets
from bot.core.token_buckets import Minutes, TokenBuckets
from tests.clock import START, ManualClock


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


def test_minutes_are_counted_apart_and_no_more_are_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(token_buckets, "BUCKETS_KEPT", 2)
    minutes = Minutes(per_minute=1)
    moments = [START + timedelta(minutes=n) for n in range(3)]

    for moment in moments:
        minutes.count(1, moment)

    assert [minutes.is_full(1, moment + timedelta(seconds=59)) for moment in moments] == [False, True, True]
    assert not minutes.is_full(2, moments[1])
