"""What the metrics count."""

from datetime import UTC, datetime

import pytest

from bot.core.answer import GOES_ON
from bot.core.completions import Prompt, Purpose
from bot.core.messages import Outcome
from bot.core.tokens import TokenBudget
from bot.observe.metrics import Metrics
from bot.observe.observed_model import ObservedModel
from tests.clock import ManualClock
from tests.fakes import FakeModel, FakeStore, message

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "ends"), [(Outcome.COMPLETE.value, 1), *((each, 0) for each in sorted(GOES_ON))]
)
async def test_an_answer_took_until_no_other_take_up_follows(outcome, ends):
    received = await FakeStore().receive(
        message("Why?", id=1), take_up=True, budget=TokenBudget(history_tokens=8000)
    )
    metrics = Metrics()

    metrics.turn_ended(received.taken_up, outcome, NOW)

    assert metrics.registry.get_sample_value("confab_turns_total", {"outcome": outcome}) == 1
    assert metrics.registry.get_sample_value("confab_answer_seconds_count") == ends


@pytest.mark.parametrize("purpose", Purpose)
async def test_a_summary_is_no_sign_that_answers_come(purpose):
    metrics = Metrics()
    model = ObservedModel(FakeModel(["Words."]), metrics=metrics, clock=ManualClock())
    prompt = Prompt(messages=(), tokens=1, max_answer_tokens=1, purpose=purpose)

    async for _ in model.stream(prompt):
        pass

    assert (metrics.model_succeeded_seconds_ago() is None) == (purpose is Purpose.SUMMARY)
