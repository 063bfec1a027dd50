"""The provider that the memory benchmark counts with caches as providers say they do."""

import pytest

from benchmarks.memory.cost import confab, naive, sliding
from benchmarks.memory.provider import Bill, Provider
from bot.core.completions import PromptMessage
from bot.core.messages import Role


def of_tokens(count, *, beginning=""):
    """A prompt of so many tokens."""
    return (PromptMessage(Role.USER, beginning + "x" * (count * 4 - len("<user>") - len(beginning))),)


@pytest.mark.parametrize(("alike", "cached"), [(1023, 0), (1024, 1024), (1151, 1024), (1152, 1152), (3000, 2944)])
def test_what_begins_alike_is_cached_from_1024_tokens_on_in_steps_of_128(alike, cached):
    provider, bill = Provider(), Bill()
    (begins,) = of_tokens(alike)

    provider.count((begins, PromptMessage(Role.USER, "one")), Bill())
    counted = provider.count((begins, PromptMessage(Role.ASSISTANT, "other")), bill)

    assert bill.tokens == counted
    assert bill.cached == cached


def test_another_beginning_has_nothing_in_the_cache():
    provider, bill = Provider(), Bill()

    provider.count(of_tokens(4000), Bill())
    provider.count(of_tokens(4000, beginning="other"), bill)

    assert bill.cached == 0


def test_a_cached_token_costs_its_part():
    assert Bill(tokens=1000, cached=800).cost(0.5) == pytest.approx(600)
    assert Bill(tokens=1000, cached=800).cost(0.1) == pytest.approx(280)


async def test_nine_tenths_of_a_long_conversation_could_come_from_the_cache_over_several_moves(tmp_path):
    ours = await confab(tmp_path, summaries=True)
    costs = [line.answers.cost(0.1) + line.summaries.cost(0.1) for line in (ours, naive(), sliding())]

    assert ours.answers.cached >= 0.9 * ours.answers.tokens
    assert ours.moves >= 5
    assert ours.summaries.requests >= 5
    assert costs == sorted(costs)
