"""What was erased as a whole is not stored again, and what was said after it is."""

from contextlib import suppress
from datetime import timedelta

import pytest

from bot.core import erasures as erasures_module
from bot.core.erasures import Erasures, Whole
from bot.core.handled import MARGIN
from bot.core.messages import snowflake_at
from bot.core.quotes import Quote
from tests.clock import START, ManualClock
from tests.fakes import message

BEFORE, AFTER = snowflake_at(START), snowflake_at(START + MARGIN + timedelta(seconds=1))


def reached(whole: Whole, **what: object) -> set[int]:
    erasures = Erasures(ManualClock())
    with erasures.erasing(whole):
        pass
    return erasures.reach(message("q", **{"id": BEFORE, "parent_id": 9} | what))


@pytest.mark.parametrize(
    "whole",
    [
        Whole(channel_id=10),
        Whole(channel_id=9),
        Whole(guild_id=5),
        Whole(person=1),
        Whole(person=1, channel_id=10),
    ],
)
def test_what_was_said_before_it_is_erased_and_what_was_said_after_it_is_not(whole):
    assert reached(whole) == {BEFORE}
    assert reached(whole, id=AFTER) == set()


@pytest.mark.parametrize(
    "whole", [Whole(channel_id=11), Whole(guild_id=6), Whole(person=2), Whole(person=1, channel_id=11)]
)
def test_what_is_elsewhere_or_somebody_else_s_is_not_reached(whole):
    assert reached(whole) == set()


def test_in_a_dm_nothing_is_erased_with_a_server():
    assert reached(Whole(guild_id=5), guild_id=None, parent_id=None) == set()


def test_what_a_forgotten_person_said_is_not_brought_along():
    quote = Quote(message_id=BEFORE - 1, author_id=2, author_name="Ben", text="t", raw_text="t")

    assert reached(Whole(person=2), quote=quote) == {BEFORE - 1}


def test_an_erasure_that_fails_does_not_count_and_an_earlier_one_does():
    clock = ManualClock()
    erasures = Erasures(clock)
    for whole in (Whole(person=1), Whole(guild_id=6)):
        with suppress(OSError), erasures.erasing(whole):
            raise OSError
        with erasures.erasing(whole):
            pass
        with suppress(OSError), erasures.erasing(whole):
            raise OSError

    assert Erasures(clock).reach(message("q", id=BEFORE)) == set()
    assert erasures.reach(message("q", id=BEFORE)) == {BEFORE}
    with suppress(OSError), erasures.erasing(Whole(channel_id=12)):
        raise OSError
    assert erasures.reach(message("q", id=BEFORE, channel=12, author=3)) == set()


def test_no_more_are_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(erasures_module, "ERASURES_REMEMBERED", 2)
    erasures = Erasures(ManualClock())
    for person in (1, 2, 3):
        with erasures.erasing(Whole(person=person)):
            pass

    assert [bool(erasures.reach(message("q", id=BEFORE, author=person))) for person in (1, 2, 3)] == [
        False,
        True,
        True,
    ]
