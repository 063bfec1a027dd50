"""What is remembered of an answer between two of its take-ups, and when that is forgotten."""

import asyncio

import pytest

from bot.core.errors import PressRefused, Reworded, Withdrawn
from bot.core.messages import ConversationKey, Erased, Press
from bot.core.tokens import TokenBudget
from bot.core.under_way import UnderWay
from tests.fakes import FakeStore, message

HERE = ConversationKey(channel_id=10)


@pytest.fixture
async def taken():
    received = await FakeStore().receive(message("q", id=1), take_up=True, budget=TokenBudget(history_tokens=8000))
    return received.taken_up


@pytest.fixture
def under_way():
    return UnderWay(taking_up=lambda: False)


def press(person):
    return Press(id=9, question_id=1, person=person, moderates=True, key=HERE)


@pytest.mark.parametrize("fault", [PressRefused("no"), RuntimeError("a fault of ours"), asyncio.CancelledError()])
def test_whoever_had_nothing_reopened_pays_for_nothing_however_that_failed(under_way, taken, fault):
    with pytest.raises(type(fault)), under_way.paid_by(press(9)):
        raise fault

    assert under_way.begin(taken).payer is None


def test_a_press_in_vain_takes_nothing_over_from_the_one_before(under_way, taken):
    with under_way.paid_by(press(9)):
        pass
    with pytest.raises(PressRefused), under_way.paid_by(press(8)):
        raise PressRefused("it is being written already")

    assert under_way.begin(taken).payer == 9


def test_what_was_done_counts_on_when_it_is_begun_anew(under_way, taken):
    answering = under_way.begin(taken)
    answering.effort.attempts = 2
    answering.stop(Reworded())
    under_way.end(taken, over=False)

    assert under_way.begin(taken).effort.attempts == 2


@pytest.mark.parametrize("ended_before", [False, True])
def test_nothing_is_remembered_of_one_that_is_deleted_before_it_is_begun_anew(under_way, taken, ended_before):
    answering = under_way.begin(taken)
    answering.effort.attempts = 2
    answering.stop(Reworded())
    if ended_before:
        under_way.end(taken, over=False)
    under_way.stop_erased(Erased(turns=1, answers=(taken.answer_id,)))
    if not ended_before:
        assert isinstance(answering.stopped, Withdrawn)
        under_way.end(taken, over=False)

    assert under_way.begin(taken).effort.attempts == 0  # another answer in a row of that number
