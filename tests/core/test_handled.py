"""Marks: until when everything was handled."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.handled import DIRECT_MESSAGES, EVERYWHERE, MARGIN, Handled
from bot.core.messages import snowflake_time
from tests.fakes import message

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
EARLIER = 1_000_000 << 22  # a message's id
SERVER = 5  # of tests.fakes.message


def test_the_mark_is_until_when_discord_has_told_all_less_a_margin():
    assert Handled().marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def test_no_mark_passes_a_message_that_is_being_stored():
    handled = Handled()

    with handled.storing(message("q", id=EARLIER)), handled.storing(message("q", id=EARLIER)):
        held = handled.marks(told=NOON)

    assert held == {EVERYWHERE: snowflake_time(EARLIER) - MARGIN}
    assert handled.marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def test_a_server_whose_message_could_not_be_stored_falls_behind_until_it_is_read_again():
    handled = Handled()

    with pytest.raises(DatabaseUnavailable), handled.storing(message("q", id=EARLIER)):
        raise DatabaseUnavailable

    assert handled.marks(told=NOON)[SERVER] == snowflake_time(EARLIER) - MARGIN
    assert handled.due() == [SERVER]
    assert handled.was_told(EARLIER)
    handled.begin_to_read(SERVER)
    assert handled.mark(SERVER) == snowflake_time(EARLIER) - MARGIN
    assert not handled.due()
    handled.caught_up(SERVER)
    assert handled.marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def test_dms_have_a_mark_of_their_own():
    handled = Handled()

    with pytest.raises(DatabaseUnavailable), handled.storing(message("q", id=EARLIER, guild_id=None)):
        raise DatabaseUnavailable

    assert handled.due() == [DIRECT_MESSAGES]


def test_a_server_that_is_away_keeps_its_oldest_mark():
    handled = Handled()

    handled.fall_behind(SERVER, mark=NOON)
    handled.fall_behind(SERVER, mark=NOON + timedelta(hours=1))

    assert handled.marks(told=NOON + timedelta(hours=2))[SERVER] == NOON


def test_what_falls_behind_anew_while_it_is_read_keeps_its_oldest_mark() -> None:
    handled = Handled()
    handled.resume({EVERYWHERE: NOON + timedelta(hours=1)})
    handled.fall_behind(SERVER, mark=NOON)

    handled.begin_to_read(SERVER)
    handled.fall_behind(SERVER, mark=NOON + timedelta(minutes=30))

    assert handled.mark(SERVER) == handled.marks(told=NOON + timedelta(hours=2))[SERVER] == NOON
    handled.caught_up(SERVER)
    assert handled.mark(SERVER) == NOON + timedelta(minutes=30)


def test_an_earlier_runs_marks_go_on():
    handled = Handled()

    handled.resume({EVERYWHERE: NOON, SERVER: NOON - timedelta(hours=1)})

    assert handled.mark(SERVER) == NOON - timedelta(hours=1)
    assert handled.mark(6) == NOON
    assert Handled().mark(SERVER) is None


def test_a_mark_does_not_go_back() -> None:
    handled = Handled()
    handled.resume({EVERYWHERE: NOON})

    assert handled.marks(told=NOON) == {EVERYWHERE: NOON}
    assert handled.marks(told=NOON + MARGIN / 2) == {EVERYWHERE: NOON}
    assert handled.marks(told=NOON + 2 * MARGIN) == {EVERYWHERE: NOON + MARGIN}


def test_a_mark_from_a_clock_that_was_ahead_goes_back() -> None:
    handled = Handled()
    handled.marks(told=NOON + timedelta(hours=1))

    assert handled.marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def test_no_mark_passes_what_is_changed_until_that_is_stored() -> None:
    handled = Handled()

    with handled.changing([EARLIER + 1, EARLIER]):
        held = handled.marks(told=NOON)

    assert held == {EVERYWHERE: snowflake_time(EARLIER) - MARGIN}
    assert handled.marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def test_a_change_of_an_old_message_lets_no_mark_go_back() -> None:
    handled = Handled()
    handled.resume({EVERYWHERE: NOON})

    with handled.changing([EARLIER]):
        assert handled.marks(told=NOON + 2 * MARGIN) == {EVERYWHERE: NOON}


def test_no_mark_passes_a_change_that_was_given_up() -> None:
    handled = Handled()

    for message_ids in ([EARLIER], [EARLIER + (1 << 40)], []):
        with pytest.raises(DatabaseUnavailable), handled.changing(message_ids):
            raise DatabaseUnavailable

    assert handled.marks(told=NOON) == {EVERYWHERE: snowflake_time(EARLIER) - MARGIN}


def test_marks_go_on_once_all_from_before_a_change_that_was_given_up_is_read_again() -> None:
    handled = Handled()
    with pytest.raises(DatabaseUnavailable), handled.changing([EARLIER]):
        raise DatabaseUnavailable

    handled.resume(handled.marks(told=NOON))

    assert handled.marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def test_no_mark_passes_a_change_that_is_given_up_while_all_is_read_again() -> None:
    handled = Handled()

    def give_up_while_it_is_read() -> None:
        with handled.changing([EARLIER]):
            handled.resume({EVERYWHERE: snowflake_time(EARLIER) - MARGIN})
            raise DatabaseUnavailable

    with pytest.raises(DatabaseUnavailable):
        give_up_while_it_is_read()

    assert handled.marks(told=NOON) == {EVERYWHERE: snowflake_time(EARLIER) - MARGIN}


def test_a_server_that_goes_on_failing_is_read_again_after_longer_and_longer_pauses() -> None:
    handled, read = Handled(), []

    for mark in range(80):
        handled.fail(SERVER, mark=NOON)
        if handled.due():
            read.append(mark)
            handled.begin_to_read(SERVER)

    assert read == [0, 1, 3, 7, 15, 31, 63]


def test_a_server_that_was_read_is_read_at_once_when_it_fails_another_time() -> None:
    handled = Handled()
    for _ in range(3):
        handled.fail(SERVER, mark=NOON)
        handled.due()
    handled.begin_to_read(SERVER)
    handled.due()

    handled.fail(SERVER, mark=NOON)

    assert handled.due() == [SERVER]
