"""What a summary's request costs others: nothing, whether it is made or not."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.answer import AnswerLimits
from bot.core.as_told import AsTold
from bot.core.breaker import FAULTS, FIRST_REST
from bot.core.budgets import Amount, Budget, Budgets, Limit, Scope
from bot.core.changes import Changes
from bot.core.completions import ModelCall
from bot.core.errors import DatabaseUnavailable, ModelUnavailable
from bot.core.fair_slots import FairSlots
from bot.core.generation import Patience
from bot.core.messages import (
    Conversation,
    ConversationKey,
    Kind,
    Outcome,
    PastTurn,
    Role,
    TakenUp,
    Turn,
)
from bot.core.models import Models
from bot.core.periods import Period
from bot.core.spending import SECONDS_BETWEEN_TRIES, Spending
from bot.core.summarising import Summarising
from bot.core.summary import ToSummarise
from tests.clock import ManualClock
from tests.fakes import FakeModel, FakePrices, FakeStore

KEY = ConversationKey(channel_id=10)
HERE = Conversation(id=1, key=KEY, guild_id=None, labelled=False)
LIMITS = AnswerLimits(
    system_prompt="You are a friendly assistant!",
    history_tokens=1000,
    max_answer_tokens=500,
    patience=Patience(),
    answer_within=timedelta(days=1),
)
ENDED = TakenUp(conversation=HERE, history=(), history_tokens=900, questions=(), answer_id=1, attempt=1, tries=1)


class SummaryStore(FakeStore):
    """One conversation, which always has something to be summarised."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []
        self.window_start = 2
        self.pieces = 1
        self.keeps = True
        self.unrecorded = 0  # so many requests fail to be recorded
        self.unkept: dict[ConversationKey, int] = {}  # so many times it fails to be kept there

    async def record_call(self, call):
        if self.unrecorded:
            self.unrecorded -= 1
            raise DatabaseUnavailable("away")
        await super().record_call(call)

    async def to_summarise(self, key, *, budget):
        turns = (PastTurn(Role.USER, "Why?", None), PastTurn(Role.ASSISTANT, "Because.", None))
        return ToSummarise(
            conversation=replace(HERE, key=key),
            since=0,
            first=0,
            before=2,
            until=1 + self.pieces,
            former="",
            former_turns=0,
            turns=turns,
            most_of_a_quote=100,
            window_start=self.window_start,
            anew=False,
        )

    async def keep_summary(self, task, *, text, model):
        if self.unkept.get(task.conversation.key):
            self.unkept[task.conversation.key] -= 1
            raise DatabaseUnavailable("away")
        self.kept.append(text)
        self.pieces -= self.keeps
        return self.keeps


class Desk:
    def __init__(self, *scripts, most: int, limits: AnswerLimits = LIMITS) -> None:
        self.clock = ManualClock()
        self.changes = Changes(self.clock)
        self.store = SummaryStore()
        model = FakeModel(*scripts)
        self.models, self.models_asked = Models([model], clock=self.clock), model.prompts
        total = Budget(scope=Scope.TOTAL, period=Period.DAY, limit=Limit(most=most))
        self.budgets = Budgets([total], least=Amount(tokens=1), clock=self.clock)
        self.spending = Spending(
            prices=FakePrices(), budgets=self.budgets, store=self.store, models=[], clock=self.clock
        )
        self.summarising = Summarising(
            store=self.store,
            models=self.models,
            spending=self.spending,
            slots=FairSlots(1),
            clock=self.clock,
            limits=limits,
            budget=lambda: limits.budget,
            as_told=AsTold(self.changes, self.store),
        )

    async def summarise(self, ended: TakenUp = ENDED) -> None:
        self.summarising.after(None)(ended, Outcome.COMPLETE.value)
        await self.summarising.idle()
        await self.spending.close()

    def budgets_used(self) -> int:
        return sum(self.budgets._used.values())

    @property
    def calls(self) -> list[ModelCall]:
        return self.store.calls

    async def break_the_model(self) -> None:
        """It fails until it is given a rest, and that is over: whoever asks next tries it for all."""
        for _ in range(FAULTS):
            with pytest.raises(ModelUnavailable), self.models.try_first():
                raise ModelUnavailable("503")
        await self.clock.advance(FIRST_REST)


async def test_it_goes_on_the_budgets_of_its_place_and_of_nobody():
    desk = Desk(["They spoke of why."], most=100_000)

    await desk.summarise()

    (call,) = desk.calls
    assert desk.store.kept == ["They spoke of why."]
    assert (call.purpose, call.author_id, call.counted_tokens) == ("summary", None, desk.budgets_used())


async def test_one_whose_request_the_database_did_not_record_is_kept_and_its_request_recorded_later():
    desk = Desk(["They spoke of why."], most=100_000)
    desk.store.unrecorded = 1

    await desk.summarise()

    assert desk.store.kept == ["They spoke of why."]
    assert [(call.outcome, call.counted_tokens) for call in desk.calls] == [("complete", desk.budgets_used())]


async def test_one_that_the_database_does_not_take_is_kept_when_it_does_and_was_paid_for_once():
    desk = Desk(["They spoke of why."], most=100_000)
    desk.store.unkept = {KEY: 2}
    summarising = asyncio.create_task(desk.summarise())
    for _ in range(2):
        async with asyncio.timeout(10):
            while not desk.clock.sleeping:
                await asyncio.sleep(0)
        assert desk.store.kept == []
        await desk.clock.advance(SECONDS_BETWEEN_TRIES)
    await summarising

    assert desk.store.kept == ["They spoke of why."]
    assert len(desk.calls) == 1
    desk.store.pieces = 1
    await desk.summarise()
    assert len(desk.calls) == 2  # a later one is asked for as ever


async def test_one_that_the_database_does_not_take_holds_up_no_other_conversation():
    desk = Desk(["They spoke of why."], ["They spoke of how."], most=100_000)
    desk.store.unkept = {KEY: 10**9}
    there = replace(ENDED, conversation=replace(HERE, id=2, key=ConversationKey(channel_id=20)))
    ended = desk.summarising.after(None)
    ended(ENDED, Outcome.COMPLETE.value)
    ended(there, Outcome.COMPLETE.value)

    async with asyncio.timeout(10):
        while not desk.store.kept:
            await asyncio.sleep(0)
            if desk.clock.sleeping:
                await desk.clock.advance(SECONDS_BETWEEN_TRIES)

    assert desk.store.kept == ["They spoke of how."]
    await desk.summarising.close()


async def test_what_was_deleted_or_edited_before_is_carried_out_first_or_nothing_is_summarised():
    desk = Desk(["They spoke of why."], most=100_000)
    done, away = [], True

    async def carry_out():
        if away:
            raise DatabaseUnavailable("away")
        done.append(len(desk.models_asked))

    kept = asyncio.create_task(desk.changes.surely(carry_out))
    await desk.summarise()
    assert desk.models_asked == []
    away = False
    await desk.summarise()
    await kept

    assert done == [0]
    assert desk.store.kept == ["They spoke of why."]


async def test_what_takes_several_prompts_is_made_at_once_one_after_the_other():
    desk = Desk(["They spoke."], ["They spoke more."], most=100_000)
    desk.store.pieces = 2

    await desk.summarise()

    assert desk.store.kept == ["They spoke.", "They spoke more."]


async def test_one_of_several_that_is_not_kept_ends_it_until_the_next_turn():
    desk = Desk(["They spoke."], ["They spoke more."], most=100_000)
    desk.store.pieces, desk.store.keeps = 2, False

    await desk.summarise()

    assert len(desk.calls) == 1


async def test_without_room_in_a_budget_none_is_made_and_none_is_given_up():
    desk = Desk(["They spoke of why."], most=100)
    await desk.summarise()

    assert desk.calls == []
    assert desk.store.kept == []


async def test_it_is_looked_for_when_the_longest_answer_can_have_brought_what_there_is_for_turns_near_its_end():
    limits = replace(LIMITS, system_prompt="word " * 266, max_answer_tokens=100)  # some 500 tokens of 1,000
    few, many = (replace(ENDED, history_tokens=tokens) for tokens in (200, 300))
    desk = Desk(["They spoke of why."], most=100_000, limits=limits)

    await desk.summarise(few)
    assert desk.store.kept == []
    await desk.summarise(many)
    assert desk.store.kept == ["They spoke of why."]


async def test_what_was_asked_counts_for_that():
    question = Turn(id=1, kind=Kind.MESSAGE, text="word " * 160)  # some 300 tokens
    desk = Desk(["They spoke of why."], most=100_000)

    await desk.summarise(replace(ENDED, history_tokens=0, questions=(question,)))

    assert desk.store.kept == ["They spoke of why."]


async def test_it_is_looked_for_whenever_something_was_left_out():
    desk = Desk(["They spoke of why."], most=100_000)

    await desk.summarise(replace(ENDED, history_tokens=0))
    assert desk.store.kept == []
    await desk.summarise(replace(ENDED, history_tokens=0, left_out=2))
    assert desk.store.kept == ["They spoke of why."]


async def test_one_that_fails_is_tried_again_when_the_window_has_moved():
    desk = Desk([ModelUnavailable("503")], ["They spoke of why."], most=100_000)

    await desk.summarise()
    await desk.summarise()
    assert len(desk.calls) == 1
    desk.store.window_start = 10
    await desk.summarise()

    assert desk.store.kept == ["They spoke of why."]


async def test_a_model_that_is_tried_again_after_a_rest_is_left_to_a_question():
    desk = Desk(["They spoke of why."], most=100_000)
    await desk.break_the_model()

    await desk.summarise()

    assert desk.calls == []
    assert desk.models.try_first() is not None


async def test_those_that_fail_give_the_model_no_rest():
    desk = Desk(*[[ModelUnavailable("503", retry_after=60.0)]] * FAULTS, most=100_000)

    for window_start in range(FAULTS):
        desk.store.window_start = window_start
        await desk.summarise()

    assert len(desk.calls) == FAULTS
    assert desk.models.admit
