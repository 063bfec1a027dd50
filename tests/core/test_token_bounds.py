"""What a prompt may take at most, by what a model counted before."""

from math import ceil

import pytest

from bot.core.completions import Past, Prompt, PromptMessage, Purpose
from bot.core.messages import Role
from bot.core.token_bounds import MARGIN, REPORTS_HEEDED, Report, TokenBounds
from bot.core.tokens import TOKENS_PER_MESSAGE, estimate_tokens

YOUNG, SETTLED = Past(turns_sent=2), Past(turns_sent=4, turns_summarised=10, turns_left_out=0)
TEXT = "The sky is blue. " * 20


def prompt(text=TEXT, *, past=YOUNG, purpose=Purpose.ANSWER):
    tokens = TOKENS_PER_MESSAGE + estimate_tokens(text)
    messages = (PromptMessage(Role.USER, text),)
    return Prompt(messages=messages, tokens=tokens, max_answer_tokens=10, past=past, purpose=purpose)


def report(ratio, *, model="m", past=YOUNG, purpose=Purpose.ANSWER):
    return Report(model, purpose, past, 1000, int(1000 * ratio))


def bounds(*reports):
    learned = TokenBounds()
    learned.learn(reports)
    return learned


@pytest.mark.parametrize("text", [TEXT, "ท้องฟ้าเป็นสีฟ้า", "空が青い", "😀👨‍👩‍👧", "\ud83d"])
def test_of_a_model_that_nothing_is_known_of_each_byte_may_be_a_token(text):
    in_bytes = len(text.encode("utf-8", "surrogatepass"))

    assert bounds().most(prompt(text), "m") == max(in_bytes + TOKENS_PER_MESSAGE, prompt(text).tokens)


def test_afterwards_it_is_as_much_beyond_the_estimate_as_at_worst_and_a_margin():
    learned = bounds(report(1.5), report(0.7))

    assert learned.most(prompt(), "m") == ceil(prompt().tokens * 1.5 * MARGIN)


def test_it_is_never_less_than_the_estimate_and_never_more_than_the_bytes():
    assert bounds(report(0.5)).most(prompt(), "m") == prompt().tokens
    assert bounds(report(90)).most(prompt(), "m") == bounds().most(prompt(), "m")


def test_what_one_model_counts_says_nothing_of_another():
    assert bounds(report(1.0)).most(prompt(), "other") == bounds().most(prompt(), "m")


@pytest.mark.parametrize("later", [{"past": SETTLED}, {"purpose": Purpose.SUMMARY}])
def test_conversations_that_corrected_their_estimate_do_not_pay_for_those_that_begin(later):
    learned = bounds(report(1.8), report(1.0, **later))

    assert learned.most(prompt(**later), "m") == ceil(prompt().tokens * MARGIN)
    assert learned.most(prompt(), "m") == ceil(prompt().tokens * 1.8 * MARGIN)


def test_what_was_counted_long_ago_is_forgotten():
    learned = bounds(report(2.4), *[report(1.0)] * REPORTS_HEEDED)

    assert learned.most(prompt(), "m") == ceil(prompt().tokens * MARGIN)
