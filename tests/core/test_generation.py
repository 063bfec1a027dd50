"""Several models for one answer: which is asked when, and what is told when none answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from bot.core.breaker import FAULTS, FIRST_REST
from bot.core.budgets import Amount, Budget, Budgets, Limit, Scope
from bot.core.completions import Finished, FinishReason, ModelCall, Prompt
from bot.core.effort import Effort
from bot.core.errors import (
    ContextTooLong,
    EmptyAnswer,
    ModelBusy,
    ModelDown,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    QuotaUsedUp,
    RequestRejected,
    WrongModel,
)
from bot.core.fair_slots import FairSlots
from bot.core.generation import Generated, Generation, Patience
from bot.core.messages import Outcome
from bot.core.models import Models
from bot.core.periods import Period
from bot.core.spending import Spending
from bot.core.tokens import TokenBudget
from tests.clock import ManualClock
from tests.fakes import FakeModel, FakePrices, FakeReplies, FakeStore, message

DOWN = ModelUnavailable("503")
PROMPT = Prompt(messages=(), tokens=10, max_answer_tokens=500)
SHORTER, SHORTEST = replace(PROMPT, tokens=5), replace(PROMPT, tokens=2)
LONG = "The sky is blue because air scatters short waves of light."


class Desk:
    """Where questions are put to models, each in a conversation of its own."""

    def __init__(
        self,
        *models: FakeModel,
        patience: Patience | None = None,
        shorter: Sequence[Prompt] = (),
        budgets: Sequence[Budget] = (),
    ) -> None:
        self.models = models
        self.shorter = shorter
        self.clock = ManualClock()
        self.calls: list[ModelCall] = []
        self._together = Models(models, clock=self.clock)
        self.patience = patience or Patience()
        self._store = FakeStore()
        self._slots = FairSlots(100)
        self._spending = Spending(
            prices=FakePrices(),
            budgets=Budgets(budgets, least=Amount(tokens=1), clock=self.clock),
            store=self._store,
            models=[model.name for model in models],
            clock=self.clock,
        )
        self._questions = 0

    async def ask(self, *, person: int = 7) -> asyncio.Task[Generated]:
        """Begin an answer; it has gone as far as it can without time passing."""
        self._questions += 1
        question = message("Why?", id=self._questions, channel=self._questions)
        received = await self._store.receive(question, take_up=True, budget=TokenBudget(history_tokens=100))
        generation = Generation(
            received.taken_up,
            PROMPT,
            effort=Effort(),
            shorten=self._shorten,
            reply=FakeReplies().open(received.taken_up),
            models=self._together,
            account=self._spending.account(received.taken_up.conversation, PROMPT, person=person),
            clock=self.clock,
            patience=self.patience,
            slot=self._slots.take_at_once(question.key, 1),
            record=self.calls.append,
        )
        task = asyncio.create_task(generation.run())
        task.add_done_callback(
            lambda ended: ended.cancelled() or ended.exception()
        )  # many a fault is only arranged
        await self.clock.advance(0)
        return task

    def _shorten(self, prompt: Prompt) -> Prompt | None:
        shorter = [PROMPT, *self.shorter]
        return dict(pairwise([*shorter, None]))[prompt]

    async def end(self, task: asyncio.Task[Generated]) -> Generated | BaseException:
        """How it ends, however long that takes."""
        while not task.done():
            await self.clock.advance(1)
        return task.exception() or task.result()

    def asked(self) -> list[int]:
        """How often each of the models was."""
        return [len(model.prompts) for model in self.models]


def dead(name: str, fault: BaseException = DOWN) -> FakeModel:
    return FakeModel(*[[fault]] * 100, name=name)


@pytest.mark.parametrize(
    "fault",
    [
        DOWN,
        ModelBusy("429", retry_after=300),
        EmptyAnswer(),
        WrongModel(),
        QuotaUsedUp(),
        ContextTooLong(),
        RequestRejected(),
    ],
    ids=lambda fault: fault.code,
)
async def test_the_next_model_is_asked_without_a_pause_and_each_call_bears_its_models_name(fault):
    desk = Desk(FakeModel([fault], name="a"), FakeModel(["Scattering."], name="b"))

    answer = await desk.ask()

    assert answer.result().text == "Scattering."
    calls = [*desk.calls, answer.result().call]
    assert [(call.model, call.attempt, call.outcome) for call in calls] == [
        ("a", 1, fault.code),
        ("b", 2, "complete"),
    ]


async def test_after_the_last_model_there_is_a_pause_and_the_first_comes_first_again():
    desk = Desk(FakeModel([DOWN], ["Late."], name="a"), dead("b"))
    answer = await desk.ask()
    assert desk.asked() == [1, 1]

    assert (await desk.end(answer)).text == "Late."

    assert desk.asked() == [2, 1]


async def test_a_dead_first_model_uses_up_nobodys_attempts():
    desk = Desk(dead("a"), FakeModel([DOWN], [DOWN], ["At last."], name="b"))

    answer = await desk.end(await desk.ask())

    assert answer.text == "At last."
    assert desk.asked() == [3, 3]


async def test_attempts_are_capped_for_all_models_alike():
    desk = Desk(dead("a", EmptyAnswer()), dead("b"), patience=Patience(attempts=2))

    told = await desk.end(await desk.ask())

    assert desk.asked() == [2, 2]
    assert isinstance(told, EmptyAnswer)


async def test_what_asking_again_does_not_help_is_not_asked_again():
    desk = Desk(dead("a", ContextTooLong()), dead("b"))

    told = await desk.end(await desk.ask())

    assert desk.asked() == [1, 3]
    assert isinstance(told, ModelUnavailable), "what passes is told rather than what lasts"


async def test_when_nothing_may_pass_the_first_models_fault_is_told_at_once():
    desk = Desk(dead("a", ContextTooLong()), dead("b", WrongModel()))

    answer = await desk.ask()

    assert isinstance(answer.exception(), ContextTooLong)
    assert desk.asked() == [1, 1]


async def test_a_prompt_too_long_is_shortened_for_as_long_as_there_is_something_to_leave_out_and_then_told() -> (
    None
):
    desk = Desk(dead("a", ContextTooLong("HTTP 400")), shorter=[SHORTER, SHORTEST])

    error = await desk.end(await desk.ask())

    assert isinstance(error, ContextTooLong)
    assert desk.models[0].prompts == [PROMPT, SHORTER, SHORTEST]
    assert [call.outcome for call in desk.calls] == ["context_too_long"] * 3
    assert desk.clock.monotonic() == 0


async def test_a_prompt_without_history_is_not_asked_again() -> None:
    desk = Desk(dead("a", ContextTooLong("HTTP 400")))

    error = await desk.end(await desk.ask())

    assert isinstance(error, ContextTooLong)
    assert desk.asked() == [1]


async def test_another_model_may_read_the_whole_of_what_is_too_long_for_the_first() -> None:
    desk = Desk(dead("a", ContextTooLong("HTTP 400")), FakeModel([LONG], name="b"), shorter=[SHORTER])

    generated = await desk.end(await desk.ask())

    assert generated.text == LONG
    assert [model.prompts for model in desk.models] == [[PROMPT], [PROMPT]]


async def test_beside_a_model_that_is_down_the_first_is_asked_for_less() -> None:
    desk = Desk(FakeModel([ContextTooLong("HTTP 400")], [LONG], name="a"), dead("b"), shorter=[SHORTER])

    generated = await desk.end(await desk.ask())

    assert generated.text == LONG
    assert [model.prompts for model in desk.models] == [[PROMPT, SHORTER], [PROMPT]]


async def test_a_prompt_too_long_after_visible_words_cuts_the_answer_off() -> None:
    desk = Desk(FakeModel([LONG, ContextTooLong("error event")], name="a"), shorter=[SHORTER])

    generated = await desk.end(await desk.ask())

    assert (generated.text, generated.outcome) == (LONG, Outcome.CUT_OFF)
    assert desk.asked() == [1]


@pytest.mark.parametrize("refusal", [ModelRefused("400"), Finished(reason=FinishReason.REFUSED)])
async def test_what_one_model_refuses_no_other_is_asked(refusal):
    desk = Desk(FakeModel([refusal], name="a"), FakeModel(name="b"))

    answer = await desk.ask()

    assert isinstance(answer.exception(), ModelRefused)
    assert desk.asked() == [1, 0]


async def test_once_words_are_visible_no_other_model_is_asked():
    desk = Desk(FakeModel([LONG, DOWN], name="a"), FakeModel(name="b"))

    answer = await desk.ask()

    assert (answer.result().outcome, answer.result().text) == (Outcome.CUT_OFF, LONG)
    assert desk.asked() == [1, 0]


async def test_every_model_has_its_own_time_for_the_first_word_within_the_total():
    silent = [FakeModel(*[[asyncio.Event()]] * 9, name=name) for name in "abcd"]
    desk = Desk(*silent, patience=Patience(first_token=60, total=130))
    answer = await desk.ask()
    await desk.clock.advance(59)
    assert desk.asked() == [1, 0, 0, 0]
    await desk.clock.advance(1)
    assert desk.asked() == [1, 1, 0, 0]
    await desk.clock.advance(60)
    assert desk.asked() == [1, 1, 1, 0]

    await desk.clock.advance(9)
    assert not answer.done()
    await desk.clock.advance(1)

    assert isinstance(answer.exception(), ModelTimeout)
    assert desk.asked() == [1, 1, 1, 0]


async def test_time_that_another_model_used_up_speaks_against_nobody_else():
    slow = FakeModel(*[[asyncio.Event()]] * FAULTS, name="a")
    hurried = FakeModel(*[[asyncio.Event()]] * FAULTS, name="b")
    desk = Desk(slow, hurried, patience=Patience(first_token=60, total=61))
    for answer in [await desk.ask() for _ in range(FAULTS)]:
        await desk.end(answer)
    assert desk.asked() == [FAULTS, FAULTS]

    answer = await desk.ask()

    assert answer.result().call.model == "b"


async def test_a_model_that_rests_is_skipped_and_one_question_tries_it_afterwards():
    desk = Desk(dead("a"), FakeModel(name="b"))
    for _ in range(20):
        assert (await desk.ask()).result().call.model == "b"
    assert desk.asked() == [FAULTS, 20]

    await desk.clock.advance(FIRST_REST)
    for _ in range(20):
        await desk.ask()

    assert desk.asked() == [FAULTS + 1, 40]


async def test_a_short_rest_of_the_only_model_is_waited_for_and_the_others_wait_for_first_words():
    gate, end = asyncio.Event(), asyncio.Event()
    desk = Desk(
        FakeModel(*[[DOWN]] * FAULTS, [gate, "Here", end, " again."], name="a"), patience=Patience(attempts=1)
    )
    for _ in range(FAULTS):
        await desk.ask()
    answers = [await desk.ask() for _ in range(5)]
    assert desk.asked() == [FAULTS]

    await desk.clock.advance(FIRST_REST)
    assert desk.asked() == [FAULTS + 1]
    gate.set()
    await desk.clock.advance(0)

    assert [answer.result().text for answer in answers[1:]] == ["All good."] * 4
    end.set()
    assert (await answers[0]).text == "Here again."


async def test_a_long_rest_of_the_only_model_is_told_at_once():
    desk = Desk(FakeModel([ModelBusy("429", retry_after=21)], name="a"), patience=Patience(attempts=1))
    await desk.ask()

    answer = await desk.ask()

    assert isinstance(answer.exception(), ModelBusy)
    assert desk.asked() == [1]
    assert len(desk.calls) == 1


async def test_a_rest_that_ends_nothing_by_itself_is_not_waited_for():
    desk = Desk(dead("a", WrongModel()))
    for _ in range(FAULTS):
        await desk.ask()

    answer = await desk.ask()

    assert isinstance(answer.exception(), WrongModel)
    assert desk.asked() == [FAULTS]


async def test_a_model_that_may_recover_is_waited_for_beside_one_that_cannot():
    desk = Desk(dead("a", WrongModel()), FakeModel(*[[DOWN]] * FAULTS, name="b"), patience=Patience(attempts=1))
    for _ in range(FAULTS):
        await desk.ask()

    answer = await desk.ask()

    assert (await desk.end(answer)).call.model == "b"


async def test_nobody_waits_longer_than_a_short_rest_for_another_questions_trial():
    desk = Desk(FakeModel(*[[DOWN]] * FAULTS, [asyncio.Event()], name="a"), patience=Patience(attempts=1))
    for _ in range(FAULTS):
        await desk.ask()
    first, second = await desk.ask(), await desk.ask()
    await desk.clock.advance(19)
    assert not second.done()

    await desk.clock.advance(1)

    assert isinstance(second.exception(), ModelDown)
    assert not first.done()
    first.cancel()


async def test_nobody_waits_longer_than_that_however_often_others_go_first():
    desk = Desk(dead("a", ModelBusy("429", retry_after=6)), patience=Patience(attempts=1))
    answers = [await desk.ask() for _ in range(10)]

    await desk.clock.advance(20)

    assert [type(answer.exception()) for answer in answers] == [ModelBusy] * 10
    assert desk.asked() == [4]  # at 0, 6, 12 and 18


async def test_a_model_that_rests_shortly_is_waited_for_rather_than_one_that_is_busy_for_long():
    lengthy = [[ContextTooLong()]] * FAULTS
    desk = Desk(
        FakeModel(*lengthy, [ModelBusy("429", retry_after=45)], name="a"), FakeModel(*[[DOWN]] * FAULTS, name="b")
    )
    desk.patience = Patience(attempts=1)
    for _ in range(FAULTS):
        await desk.ask()
    desk.patience = Patience()

    answer = await desk.ask()
    await desk.clock.advance(FIRST_REST)

    assert answer.result().call.model == "b"


async def test_who_waits_for_a_model_holds_no_place():
    desk = Desk(FakeModel([ModelBusy("429", retry_after=5)], name="a"), patience=Patience(attempts=1))
    await desk.ask()

    waiting = await desk.ask()

    assert not waiting.done()
    assert desk._slots._free == 100
    assert (await desk.end(waiting)).text == "All good."


async def test_who_waits_for_room_in_a_budget_keeps_no_model_from_others():
    gate = asyncio.Event()
    model = FakeModel([gate, "one"], *[[DOWN]] * FAULTS, ["two"])
    for_one = Budget(scope=Scope.PERSON, period=Period.DAY, limit=Limit(most=600))
    desk = Desk(model, patience=Patience(attempts=1), budgets=[for_one])
    await desk.ask(person=7)
    for n in range(FAULTS):
        await desk.end(await desk.ask(person=100 + n))
    await desk.clock.advance(FIRST_REST)

    waiting = await desk.ask(person=7)
    other = await desk.end(await desk.ask(person=8))
    gate.set()

    assert other.text == "two"
    assert (await desk.end(waiting)).text == "All good."


async def test_waiting_for_room_in_a_budget_takes_nothing_from_the_answer_s_time():
    first, second = asyncio.Event(), asyncio.Event()
    for_two = Budget(scope=Scope.TOTAL, period=Period.DAY, limit=Limit(most=1_025))
    desk = Desk(FakeModel([first, "Mine."], [second, ""], ["Late."]), budgets=[for_two])
    other = await desk.ask(person=8)
    desk.patience = Patience(total=20.0)
    waiting = await desk.ask()
    second.set()  # an answer without words was paid for, so that there is no room for another just now

    await desk.clock.advance(50)
    first.set()

    assert (await desk.end(other)).text == "Mine."
    assert (await desk.end(waiting)).text == "Late."


async def test_a_request_for_which_no_time_is_left_is_not_made_and_counts_nothing():
    budget = Budget(scope=Scope.TOTAL, period=Period.DAY, limit=Limit(most=600))
    desk = Desk(FakeModel(), patience=Patience(attempts=1, total=20.0), budgets=[budget])

    begun: list[ModelCall] = []

    async def slowly(call: ModelCall) -> None:
        await desk.clock.sleep(20)
        begun.append(call)

    desk._store.begin_call = slowly

    assert isinstance(await desk.end(await desk.ask()), ModelTimeout)
    assert desk.asked() == [0]
    assert [(call.request_id, call.counted_tokens) for call in desk.calls] == [(begun[0].request_id, 0)]
