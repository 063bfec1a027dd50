"""The load benchmark's table says what was kept."""

import math
from argparse import Namespace
from contextlib import asynccontextmanager
from functools import partial

import pytest

from benchmarks.load import burst, command
from benchmarks.load.record import Question, Record
from benchmarks.load.table import all_within, at_most, below, shown


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


def test_one_line_that_is_over_is_enough_and_what_is_not_judged_is_none():
    assert all_within([at_most("429s", 0, 0), shown("requests", 5)])
    assert not all_within([at_most("429s", 1, 0), below("lag", 1.0, 50.0)])


async def test_the_exit_status_says_whether_anything_was_over(monkeypatch, tmp_path):
    @asynccontextmanager
    async def no_stage(_module):
        yield None

    async def scenario(_stage, _folder, *, refused):
        return [at_most("429s", refused, 0)]

    monkeypatch.setattr(command, "open_stage", no_stage)
    statuses = []
    for refused in (0, 1):
        monkeypatch.setattr(command, "rush", partial(scenario, refused=refused))
        monkeypatch.setattr(
            command, "budget", partial(scenario, refused=0)
        )  # the last one says nothing of the first
        statuses.append(await command.main(Namespace(only=["rush", "budget"], minutes=1.0, folder=tmp_path)))

    assert statuses == [0, 1]


def test_questions_that_were_not_stored_are_told_and_none_of_the_first_counts_as_a_later_one(monkeypatch):
    monkeypatch.setattr(burst, "LATER", 2)
    questions = [Question(number=n, channel=n, author=1, message_id=n, sent_at=0.0) for n in range(1, 6)]
    stored = {1: 9.0, 2: 9.0, 3: 9.0, 5: 0.01}  # the fourth, one of the later ones, is missing
    record = Record(questions=questions, requests=[], standing=[], model_asked={})

    lines = {line.title: line for line in burst._intake(record, stored)}

    assert lines["questions not stored"].figure == "1"
    assert lines["questions not stored"].verdict == "OVER"
    assert lines["intake of the later ones, p99"].verdict == "ok"


@pytest.mark.parametrize(
    ("value", "figure"), [(4751, "4,751 s"), (3, "3 s"), (43.84, "43.8 s"), (0.24, "0.24 s"), (math.nan, "nan s")]
)
def test_a_figure_has_as_many_digits_as_say_something(value, figure):
    assert shown("time", value, unit="s").figure == figure
