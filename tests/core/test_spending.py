"""What an answer's requests reserve, use and give back, whatever comes of them."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from math import ceil

import pytest

from bot.core.as_told import AsTold
from bot.core.budgets import Amount, Budget, Limit, Payer, Scope
from bot.core.completions import Finished, FinishReason, Past, Prompt, Usage
from bot.core.errors import (
    BudgetUsedUp,
    ContextTooLong,
    DatabaseUnavailable,
    ModelBusy,
    ModelRefused,
    ModelUnavailable,
    Stopped,
    WrongModel,
)
from bot.core.messages import Conversation, ConversationKey, Press, TurnState
from bot.core.periods import Period
from bot.core.presses import Presses
from bot.core.spending import SECONDS_BETWEEN_TRIES
from bot.core.token_bounds import MARGIN, Report
from bot.core.tokens import TOKENS_PER_MESSAGE
from tests.clock import ManualClock
from tests.core.test_answer import LONG, World
from tests.fakes import FakeModel, FakeStore, message

END = Finished(reason=FinishReason.STOP, usage=Usage(input_tokens=30, output_tokens=12))
SILENT_END = Finished(reason=FinishReason.STOP)
PLENTY = 100_000


def tokens(most, scope=Scope.TOTAL):
    return Budget(scope=scope, period=Period.DAY, limit=Limit(most=most))


def dollars(most):
    return Budget(scope=Scope.TOTAL, period=Period.DAY, limit=Limit(most=most, in_dollars=True))


def used(world) -> int:
    return sum(world.budgets._used.values())


def reserved(world) -> int:
    return sum(world.budgets._reserved.values())


def in_bytes(prompt) -> int:
    return sum(TOKENS_PER_MESSAGE + len(each.content.encode()) for each in prompt.messages)


async def reserved_for_one() -> int:
    """What a question like those here reserves."""
    world = World([asyncio.Event()], budgets=[tokens(PLENTY)])
    await world.intake.take(message("Why?", id=1))
    await world.store.until(lambda: world.store.begun)
    await world.queue.let_go()
    return world.store.begun[0].counted_tokens


async def test_an_answer_is_counted_for_what_it_used() -> None:
    world = World(["Blue.", END], budgets=[tokens(PLENTY)])

    await world.ask(message("Why?", id=1))

    assert (used(world), reserved(world)) == (42, 0)
    (begun,) = world.store.begun
    assert [(call.counted_tokens, call.request_id) for call in world.store.calls] == [(42, begun.request_id)]


async def test_a_request_is_on_the_record_with_what_it_reserves_before_it_is_made() -> None:
    asked_before = []

    class Noting(FakeStore):
        async def begin_call(self, call):
            await super().begin_call(call)
            asked_before.append(len(world.model.prompts))

    world = World(["Blue.", END], store=Noting(), budgets=[tokens(PLENTY), dollars(10**9)])
    await world.ask(message("Why?", id=1))

    (begun,) = world.store.begun
    prompt = world.model.prompts[0]
    assert asked_before == [0]
    assert begun.outcome == "begun"
    most = in_bytes(prompt)
    assert begun.counted_tokens == most + prompt.max_answer_tokens
    assert begun.counted_nanodollars == most + 2 * prompt.max_answer_tokens


async def test_without_budgets_nothing_is_stored_before_a_request() -> None:
    world = World(["Blue.", END])

    await world.ask(message("Why?", id=1))

    assert world.store.begun == []
    assert [(call.counted_tokens, call.cost_nanodollars) for call in world.store.calls] == [(None, 54)]


async def test_every_attempt_and_every_model_is_counted() -> None:
    first = FakeModel(["", END], [WrongModel()], name="first")
    second = FakeModel(["", END], ["Blue.", END], name="second")
    world = World(models=[first, second], budgets=[tokens(PLENTY)])

    await world.ask(message("Why?", id=1))

    prompt = first.prompts[0]
    unknown, known = in_bytes(prompt) + 500, ceil(prompt.tokens * (30 / prompt.tokens * MARGIN)) + 500
    assert [call.counted_tokens for call in world.store.begun] == [unknown, unknown, known, known]
    assert sorted(call.counted_tokens for call in world.store.calls) == [0, 42, 42, 42]
    assert len({call.request_id for call in world.store.begun}) == 4
    assert {call.request_id for call in world.store.begun} == {call.request_id for call in world.store.calls}
    assert (used(world), reserved(world)) == (126, 0)


async def test_a_model_of_which_less_is_known_is_asked_with_more_reserved() -> None:
    first, second = FakeModel([WrongModel()], name="first"), FakeModel(["Blue.", END], name="second")
    world = World(models=[first, second], budgets=[tokens(PLENTY)])
    world.store.reported_before = [Report("first", "answer", Past(turns_sent=0), 100, 60)]
    await world.spending.load()

    await world.ask(message("Why?", id=1))

    prompt = first.prompts[0]
    assert [call.counted_tokens for call in world.store.begun] == [prompt.tokens + 500, in_bytes(prompt) + 500]
    assert (used(world), reserved(world)) == (42, 0)


async def test_a_model_of_which_less_is_known_waits_for_what_may_come_back() -> None:
    first, second = (
        FakeModel([WrongModel()], ["Red.", END], name="first"),
        FakeModel(["Blue.", END], name="second"),
    )
    world = World(models=[first, second], budgets=[tokens(PLENTY)])
    world.store.reported_before = [Report("first", "answer", Past(turns_sent=0), 100, 60)]
    await world.spending.load()
    others = world.budgets.reserve(Payer(person=9, channel_id=9, guild_id=5), Amount(tokens=PLENTY - 530))

    await world.intake.take(message("Why?", id=1))
    await world.store.until(lambda: first.prompts and not reserved_beside(world, others))
    asked = len(second.prompts)
    world.budgets.settle(others, Amount(tokens=0))
    await world.idle()

    assert (asked, len(second.prompts)) == (0, 1)
    assert world.texts() == ["Blue."]


async def test_a_model_that_takes_another_ones_place_meanwhile_is_reserved_for_anew(monkeypatch) -> None:
    first, second = FakeModel(name="first"), FakeModel(["Blue.", END], name="second")
    world = World(models=[first, second], budgets=[tokens(PLENTY)])
    world.store.reported_before = [Report("first", "answer", Past(turns_sent=0), 100, 60)]
    await world.spending.load()
    others = world.budgets.reserve(Payer(person=9, channel_id=9, guild_id=5), Amount(tokens=PLENTY - 100))
    waits, room = asyncio.Event(), world.budgets.room

    async def noted_room():
        waits.set()
        await room()

    monkeypatch.setattr(world.budgets, "room", noted_room)
    await world.intake.take(message("Why?", id=1))
    await waits.wait()
    with suppress(ModelBusy), world.answerer._models.try_first():
        raise ModelBusy("429", retry_after=30)
    world.budgets.settle(others, Amount(tokens=0))
    await world.idle()

    assert world.texts() == ["Blue."]
    assert [call.counted_tokens for call in world.store.begun] == [in_bytes(second.prompts[0]) + 500]
    assert (used(world), reserved(world)) == (42, 0)


def reserved_beside(world, reservation) -> int:
    return reserved(world) - reservation.amount.tokens


@pytest.mark.parametrize(
    "fault", [ModelBusy(), ModelUnavailable(), WrongModel(), ContextTooLong(), ModelRefused(unpaid=True)]
)
async def test_what_the_provider_refused_comes_back(fault) -> None:
    world = World(*[[fault]] * 3, budgets=[tokens(PLENTY), dollars(10**9)])

    await world.ask(message("Why?", id=1))

    assert (used(world), reserved(world)) == (0, 0)
    assert {(call.counted_tokens, call.counted_nanodollars) for call in world.store.calls} == {(0, 0)}
    assert {call.cost_nanodollars for call in world.store.calls} == {0}


@pytest.mark.parametrize(
    "script",
    [
        ["Blue.", SILENT_END],
        [LONG, ModelUnavailable("broke")],
        [ModelRefused()],
    ],
    ids=["no usage reported", "broken behind words", "refused"],
)
async def test_what_nobody_knows_counts_as_all_that_was_reserved(script) -> None:
    world = World(script, budgets=[tokens(PLENTY)])

    await world.ask(message("Why?", id=1))

    assert used(world) == await reserved_for_one()
    assert [call.cost_nanodollars for call in world.store.calls] == [None]


async def test_a_model_that_was_too_slow_may_have_been_paid() -> None:
    world = World([asyncio.Event()], budgets=[tokens(PLENTY)])
    await world.intake.take(message("Why?", id=1))
    await world.store.until(lambda: world.store.begun)
    await world.clock.passes(60.0)
    await world.idle()

    assert world.store.calls[0].outcome == "model_timeout"
    assert world.store.calls[0].counted_tokens == await reserved_for_one()


async def test_an_answer_that_was_stopped_counts_as_all_that_was_reserved() -> None:
    world = World([LONG, asyncio.Event()], budgets=[tokens(PLENTY)])
    await world.intake.take(message("Why?", id=1))
    while not (world.replies.opened and world.replies.opened[0].visible):
        await asyncio.sleep(0)

    world.queue.answering_to(1, ConversationKey(channel_id=10))[1].stop(Stopped())
    await world.idle()

    assert (used(world), reserved(world)) == (await reserved_for_one(), 0)
    (begun,) = world.store.begun
    assert [(call.outcome, call.request_id) for call in world.store.calls] == [("stopped", begun.request_id)]


async def test_a_question_that_no_budget_pays_for_gets_a_sentence_and_is_no_history() -> None:
    one = await reserved_for_one()
    world = World(["Blue.", SILENT_END], budgets=[tokens(one + 50)])

    await world.ask(message("Why?", id=1))
    await world.ask(message("And then?", id=2))

    assert len(world.model.prompts) == 1
    assert world.texts()[1].startswith(f"My budget for today ({one + 50:,} tokens) is used up. It resets <t:")
    assert world.state(2) is TurnState.FAILED
    assert len(world.store.begun) == 1


async def test_a_question_waits_for_what_may_come_back_without_a_place_at_the_model() -> None:
    one = await reserved_for_one()
    gate = asyncio.Event()
    world = World([gate, "First.", END], ["Second.", END], budgets=[tokens(one + 100)], concurrency=2)
    await world.intake.take(message("Why?", id=1))
    await world.store.until(lambda: world.store.begun)
    await world.intake.take(message("Why?", id=2, channel=11, author=2))
    while len(world.replies.opened) < 2:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    waits, free = len(world.model.prompts), world.queue._slots._free

    gate.set()
    await world.idle()

    assert (waits, free) == (1, 1)
    assert world.texts() == ["First.", "Second."]


async def test_a_question_that_is_deleted_while_it_waits_for_a_budget_leaves_nothing_reserved() -> None:
    one = await reserved_for_one()
    gate = asyncio.Event()
    world = World([gate, "First.", END], budgets=[tokens(one + 100)])
    await world.intake.take(message("Why?", id=1))
    await world.store.until(lambda: world.store.begun)
    await world.intake.take(message("Why?", id=2, channel=11, author=2))
    while len(world.replies.opened) < 2:
        await asyncio.sleep(0)

    await world.intake.deleted([2])
    gate.set()
    await world.idle()

    assert world.texts() == ["First."]
    assert (used(world), reserved(world)) == (42, 0)


async def test_a_question_that_is_deleted_while_its_request_is_put_on_the_record_counts_nothing_there() -> None:
    class Slow(FakeStore):
        stored = asyncio.Event()

        async def begin_call(self, call):
            await super().begin_call(call)
            await self.stored.wait()

    world = World(store=Slow(), budgets=[tokens(PLENTY)])
    await world.intake.take(message("Why?", id=1))
    await world.store.until(lambda: world.store.begun)
    await world.intake.deleted([1])
    while world.queue._workers:
        await asyncio.sleep(0)
    world.store.stored.set()
    await world.idle()

    assert world.model.prompts == []
    assert [(call.outcome, call.counted_tokens) for call in world.store.calls] == [("called_off", 0)]
    assert (used(world), reserved(world)) == (0, 0)


async def test_a_request_that_cannot_be_recorded_is_not_made_and_gives_back() -> None:
    class Forgetful(FakeStore):
        broken = True

        async def begin_call(self, call):
            if self.broken:
                self.broken = False
                raise DatabaseUnavailable("gone")
            await super().begin_call(call)

    world = World(["Blue.", END], store=Forgetful(), budgets=[tokens(PLENTY)])
    await world.intake.take(message("Why?", id=1))
    await world.clock.passes(1.0)
    await world.idle()

    assert [sentence for _, sentence in world.replies.sentences] == [DatabaseUnavailable.waiting_message]
    assert world.texts() == ["Blue."]
    assert len(world.model.prompts) == 1
    assert [(call.outcome, call.counted_tokens) for call in world.store.calls] == [
        ("called_off", 0),
        ("complete", 42),
    ]
    assert (used(world), reserved(world)) == (42, 0)


async def test_writing_anew_is_refused_where_the_budget_is_used_up() -> None:
    one = await reserved_for_one()
    world = World(["Blue.", SILENT_END], budgets=[tokens(one + 50)])
    await world.ask(message("Why?", id=1))
    as_told = AsTold(world.queue.changes, world.store)
    presses = Presses(store=world.store, queue=world.queue, admission=world.intake._admission, as_told=as_told)
    key = ConversationKey(channel_id=10)

    with pytest.raises(BudgetUsedUp):
        await presses.rewrite(Press(id=9, question_id=1, person=1, moderates=False, key=key, guild_id=5))


async def test_an_answer_that_no_budget_writes_anew_stays() -> None:
    one = await reserved_for_one()
    world = World(["Blue.", SILENT_END], budgets=[tokens(2 * one - 1)])
    await world.ask(message("Why?", id=1))
    await world.store.reopen(
        Press(id=9, question_id=1, person=1, moderates=False, key=ConversationKey(channel_id=10), guild_id=5)
    )

    world.queue.wake(ConversationKey(channel_id=10))
    await world.idle()

    assert world.texts() == ["Blue.", "Blue."]
    assert world.replies.sentences[0][1].endswith("(00:00 UTC). My earlier answer stays.")


async def test_dollars_are_reserved_at_the_price_of_the_dearest_model() -> None:
    class Dear:
        def cost(self, model, usage):
            return {"cheap": 1, "dear": 1_000}[model] * ((usage.input_tokens or 0) + (usage.output_tokens or 0))

    world = World(
        models=[FakeModel(["Blue.", END], name="cheap"), FakeModel(name="dear")], budgets=[dollars(10**9)]
    )
    world.spending._prices = Dear()

    await world.ask(message("Why?", id=1))

    prompt = world.model.prompts[0]
    assert world.store.begun[0].counted_nanodollars == 1_000 * (in_bytes(prompt) + prompt.max_answer_tokens)
    assert used(world) == 42


async def test_what_was_used_before_the_start_is_loaded_for_each_budget() -> None:
    world = World(budgets=[tokens(1_000, Scope.PERSON), tokens(1_000)])
    world.store.counted_before = {Scope.PERSON: {1: Amount(tokens=900)}, Scope.TOTAL: {0: Amount(tokens=400)}}

    await world.spending.load()

    refusals = [
        world.budgets.refuse(Payer(person=person, channel_id=10, guild_id=5)) is not None for person in (1, 2)
    ]
    assert refusals == [True, False]


async def test_what_was_used_yesterday_is_not_counted_today_where_midnight_comes_while_it_is_read() -> None:
    class Slow(FakeStore):
        async def counted(self, scope, *, since):
            used = await super().counted(scope, since=since)
            await clock.advance(2)
            return used

    clock = ManualClock(datetime(2026, 11, 26, 23, 59, 59, tzinfo=UTC))
    world = World(budgets=[tokens(1_000)], store=Slow(), clock=clock)
    world.store.counted_before = {Scope.TOTAL: {0: Amount(tokens=900)}}

    await world.spending.load()

    assert world.budgets.refuse(Payer(person=1, channel_id=10, guild_id=5)) is None


class Requests(World):
    """What is told of single requests, and when the database takes it."""

    def __init__(self) -> None:
        super().__init__(clock=ManualClock())

    def ended(self, *, answer_id=None):
        here = Conversation(id=1, key=ConversationKey(channel_id=10), guild_id=None, labelled=False)
        prompt = Prompt(messages=(), tokens=10, max_answer_tokens=10)
        account = self.spending.account(here, prompt, person=1)
        account.reserve("m")
        now = self.clock.now()
        return account.call(
            prompt,
            model="m",
            started_at=now,
            ended_at=now,
            outcome="empty",
            usage=Usage(),
            answer_id=answer_id,
        )

    async def record_in_vain(self, call) -> None:
        self.store.fault = DatabaseUnavailable("away")
        self.spending.record(call)
        await self.clock.advance(0.1)
        self.store.fault = None


@pytest.mark.parametrize(("where", "named"), [(None, None), (10, None), (11, 1)])
async def test_what_is_recorded_late_does_not_name_whoever_was_forgotten_meanwhile(where, named) -> None:
    world = Requests()
    await world.record_in_vain(world.ended())
    await world.intake.forget(1, channel_id=where)
    await world.clock.advance(SECONDS_BETWEEN_TRIES)
    world.spending.record(world.ended())
    await world.idle()

    assert [call.author_id for call in world.store.calls] == [named, 1]


async def test_what_is_recorded_late_is_of_no_answer_since_its_number_may_be_another_s() -> None:
    world = Requests()
    await world.record_in_vain(world.ended(answer_id=7))
    await world.clock.advance(SECONDS_BETWEEN_TRIES)
    world.spending.record(world.ended(answer_id=8))
    await world.idle()

    assert [call.answer_id for call in world.store.calls] == [None, 8]


async def test_what_is_recorded_reaches_the_store_before_what_it_is_asked_once_that_is_handed_over() -> None:
    asked = []

    class Noting(FakeStore):
        async def record_call(self, call):
            asked.append("record")
            await super().record_call(call)

        async def withdraw(self, answer_id):
            asked.append("withdraw")
            await super().withdraw(answer_id)

    world = World([asyncio.Event()], store=Noting())
    await world.intake.take(message("Why?", id=1))
    while not world.model.prompts:
        await asyncio.sleep(0)
    await world.intake.deleted([1])
    await world.idle()

    assert asked == ["record", "withdraw"]
