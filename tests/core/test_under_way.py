"""What is remembered of an answer between two of its take-ups, and when that is forgotten."""

import pytest

from bot.core.errors import Reworded, Withdrawn
from bot.core.messages import Erased
from bot.core.tokens import TokenBudget
from bot.core.under_way import UnderWay
from tests.fakes import FakeStore, message


@pytest.fixture
async def taken():
    received = await FakeStore().receive(message("q", id=1), take_up=True, budget=TokenBudget(history_tokens=8000))
    return received.taken_up


@pytest.fixture
def under_way():
    return UnderWay(taking_up=lambda: False)


def test_what_was_done_counts_on_when_it_is_begun_anew(under_way, taken):
    answering = under_way.begin(taken)
    answering.effort.attempts = 2
    answering.stop(Reworded())
    under_way.end(taken)

    assert under_way.begin(taken).effort.attempts == 2


@pytest.mark.parametrize("ended_before", [False, True])
def test_nothing_is_remembered_of_one_that_is_deleted_before_it_is_begun_anew(under_way, taken, ended_before):
    answering = under_way.begin(taken)
    answering.effort.attempts = 2
    answering.stop(Reworded())
    if ended_before:
        under_way.end(taken)
    under_way.stop_erased(Erased(turns=1, answers=(taken.answer_id,)))
    if not ended_before:
        assert isinstance(answering.stopped, Withdrawn)
        under_way.end(taken)

    assert under_way.begin(taken).effort.attempts == 0  # another answer in a row of that number
