"""The load benchmark's arithmetic, on records that are made up."""

import math
from dataclasses import replace

import pytest

from benchmarks.load.judge import (
    first_and_last_third,
    judge,
    most_in_any_second,
    percentile,
    quantile_of_histogram,
)
from benchmarks.load.record import Question, Record, Request, Standing
from benchmarks.load.script import Script, answer_ended_by, number_asked, question_text

SCRIPT = Script(pieces=3, gap_seconds=0.0)


def question(number, *, channel=1):
    return Question(number=number, channel=channel, author=number, message_id=number * 10, sent_at=float(number))


def ending(number, *, at, status=200):
    return Request(method="POST", route="/channels", arrived_at=at, status=status, ends=number)


def answer(number, text=None, *, channel=1, message_id=None):
    return Standing(
        channel=channel,
        message_id=message_id or 1000 + number,
        reply_to=number * 10,
        text=SCRIPT.text_of(number) if text is None else text,
    )


WELL = Record(
    questions=[question(1), question(2), question(3, channel=2)],
    requests=[ending(1, at=1.0), ending(2, at=2.0), ending(3, at=0.5)],
    standing=[answer(1), answer(2), answer(3, channel=2)],
    model_asked={1: 0.1, 2: 1.1, 3: 0.1},
)


def test_nothing_is_wrong_with_what_went_well():
    verdict = judge(WELL, SCRIPT.text_of)

    assert not verdict.unanswered | verdict.doubled | verdict.stray | verdict.inexact | verdict.out_of_order


def test_a_question_without_a_reply_is_unanswered():
    verdict = judge(replace(WELL, standing=[answer(1), answer(3, channel=2)]), SCRIPT.text_of)

    assert verdict.unanswered == {2}


def test_messages_that_answer_no_question_are_stray_and_no_part_of_an_answer():
    stray = [
        Standing(channel=3, message_id=1, reply_to=None, text="goes on below nothing"),
        Standing(channel=1, message_id=2000, reply_to=77, text="replies to nobody's question"),
        Standing(channel=1, message_id=2001, reply_to=None, text="goes on below that"),
    ]
    verdict = judge(replace(WELL, standing=[*WELL.standing, *stray]), SCRIPT.text_of)

    assert verdict.stray == {1, 2000, 2001}
    assert not verdict.unanswered | verdict.doubled | verdict.inexact


def test_a_question_with_two_replies_is_answered_twice():
    verdict = judge(replace(WELL, standing=[*WELL.standing, answer(2, message_id=2000)]), SCRIPT.text_of)

    assert verdict.doubled == {2}


def test_an_answer_that_lacks_words_is_inexact():
    cut = SCRIPT.text_of(2).removesuffix("That was answer 2.")

    verdict = judge(replace(WELL, standing=[answer(1), answer(2, cut), answer(3, channel=2)]), SCRIPT.text_of)

    assert verdict.inexact == {2}


def test_an_answer_that_goes_on_in_a_second_message_is_exact_and_one():
    first, _, last = SCRIPT.text_of(3).partition(" Sentence")
    goes_on = Standing(channel=2, message_id=1004, reply_to=None, text="Sentence" + last)

    verdict = judge(
        replace(WELL, standing=[answer(1), answer(2), answer(3, first, channel=2), goes_on]), SCRIPT.text_of
    )

    assert not verdict.inexact | verdict.doubled


def test_an_answer_that_ends_before_an_earlier_one_of_its_channel_is_out_of_order():
    requests = [ending(1, at=2.0), ending(2, at=1.0), ending(3, at=0.5)]

    assert judge(replace(WELL, requests=requests), SCRIPT.text_of).out_of_order == {2}


def test_a_question_that_reaches_the_model_before_an_earlier_one_of_its_channel_is_out_of_order():
    verdict = judge(replace(WELL, model_asked={1: 0.2, 2: 0.1, 3: 0.0}), SCRIPT.text_of)

    assert verdict.out_of_order == {2}


def test_an_answer_ends_with_the_first_request_that_was_not_refused():
    record = replace(WELL, requests=[ending(1, at=1.0, status=429), ending(1, at=2.0), ending(1, at=3.0)])

    assert record.ended_at == {1: 2.0}
    assert record.refused == 1


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 1.0], 1),
        ([0.0, 0.999], 2),
        ([0.9, 0.0, 1.1, 1.2, 2.0], 3),
    ],
)
def test_the_most_in_any_second_is_counted_wherever_the_second_begins(times, most):
    assert most_in_any_second(times) == most


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([3.0], 99, 3.0),
        ([float(n) for n in range(1, 11)], 99, 10.0),
        ([2.0, 1.0], 50, 1.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([1.0, 2.0], 0, 1.0),
    ],
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values, percent, expected):
    assert percentile(values, percent) == expected


def test_a_histogram_is_read_as_prometheus_reads_it():
    buckets = {0.1: 50.0, 0.2: 100.0, math.inf: 100.0}

    assert quantile_of_histogram(buckets, 50) == pytest.approx(0.1)
    assert quantile_of_histogram(buckets, 75) == pytest.approx(0.15)
    assert quantile_of_histogram({0.1: 98.0, math.inf: 100.0}, 99) == math.inf


def test_a_question_and_its_answer_say_their_number():
    assert number_asked(question_text("<@7>", 12) + "\n" + question_text("<@7>", 13)) == 13
    assert answer_ended_by(SCRIPT.text_of(12)) == 12
    assert answer_ended_by(SCRIPT.pieces_of(12)[0]) is None


def test_a_percentile_of_nothing_is_no_number():
    assert math.isnan(percentile([], 99))


def test_the_last_third_is_compared_with_the_first():
    assert first_and_last_third([1, 2, 3, 4, 5, 6, 7]) == ([1, 2], [6, 7])


def test_what_happened_in_some_channels_is_judged_alone():
    record = replace(WELL, standing=[answer(3, channel=2)]).in_channels([2])

    assert [question.number for question in record.questions] == [3]
    assert record.ended_at == {3: 0.5}
    assert not judge(record, SCRIPT.text_of).unanswered


@pytest.mark.parametrize("pieces", [1, 2, 3, 61])
def test_an_answer_comes_in_so_many_pieces_and_says_which_question_it_is_to(pieces):
    script = Script(pieces=pieces, gap_seconds=0.0)

    assert len(script.pieces_of(7)) == pieces
    assert answer_ended_by(script.text_of(7)) == 7
