"""What an estimated token is worth is learned from what providers report, and from no report alone."""

from dataclasses import replace

import pytest

from bot.core import token_rates
from bot.core.messages import Conversation, ConversationKey
from bot.core.token_rates import HIGHEST_RATE, LOWEST_RATE, TokenRates

HERE = Conversation(id=1, key=ConversationKey(channel_id=10), guild_id=None, labelled=False)
THERE = replace(HERE, id=2)


def learn(rates, conversation, *reports):
    """*reports*: by how much more tokens each request had than the uncorrected estimate says; all rates since."""
    since = [conversation.token_rate]
    for true in reports:
        at = replace(conversation, token_rate=since[-1])
        learned = rates.learned(at, estimated=round(1000 * since[-1]), reported=round(1000 * true))
        since.append(since[-1] if learned is None else learned)
    return since


@pytest.mark.parametrize("true", [0.4, 0.62, 1.0, 1.9, 2.8])
def test_after_ten_reports_it_is_known(true):
    assert learn(TokenRates(), HERE, *[true] * 10)[-1] == pytest.approx(true, rel=0.02)


@pytest.mark.parametrize("odd", [6.0, 1.2, 0.3, 0.06])
@pytest.mark.parametrize("begun_anew", [False, True])
def test_one_odd_report_changes_nothing_then_and_later(odd, begun_anew):
    usual = 0.6
    rates, known = TokenRates(), replace(HERE, token_rate=usual)
    if not begun_anew:
        learn(rates, known, usual, usual)

    assert learn(rates, known, odd, *[usual] * 8) == [pytest.approx(usual)] * 10


def test_odd_reports_now_and_then_change_nothing():
    known = replace(HERE, token_rate=0.6)

    assert learn(TokenRates(), known, *[6.0, 0.6, 0.6] * 9) == [pytest.approx(0.6)] * 28


def test_what_two_reports_say_is_believed_half_at_a_time():
    known = replace(HERE, token_rate=0.8)

    assert learn(TokenRates(), known, 0.6, 0.6, 0.6) == [0.8, 0.8, pytest.approx(0.7), pytest.approx(0.65)]


def test_each_conversation_has_reports_of_its_own():
    rates = TokenRates()
    learn(rates, THERE, 2.0)

    assert learn(rates, HERE, 2.0) == [1.0, 1.0]


def test_of_more_conversations_than_are_kept_the_longest_silent_is_forgotten(monkeypatch):
    monkeypatch.setattr(token_rates, "REPORTS_KEPT", 1)
    rates = TokenRates()
    learn(rates, HERE, 2.0)
    learn(rates, THERE, 2.0)

    assert learn(rates, HERE, 2.0) == [1.0, 1.0]
    assert learn(rates, HERE, 2.0) == [1.0, 1.5]


def test_it_stays_within_bounds_whatever_is_reported():
    assert learn(TokenRates(), HERE, *[0.001] * 20)[-1] == pytest.approx(LOWEST_RATE, rel=0.02)
    assert learn(TokenRates(), HERE, *[900.0] * 20)[-1] == pytest.approx(HIGHEST_RATE, rel=0.02)


@pytest.mark.parametrize(("estimated", "reported"), [(1000, None), (1000, 0), (None, 900), (0, 900)])
def test_nothing_is_learned_of_what_is_not_reported(estimated, reported):
    rates = TokenRates()
    learn(rates, HERE, 0.5)

    assert rates.learned(HERE, estimated=estimated, reported=reported) is None
    assert learn(rates, HERE, 0.5)[-1] == pytest.approx(0.75)


@pytest.mark.parametrize("reported", [1000, 1005])
def test_a_difference_that_is_not_worth_a_write_is_none(reported):
    rates = TokenRates()
    rates.learned(HERE, estimated=1000, reported=reported)

    assert rates.learned(HERE, estimated=1000, reported=reported) is None
