"""What is still to be read: which channels a turn waits for, and which marks stand still."""

from datetime import UTC, datetime, timedelta

import discord
import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.handled import EVERYWHERE, Handled
from bot.discord.missed_channels import MissedChannels
from bot.discord.pauses import Pauses
from bot.discord.unread import Unread
from tests.clock import ManualClock
from tests.fakes import message

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SERVER, CHANNEL, OTHER = 5, 70, 71


def _all_known(*, away: tuple[int, ...] = ()) -> tuple[Handled, Unread]:
    """A session in which the servers are known, and nothing was said in them."""
    handled = Handled()
    handled.resume({EVERYWHERE: NOON})
    unread = Unread(handled=handled, server_of=lambda _: SERVER, is_away=lambda server: server in away)
    unread.found({}, servers=[EVERYWHERE, SERVER])
    return handled, unread


def _own_mark(handled: Handled) -> datetime | None:
    return handled.marks(told=NOON + timedelta(hours=1)).get(SERVER)


def test_what_fails_again_and_again_is_tried_after_longer_and_longer_pauses() -> None:
    pauses, tried = Pauses(), []

    pauses.fail(CHANNEL)
    for mark in range(80):
        if pauses.due():
            tried.append(mark)
            pauses.fail(CHANNEL)

    assert tried == [0, 1, 3, 7, 15, 31, 63]


def test_what_fails_anew_waits_for_no_pause_of_what_failed_before_it() -> None:
    pauses = Pauses()
    for _ in range(5):
        pauses.fail(CHANNEL)

    pauses.fail(OTHER)

    assert pauses.due() == [OTHER]


def test_what_was_over_with_is_tried_with_the_next_mark_when_it_fails_another_time() -> None:
    pauses = Pauses()
    for _ in range(5):
        pauses.fail(CHANNEL)
    pauses.end(CHANNEL)

    pauses.fail(CHANNEL)

    assert pauses.due() == [CHANNEL]


def test_a_channel_that_could_not_be_read_holds_its_server_s_mark_and_no_other() -> None:
    handled, unread = _all_known()
    unread.found({CHANNEL: SERVER, OTHER: SERVER}, servers=[SERVER])

    unread.fail(CHANNEL, SERVER)
    unread.done(OTHER)

    assert unread.nothing
    assert not unread.is_read(CHANNEL)
    assert unread.is_read(OTHER)
    assert _own_mark(handled) == NOON
    unread.done(CHANNEL)
    assert _own_mark(handled) is None


def test_a_server_that_is_away_stays_unsure_and_lets_the_marks_of_others_go_on() -> None:
    handled, unread = _all_known(away=(SERVER,))

    unread.found({}, servers=[EVERYWHERE, SERVER])

    assert unread.nothing
    assert not unread.is_read(CHANNEL)
    assert _own_mark(handled) == NOON


def test_a_reading_is_heeded_no_longer_when_its_server_goes_away() -> None:
    _, unread = _all_known()
    reading = unread.reading(CHANNEL)

    unread.begin_anew(SERVER)

    assert not reading.is_heeded
    assert unread.reading(CHANNEL).is_heeded


def test_a_server_whose_threads_the_store_did_not_tell_keeps_its_mark_until_it_does() -> None:
    handled, unread = _all_known()

    unread.found({CHANNEL: SERVER}, servers=[SERVER], unlisted=[SERVER])
    unread.done(CHANNEL)

    assert unread.unlisted.due() == [SERVER]
    assert _own_mark(handled) == NOON
    unread.found({}, servers=[SERVER])
    assert _own_mark(handled) is None


def test_what_can_be_read_and_never_stored_is_read_again_after_longer_and_longer_pauses() -> None:
    handled, unread = _all_known()
    read = []

    for mark in range(20):
        if not handled.unstored:
            with pytest.raises(DatabaseUnavailable), handled.storing(message("q", id=1, channel=CHANNEL)):
                raise DatabaseUnavailable
        unread.read_again(CHANNEL, SERVER)
        if unread.failed.due():
            read.append(mark)
            unread.begin(CHANNEL)
            with pytest.raises(DatabaseUnavailable), handled.storing(message("q", id=1, channel=CHANNEL)):
                raise DatabaseUnavailable
            unread.done(CHANNEL)

    assert read == [0, 1, 3, 7, 15]


def test_what_was_asked_in_vain_while_its_channel_was_read_is_still_to_be_read() -> None:
    handled, unread = _all_known()
    unread.begin(CHANNEL)
    with pytest.raises(DatabaseUnavailable), handled.storing(message("q", id=1, channel=CHANNEL)):
        raise DatabaseUnavailable
    handled.could_not_tell(message("q", id=1, channel=CHANNEL))

    unread.done(CHANNEL)

    assert not unread.may_go_on(CHANNEL)
    unread.begin(CHANNEL)
    unread.done(CHANNEL)
    assert unread.may_go_on(CHANNEL)


async def test_nothing_more_is_read_for_a_session_that_is_over() -> None:
    _, unread = _all_known()
    unread.found({CHANNEL: SERVER}, servers=[SERVER])
    unread.end()

    await MissedChannels(
        discord.Client(intents=discord.Intents.none()), changed=None, clock=ManualClock()
    ).read_all(unread, [CHANNEL])

    assert CHANNEL not in unread.failed.failed  # as it would, without a connection
