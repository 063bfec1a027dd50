"""Who is told how an answer came about, and in which words."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.completions import ModelCall, Past, Usage
from bot.core.messages import Kind, Outcome, TurnState
from bot.core.why import NO_MODEL, NO_RECORD, NOT_THEIRS, UNDER_WAY, UNKNOWN, Made, why_words
from tests.fakes import NOW

ASKER, OTHER = 1, 2
CALL = ModelCall(
    request_id=None,
    reserved_at=None,
    answer_id=5,
    channel_id=10,
    guild_id=5,
    author_id=ASKER,
    purpose="answer",
    model="gpt-5.4",
    attempt=1,
    started_at=NOW,
    first_token_at=NOW + timedelta(seconds=0.84),
    ended_at=NOW + timedelta(seconds=4.21),
    outcome="complete",
    usage=Usage(input_tokens=1_204, cached_tokens=963, output_tokens=310, reasoning_tokens=120),
    past=Past(turns_sent=12, turns_summarised=30, turns_left_out=45),
    cost_nanodollars=3_600_000,
)
MADE = Made(
    asker=ASKER, private_to=0, kind=Kind.ANSWER, state=TurnState.STANDING, outcome=Outcome.COMPLETE, call=CALL
)


def told(made=MADE, *, person=ASKER, manages=False, **changes):
    return why_words(replace(made, **changes) if changes else made, person=person, manages=manages)


def line(name, *, ended=Outcome.COMPLETE, **changes):
    """The line of that name in what is told of such a request; None: there is none."""
    lines = told(call=replace(CALL, **changes), outcome=ended).splitlines()
    return next((each.removeprefix(f"{name}: ") for each in lines if each.startswith(f"{name}: ")), None)


def test_it_says_what_was_sent_who_answered_what_it_took_and_how_it_ended():
    assert told() == (
        "**Why this answer?**\n"
        "Sent: the question and the 12 messages before it\n"
        "Summarised: 30 earlier messages\n"
        "Left out: 45 earlier messages\n"
        "Model: `gpt-5.4`\n"
        "Tokens: 1,204 read (80% from the provider's cache), 310 written (120 of them to think)\n"
        "Cost: $0.0036\n"
        "Time: first words after 0.8 s, the end after 4.2 s\n"
        "Outcome: complete"
    )


@pytest.mark.parametrize(
    ("person", "manages", "private_to", "words"),
    [
        (ASKER, False, 0, told()),
        (OTHER, False, 0, NOT_THEIRS),
        (OTHER, True, 0, told()),
        (ASKER, False, ASKER, told()),
        (OTHER, False, ASKER, UNKNOWN),
        (OTHER, True, ASKER, UNKNOWN),
    ],
)
def test_it_is_for_the_asker_and_for_those_who_manage_but_private_answers_for_the_asker_alone(
    person, manages, private_to, words
):
    assert told(person=person, manages=manages, private_to=private_to) == words


@pytest.mark.parametrize("manages", [True, False])
def test_of_what_nobody_knows_that_is_said_to_everybody(manages):
    assert why_words(None, person=OTHER, manages=manages) == UNKNOWN


def test_what_no_request_brought_is_said_to_be_so():
    assert told(state=TurnState.DRAFTING) == UNDER_WAY
    assert told(kind=Kind.NOTICE) == NO_MODEL
    assert told(call=None) == NO_RECORD
    assert told(call=None, person=OTHER) == NOT_THEIRS


@pytest.mark.parametrize(
    ("past", "sent", "summarised", "left_out"),
    [
        (Past(turns_sent=0, turns_summarised=0, turns_left_out=0), "the question alone", None, None),
        (
            Past(turns_sent=1, turns_summarised=1, turns_left_out=1),
            "the question and the 1 message before it",
            "1 earlier message",
            "1 earlier message",
        ),
        (Past(), None, None, None),
    ],
)
def test_what_was_not_is_left_unsaid(past, sent, summarised, left_out):
    assert (line("Sent", past=past), line("Summarised", past=past), line("Left out", past=past)) == (
        sent, summarised, left_out,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (Usage(), "not reported"),
        (Usage(input_tokens=1_000, output_tokens=2), "1,000 read, 2 written"),
        (Usage(input_tokens=0, cached_tokens=0), "0 read"),
        (Usage(input_tokens=10, cached_tokens=0), "10 read (0% from the provider's cache)"),
        (Usage(output_tokens=7, reasoning_tokens=0), "7 written"),
    ],
)
def test_tokens_are_told_as_far_as_they_were_reported(usage, words):
    assert line("Tokens", usage=usage) == words


def test_a_cost_that_is_not_known_is_unknown_and_not_nothing():
    assert line("Cost", cost_nanodollars=None) == "unknown"
    assert line("Cost", cost_nanodollars=0) == "$0.00"


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (1, "`gpt-5.4`"),
        (2, "`gpt-5.4`, after 1 request that brought nothing"),
        (4, "`gpt-5.4`, after 3 requests that brought nothing"),
    ],
)
def test_the_requests_before_it_are_counted(attempt, words):
    assert line("Model", attempt=attempt) == words


def test_a_models_name_is_no_markup():
    assert line("Model", model="`@everyone`" + "x" * 100) == f"`@everyone{'x' * 51}`"


def test_without_words_there_is_no_time_of_the_first():
    assert line("Time", first_token_at=None) == "the end after 4.2 s"


@pytest.mark.parametrize(
    ("ended", "of_call", "words"),
    [
        (Outcome.LENGTH, "length", "ended at the most that I may write at once"),
        (Outcome.STOPPED, "stopped", "stopped by somebody"),
        (Outcome.CUT_OFF, "model_timeout", "cut off (`model_timeout`)"),
        ("undeliverable", "complete", "complete, but Discord did not take all of it (`undeliverable`)"),
    ],
)
def test_how_it_ended_is_said_in_plain_words(ended, of_call, words):
    assert line("Outcome", ended=ended, outcome=of_call) == words
