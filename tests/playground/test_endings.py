"""Whoever waits for an answer in the playground hears how it ended, and of nothing before that."""

import asyncio

import pytest

from bot.core.answer import GOES_ON
from bot.core.messages import Outcome
from bot.core.tokens import TokenBudget
from bot.playground.endings import Endings
from tests.fakes import FakeStore, message


async def taken_up():
    return (
        await FakeStore().receive(message("Why?", id=1), take_up=True, budget=TokenBudget(history_tokens=8000))
    ).taken_up


@pytest.mark.parametrize("outcome", sorted(GOES_ON))
async def test_a_take_up_that_another_one_follows_is_no_end(outcome):
    endings, taken = Endings(), await taken_up()
    waiting = asyncio.ensure_future(endings.answered(1))

    endings.record(taken, outcome)
    await asyncio.sleep(0)
    assert not waiting.done()
    endings.record(taken, Outcome.COMPLETE.value)

    assert await waiting
