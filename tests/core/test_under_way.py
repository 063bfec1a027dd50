"""What is remembered of an answer between two of its take-ups, and when that is forgotten."""

from dataclasses import replace

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
def another(taken):
    """Somebody else's answer, in a row that got the number of the first one's."""
    return replace(taken, questions=(replace(taken.question, message_id=2),))


@pytest.fixture
def under_way():
    return UnderWay(taking_up=lambda: False)


def keep_a_text(under_way, taken):
    under_way.begin(taken).unstored = "told to somebody"
    under_way.end(taken)


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


def test_a_text_that_was_not_stored_is_there_at_the_next_take_up(under_way, taken):
    keep_a_text(under_way, taken)

    assert under_way.begin(taken).unstored == "told to somebody"


def test_a_text_that_was_not_stored_is_never_another_answers_in_a_row_of_that_number(under_way, taken, another):
    keep_a_text(under_way, taken)

    assert under_way.begin(another).unstored is None
    under_way.end(another)
    assert under_way.begin(taken).unstored is None  # that row is gone


def test_what_was_done_for_one_counts_for_no_other_in_a_row_of_that_number(under_way, taken, another):
    answering = under_way.begin(taken)
    answering.effort.attempts = 2
    answering.stop(Reworded())
    under_way.end(taken)

    assert under_way.begin(another).effort.attempts == 0


@pytest.mark.parametrize("ended_before", [False, True])
def test_no_text_is_kept_of_an_answer_whose_question_is_deleted(under_way, taken, ended_before):
    under_way.begin(taken).unstored = "told to somebody"
    if ended_before:
        under_way.end(taken)
    under_way.stop_erased(Erased(turns=1, answers=(taken.answer_id,)))
    if not ended_before:
        under_way.end(taken)

    assert under_way.begin(taken).unstored is None


def test_one_that_ends_after_its_number_was_given_on_takes_nobody_elses_place(under_way, taken, another):
    under_way.begin(taken)
    answering = under_way.begin(another)

    under_way.end(taken)
    under_way.stop_erased(Erased(turns=1, answers=(another.answer_id,)))

    assert isinstance(answering.stopped, Withdrawn)


def test_one_that_is_deleted_while_nobody_has_it_under_way_is_left_to_the_store(under_way, taken):
    under_way.stop_erased(Erased(turns=1, answers=(taken.answer_id,)))

    assert under_way.left == {taken.answer_id}


def test_one_that_is_deleted_while_others_are_taken_up_is_left_to_the_store_when_it_was_none_of_them(taken):
    others = [True]
    under_way = UnderWay(taking_up=lambda: bool(others))
    under_way.stop_erased(Erased(turns=1, answers=(taken.answer_id + 1,)))
    assert under_way.left == set()

    others.clear()
    under_way.begin(taken)

    assert under_way.left == {taken.answer_id + 1}


def test_a_deletion_that_came_early_stops_one_take_up_and_none_of_that_number_later(taken, another):
    under_way = UnderWay(taking_up=lambda: True)
    under_way.stop_erased(Erased(turns=1, answers=(taken.answer_id,)))

    assert isinstance(under_way.begin(taken).stopped, Withdrawn)
    under_way.end(taken)
    assert under_way.begin(another).stopped is None
