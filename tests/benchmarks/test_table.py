"""The load benchmark's table says what was kept."""

import math

import pytest

from benchmarks.load.table import at_most, below, shown


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (at_most("429s", 0, 0), "ok"),
        (at_most("429s", 1, 0), "OVER"),
        (below("intake", 49.9, 50.0), "ok"),
        (below("intake", 50.0, 50.0), "OVER"),
        (below("intake", math.nan, 50.0), "OVER"),
        (below("lag", math.inf, 50.0), "OVER"),
        (shown("requests", 5), ""),
    ],
)
def test_what_is_above_what_is_allowed_is_over(line, verdict):
    assert line.verdict == verdict


@pytest.mark.parametrize(
    ("value", "figure"), [(4751, "4,751 s"), (3, "3 s"), (43.84, "43.8 s"), (0.24, "0.24 s"), (math.nan, "nan s")]
)
def test_a_figure_has_as_many_digits_as_say_something(value, figure):
    assert shown("time", value, unit="s").figure == figure
