"""When a model may be asked, fault by fault."""

import pytest

from bot.core.breaker import FAULTS, FIRST_REST, LONGEST_REST, LONGEST_RETRY_AFTER, Breaker
from bot.core.errors import (
    ContextTooLong,
    EmptyAnswer,
    ModelBusy,
    ModelDown,
    ModelError,
    ModelKeyRefused,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    OutOfTime,
    QuotaUsedUp,
    RequestRejected,
    WrongModel,
)
from tests.clock import ManualClock
from tests.fakes import FakeModel

DOWN = ModelUnavailable("503")


class Watched:
    """A breaker, and how often it said that somebody may ask again."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.changes = 0
        self.breaker = Breaker(FakeModel(), clock=self.clock, changed=self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def ask(self, *errors: BaseException | None) -> None:
        """One question after the other, each ended by its error; None is an answer."""
        for error in errors:
            assert self.breaker.admits
            end(self.breaker.try_it(), error)

    async def rest(self) -> float:
        """Let it rest to the end; returns how long that was."""
        seconds = self.breaker.wait
        await self.clock.advance(seconds)
        return seconds


def end(trial, error):
    if error is None:
        trial.heard()
    try:
        with trial:
            if error is not None:
                raise error
    except type(error):
        pass


@pytest.fixture
def watched():
    return Watched()


@pytest.mark.parametrize(
    "fault",
    [DOWN, ModelTimeout(), ModelBusy("429"), QuotaUsedUp(), ModelKeyRefused(), WrongModel()],
    ids=lambda fault: fault.code,
)
def test_faults_in_a_row_give_it_a_rest(watched, fault):
    watched.ask(*[fault] * (FAULTS - 1))
    assert watched.breaker.admits

    watched.ask(fault)

    assert not watched.breaker.admits
    assert watched.breaker.wait == FIRST_REST


def test_an_answer_between_them_begins_the_count_anew(watched):
    watched.ask(*[DOWN] * (FAULTS - 1), None, *[DOWN] * (FAULTS - 1))

    assert watched.breaker.admits


@pytest.mark.parametrize(
    "fault",
    [ModelRefused(), ContextTooLong(), EmptyAnswer(), RequestRejected(), OutOfTime(), KeyError()],
    ids=lambda fault: type(fault).__name__,
)
def test_what_lies_with_the_question_counts_neither_for_nor_against_it(watched, fault):
    watched.ask(*[fault] * FAULTS)
    assert watched.breaker.admits

    watched.ask(*[DOWN] * (FAULTS - 1), fault, DOWN)

    assert not watched.breaker.admits


async def test_after_the_rest_one_tries_and_its_first_words_let_the_others_through(watched):
    watched.ask(*[DOWN] * FAULTS)
    await watched.clock.advance(FIRST_REST - 1)
    assert not watched.breaker.admits
    await watched.clock.advance(1)

    first = watched.breaker.try_it()
    assert not watched.breaker.admits
    first.heard()

    assert watched.breaker.admits
    assert watched.changes == 1


async def test_each_failed_trial_doubles_the_rest_up_to_a_minute(watched):
    watched.ask(*[DOWN] * FAULTS)
    rests = []
    for _ in range(6):
        rests.append(await watched.rest())
        watched.ask(DOWN)

    assert rests == [5, 10, 20, 40, 60, 60]
    assert rests[-1] == LONGEST_REST


async def test_a_complete_answer_makes_the_next_rest_a_short_one(watched):
    watched.ask(*[DOWN] * FAULTS)
    await watched.rest()
    watched.ask(DOWN)
    await watched.rest()

    watched.ask(None, *[DOWN] * FAULTS)

    assert watched.breaker.wait == FIRST_REST


async def test_a_model_that_begins_and_never_ends_gets_its_rest_at_the_next_fault(watched):
    watched.ask(*[DOWN] * FAULTS)
    await watched.rest()
    first = watched.breaker.try_it()
    first.heard()

    end(first, ModelTimeout("stalled"))

    assert watched.breaker.wait == 2 * FIRST_REST


@pytest.mark.parametrize("no_verdict", [KeyboardInterrupt(), ContextTooLong(), ModelRefused()])
async def test_a_trial_that_ends_without_a_verdict_lets_the_next_one_try(watched, no_verdict):
    watched.ask(*[DOWN] * FAULTS)
    await watched.rest()

    watched.ask(no_verdict)

    assert watched.changes == 1
    watched.breaker.try_it()
    assert not watched.breaker.admits


@pytest.mark.parametrize(("said", "rest"), [(0.5, 0.5), (45, 45), (10**9, LONGEST_RETRY_AFTER)])
async def test_retry_after_is_a_rest_of_just_so_long_for_everybody(watched, said, rest):
    watched.ask(ModelBusy("429", retry_after=said))

    assert await watched.rest() == rest
    assert watched.breaker.admits


async def test_a_failed_trial_after_it_is_followed_by_a_rest_of_our_own(watched):
    watched.ask(ModelBusy("429", retry_after=45))
    await watched.rest()

    watched.ask(DOWN)

    assert watched.breaker.wait == FIRST_REST


def test_of_several_retry_afters_at_once_the_longest_counts(watched):
    trials = [watched.breaker.try_it() for _ in range(3)]
    for trial, seconds in zip(trials, (10, 30, 20), strict=True):
        end(trial, ModelBusy("429", retry_after=seconds))

    assert watched.breaker.wait == 30


async def test_what_began_before_the_rest_neither_ends_nor_lengthens_it(watched):
    earlier = [watched.breaker.try_it() for _ in range(10)]
    for trial in earlier[:8]:
        end(trial, DOWN)
    assert watched.breaker.wait == FIRST_REST

    end(earlier[8], None)
    assert watched.breaker.wait == FIRST_REST
    await watched.rest()
    watched.breaker.try_it()
    end(earlier[9], None)

    assert not watched.breaker.admits


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (DOWN, ModelDown),
        (ModelTimeout(), ModelDown),
        (ModelBusy(), ModelBusy),
        (QuotaUsedUp(), QuotaUsedUp),
        (WrongModel(), WrongModel),
    ],
)
def test_who_cannot_ask_it_is_told_why_in_words_that_are_true(watched, fault, told):
    watched.ask(*[fault] * FAULTS)

    refusal: ModelError = watched.breaker.refusal()

    assert type(refusal) is told
    assert str(refusal) == "fake-model is not asked for 5 s"


async def test_rests_and_recoveries_are_in_the_log(watched, caplog):
    caplog.set_level("INFO")
    watched.ask(*[DOWN] * FAULTS)
    await watched.rest()
    watched.ask(None)

    assert [record.getMessage() for record in caplog.records] == [
        "model=fake-model rests for 5 s after 3 faults in a row, the last: code=model_unavailable: 503",
        "model=fake-model answers again",
    ]
