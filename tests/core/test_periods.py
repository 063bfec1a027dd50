"""Days and months by UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.core.periods import Period


@pytest.mark.parametrize(
    ("moment", "day", "next_day", "month", "next_month"),
    [
        ("2026-11-26T23:59:59.9", "2026-11-26", "2026-11-27", "2026-11-01", "2026-12-01"),
        ("2026-12-31T00:00:00", "2026-12-31", "2027-01-01", "2026-12-01", "2027-01-01"),
        ("2028-01-31T12:00:00", "2028-01-31", "2028-02-01", "2028-01-01", "2028-02-01"),
        ("2028-02-29T12:00:00", "2028-02-29", "2028-03-01", "2028-02-01", "2028-03-01"),
    ],
)
def test_a_day_and_a_month_begin_and_end_at_midnight(moment, day, next_day, month, next_month):
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    bounds = [edge(at).isoformat() for period in Period for edge in (period.start, period.end)]

    assert bounds == [f"{edge}T00:00:00+00:00" for edge in (day, next_day, month, next_month)]


def test_the_day_is_that_of_utc_wherever_the_clock_is():
    at = datetime(2026, 11, 27, 1, 0, tzinfo=timezone(timedelta(hours=5)))

    assert Period.DAY.start(at) == datetime(2026, 11, 26, tzinfo=UTC)
