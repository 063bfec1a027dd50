"""Marks: until when everything was handled."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.core.errors import DatabaseUnavailable, SetAside
from bot.core.handled import DIRECT_MESSAGES, EVERYWHERE, MARGIN, Handled
from bot.core.messages import snowflake_at, snowflake_time
from tests.fakes import message

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
EARLIER = 1_000_000 << 22  # a message's id
SERVER = 5  # of tests.fakes.message
CHANNEL = 70


def test_the_mark_is_until_when_discord_has_told_all_less_a_margin():
    assert Handled().marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def test_no_mark_passes_a_message_that_is_being_stored():
    handled = Handled()

    with handled.storing(message("q", id=EARLIER)), handled.storing(message("q", id=EARLIER)):
        held = handled.marks(told=NOON)

    assert held == {EVERYWHERE: snowflake_time(EARLIER) - MARGIN}
    assert handled.marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def _fail_to_store(handled: Handled, message_id: int, **how) -> None:
    with pytest.raises(DatabaseUnavailable), handled.storing(message("q", id=message_id, **how)):
        raise DatabaseUnavailable


def test_a_server_whose_message_could_not_be_stored_falls_behind_until_its_channel_is_read_again():
    handled = Handled()

    _fail_to_store(handled, EARLIER, channel=CHANNEL)

    assert handled.marks(told=NOON)[SERVER] == snowflake_time(EARLIER) - MARGIN
    assert handled.unstored == {CHANNEL: SERVER}
    assert handled.was_told(EARLIER)
    assert handled.begin_to_read(CHANNEL) == SERVER
    assert handled.mark(SERVER) == snowflake_time(EARLIER) - MARGIN
    assert not handled.unstored
    assert handled.begin_to_read(CHANNEL) is None
    handled.caught_up(SERVER)
    assert handled.marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def test_what_could_not_be_stored_in_one_channel_is_not_made_up_for_by_reading_another():
    handled = Handled()
    _fail_to_store(handled, EARLIER, channel=CHANNEL)
    _fail_to_store(handled, EARLIER + 1, channel=CHANNEL + 1)

    handled.begin_to_read(CHANNEL + 1)
    handled.caught_up(SERVER)

    assert handled.marks(told=NOON)[SERVER] == snowflake_time(EARLIER) - MARGIN


def test_dms_have_a_mark_of_their_own():
    handled = Handled()

    _fail_to_store(handled, EARLIER, channel=CHANNEL, guild_id=None)

    assert handled.unstored == {CHANNEL: DIRECT_MESSAGES}
    assert DIRECT_MESSAGES in handled.marks(told=NOON)


def test_a_server_that_is_held_keeps_its_mark_until_it_is_caught_up_with():
    handled = Handled()
    handled.resume({EVERYWHERE: NOON})

    handled.hold(SERVER)
    handled.marks(told=NOON + timedelta(hours=1))
    handled.hold(SERVER)

    assert handled.mark(SERVER) == handled.marks(told=NOON + timedelta(hours=2))[SERVER] == NOON
    handled.caught_up(SERVER)
    assert handled.marks(told=NOON + timedelta(hours=2)) == {EVERYWHERE: NOON + timedelta(hours=2) - MARGIN}


def test_what_could_not_be_stored_while_its_server_is_read_is_to_be_read_again() -> None:
    handled = Handled()
    handled.resume({EVERYWHERE: NOON})
    handled.hold(SERVER)

    later = snowflake_at(NOON + timedelta(minutes=30))
    _fail_to_store(handled, later, channel=CHANNEL)
    handled.caught_up(SERVER)
    handled.marks(told=NOON + timedelta(hours=2))

    assert handled.mark(SERVER) == snowflake_time(later) - MARGIN


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


def test_no_mark_passes_a_change_that_is_set_aside_until_it_is_stored_after_all() -> None:
    aside = {EARLIER}
    handled = Handled(set_aside=lambda: aside)
    with pytest.raises(SetAside), handled.changing([EARLIER]):
        raise SetAside

    held = [handled.marks(told=NOON), handled.marks(told=NOON + MARGIN)]
    aside.clear()

    assert held == [{EVERYWHERE: snowflake_time(EARLIER) - MARGIN}] * 2
    assert handled.marks(told=NOON) == {EVERYWHERE: NOON - MARGIN}


def test_a_mark_beyond_a_change_that_is_set_aside_goes_on() -> None:
    handled = Handled(set_aside=lambda: {EARLIER})
    handled.resume({EVERYWHERE: NOON})

    assert handled.marks(told=NOON + 2 * MARGIN) == {EVERYWHERE: NOON + MARGIN}
