"""The turn: from a stored question to an answer that stands, whatever goes wrong on the way."""

import asyncio
from datetime import timedelta
from types import MappingProxyType

import pytest

from bot.core.admission import Admission, AdmissionLimits
from bot.core.answer import MAX_DELIVERIES, MAX_TAKE_UPS, SECONDS_BEFORE_DELIVERING_AGAIN, Answerer, AnswerLimits
from bot.core.as_told import AsTold
from bot.core.budgets import Amount, Budgets
from bot.core.changes import SECONDS_BETWEEN_TRIES, Changes
from bot.core.completions import Finished, FinishReason, Usage
from bot.core.conversation_queue import SECONDS_TO_CLOSE, ConversationQueue
from bot.core.errors import (
    AskedLongAgo,
    BotError,
    ContextTooLong,
    DatabaseUnavailable,
    DiscordUnavailable,
    ModelBusy,
    ModelTimeout,
    ModelUnavailable,
    ShuttingDown,
    Stopped,
    TextRefused,
    TooManyAttempts,
    Undeliverable,
    WrongModel,
)
from bot.core.fair_slots import FairSlots
from bot.core.generation import Generated, Generation, Patience
from bot.core.handled import Handled
from bot.core.intake import Intake
from bot.core.links import Links
from bot.core.messages import (
    ConversationKey,
    Edit,
    Erased,
    Interaction,
    Kind,
    Part,
    Press,
    TurnState,
    snowflake_at,
)
from bot.core.models import Models
from bot.core.quotes import Link, Opened, Quote
from bot.core.spending import Spending
from bot.core.tokens import TokenBudget
from bot.core.wording import GREETING
from tests.clock import ManualClock
from tests.fakes import (
    NOW,
    FakeClock,
    FakeLinks,
    FakeMissed,
    FakeModel,
    FakePrices,
    FakeReplies,
    FakeStore,
    message,
)

LONG = "The sky is blue because air scatters short waves of light."


class World:
    def __init__(
        self,
        *scripts,
        models=None,
        clock=None,
        concurrency=8,
        history_tokens=8000,
        store=None,
        admission=MappingProxyType({}),
        patience=None,
        links=None,
        answer_within=timedelta(days=36500),
        budgets=(),
    ) -> None:
        self.store = store or FakeStore()
        models = models or [FakeModel(*scripts)]
        self.model = models[0]
        self.replies = FakeReplies()
        self.clock = clock or FakeClock()
        limits = AnswerLimits(
            system_prompt="You are a friendly assistant!",
            history_tokens=history_tokens,
            max_answer_tokens=500,
            patience=patience or Patience(),
            answer_within=answer_within,
        )
        self.budgets = Budgets(budgets, least=Amount(tokens=500, nanodollars=1_000), clock=self.clock)
        self.spending = Spending(
            prices=FakePrices(),
            budgets=self.budgets,
            store=self.store,
            models=[model.name for model in models],
            clock=self.clock,
        )
        self.answerer = Answerer(
            store=self.store,
            models=Models(models, clock=self.clock),
            spending=self.spending,
            links=Links(store=self.store, reader=links or FakeLinks()),
            replies=self.replies,
            clock=self.clock,
            limits=limits,
        )
        self.missed, changes = FakeMissed(), Changes(self.clock)
        self.queue = ConversationQueue(
            store=self.store,
            answerer=self.answerer,
            slots=FairSlots(concurrency),
            clock=self.clock,
            budget=lambda: limits.budget,
            missed=self.missed,
            changes=changes,
            as_told=AsTold(changes, self.store),
        )
        self.handled = Handled()
        self.intake = Intake(
            store=self.store,
            queue=self.queue,
            replies=self.replies,
            clock=self.clock,
            handled=self.handled,
            admission=Admission(
                self.queue.line, clock=self.clock, limits=AdmissionLimits(**admission), budgets=self.budgets
            ),
            spending=self.spending,
        )

    async def ask(self, *messages) -> None:
        for item in messages:
            await self.intake.take(item)
        await self.idle()

    async def idle(self) -> None:
        while tasks := [worker.task for worker in self.queue._workers.values() if worker.task]:
            await asyncio.gather(*tasks)
        await self.spending.close()

    def texts(self) -> list[str]:
        return [text for _, text in self.replies.said]

    def state(self, message_id: int) -> TurnState:
        return next(turn.state for turn in self.store.turns.values() if turn.message_id == message_id)


def answers_of(world: World) -> list:
    return [turn for turn in world.store.turns.values() if turn.kind is Kind.ANSWER]


async def test_a_conversation_reaches_the_model_as_exactly_its_turns() -> None:
    world = World(["All good, how may I help you?"], ["Because of ", "scattering."])

    await world.ask(message("How is it going?", id=1))
    await world.ask(message("Why is the sky blue?", id=2))

    assert world.model.turns() == [
        ("system", "You are a friendly assistant!"),
        ("user", "How is it going?"),
        ("assistant", "All good, how may I help you?"),
        ("user", "Why is the sky blue?"),
    ]
    assert world.texts() == ["All good, how may I help you?", "Because of scattering."]


async def test_a_restart_forgets_nothing() -> None:
    first = World(["All good, how may I help you?"])
    await first.ask(message("How is it going?", id=1))

    second = World(store=first.store)
    await second.ask(message("Why is the sky blue?", id=2))

    assert [text for _, text in second.model.turns()][1:] == [
        "How is it going?",
        "All good, how may I help you?",
        "Why is the sky blue?",
    ]


async def test_a_message_delivered_twice_is_answered_once() -> None:
    world = World()

    await world.ask(message("Hi", id=1), message("Hi", id=1))

    assert len(world.model.prompts) == 1
    assert len(world.texts()) == 1


async def test_while_the_store_is_busy_a_question_is_stored_first_and_taken_up_then(monkeypatch) -> None:
    world = World(["Hello."])
    world.store.busy = True
    taken_up = []
    receive = world.store.receive

    async def noted(message, *, take_up, **budget):
        taken_up.append(take_up)
        return await receive(message, take_up=take_up, **budget)

    monkeypatch.setattr(world.store, "receive", noted)
    await world.ask(message("Hi", id=1))

    assert taken_up == [False]
    assert world.texts() == ["Hello."]


@pytest.mark.parametrize("busy", [False, True])
async def test_a_message_that_a_bot_stored_which_is_gone_is_answered_when_it_is_told_of_again(busy) -> None:
    gate = asyncio.Event()
    world = World(*[["First.", gate]] * busy, ["Hello."], ["Bye."])
    if busy:
        await world.intake.take(message("Before", id=1))
    for n, text in enumerate(("Hi", "Bye"), start=2):
        await world.store.receive(
            message(text, id=n, author=n), take_up=False, budget=TokenBudget(history_tokens=1000)
        )

    await world.intake.take(message("Bye", id=3, author=3))
    gate.set()
    await world.idle()

    assert world.texts()[-2:] == ["Hello.", "Bye."]


async def test_a_message_stored_by_its_second_copy_waits_as_by_its_first() -> None:
    gate, away = asyncio.Event(), asyncio.Event()
    world = World(["First.", gate], ["Second."], ["Third."])
    await world.intake.take(message("one", id=1))
    await world.intake.take(message("two", id=2, author=2))
    receive = world.store.receive

    async def first_copy_late(asked, **how):
        if not away.is_set():
            away.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return await receive(asked, **how)

    world.store.receive = first_copy_late
    copies = [asyncio.create_task(world.intake.take(message("three", id=3, author=3))) for _ in range(2)]
    await asyncio.gather(*copies)

    assert [place.question.address.message_id for place in world.queue.line] == [2, 3]
    gate.set()
    await world.idle()
    assert world.texts() == ["First.", "Second.", "Third."]


async def test_turns_that_waited_are_answered_by_lowest_id_and_read_in_answered_order() -> None:
    gate = asyncio.Event()
    world = World(["one", gate], ["two"], ["three"])
    await world.intake.take(message("first", id=1))
    await world.intake.take(message("third", id=3, author=3, name="Cleo"))
    await world.intake.take(message("second", id=2, author=2, name="Bob"))

    gate.set()
    await world.idle()

    assert [text for role, text in world.model.turns() if role != "system"] == [
        "Ada: first",
        "one",
        "Bob: second",
        "two",
        "Cleo: third",
    ]


async def test_neighbouring_waiting_messages_of_one_author_get_one_answer() -> None:
    gate = asyncio.Event()
    world = World(["one", gate], ["both"])
    await world.intake.take(message("first", id=1))
    await world.intake.take(message("and", id=2))
    await world.intake.take(message("also", id=3))

    gate.set()
    await world.idle()

    assert world.texts() == ["one", "both"]
    assert world.model.turns()[-2:] == [("user", "and"), ("user", "also")]


async def test_channels_do_not_wait_for_each_other_and_share_nothing() -> None:
    gate = asyncio.Event()
    world = World([gate, "slow"], ["quick"])
    await world.intake.take(message("secret of ten", id=1, channel=10))
    await world.intake.take(message("hello", id=2, channel=11))
    await world.store.until(lambda: (11, "quick") in world.replies.said)

    gate.set()
    await world.idle()

    assert world.replies.said == [(11, "quick"), (10, "slow")]
    assert all("secret" not in text for _, text in world.model.turns(1))


async def test_what_is_missed_while_a_question_waits_for_a_place_at_the_model_comes_before_it() -> None:
    gate = asyncio.Event()
    world = World(["one", gate], ["two"], ["three"], concurrency=1)
    await world.intake.take(message("elsewhere", id=1, channel=8))
    await world.intake.take(message("live", id=3))
    while not world.queue._slots.waiting:
        await asyncio.sleep(0)
    missed = world.missed.unread[10] = asyncio.Event()
    gate.set()
    for _ in range(50):
        await asyncio.sleep(0)
    await world.intake.take(message("missed", id=2, author=2))
    missed.set()
    await world.idle()

    asked = [world.model.turns(n)[-1][1] for n in range(3)]
    assert [text.split(": ")[-1] for text in asked] == ["elsewhere", "missed", "live"]


async def test_model_concurrency_bounds_what_is_asked_at_once() -> None:
    gate = asyncio.Event()
    world = World([gate, "a"], [gate, "b"], ["c"], concurrency=2)
    for channel in (1, 2, 3):
        await world.intake.take(message("hi", id=channel, channel=channel))
    for _ in range(50):
        await asyncio.sleep(0)
    asked = len(world.model.prompts)

    gate.set()
    await world.idle()

    assert (asked, len(world.model.prompts)) == (2, 3)


async def test_speakers_are_labelled_from_the_second_person_on_for_all_turns() -> None:
    world = World(["hello"], ["hello both"], ["again"])

    await world.ask(message("I am here", id=1, name="Ada"))
    await world.ask(message("me too", id=2, author=2, name="Bob"))
    await world.ask(message("fine", id=3, name="Ada"))

    assert world.model.turns(0)[1:] == [("user", "I am here")]
    assert world.model.turns(2)[1:] == [
        ("user", "Ada: I am here"),
        ("assistant", "hello"),
        ("user", "Bob: me too"),
        ("assistant", "hello both"),
        ("user", "Ada: fine"),
    ]


async def test_a_bare_mention_is_greeted_without_asking_the_model_and_is_not_history() -> None:
    world = World()

    await world.ask(message("", id=1))
    await world.ask(message("Hi", id=2))

    assert world.texts()[0] == GREETING
    assert world.model.turns() == [("system", "You are a friendly assistant!"), ("user", "Hi")]


async def test_a_bare_mention_in_reply_asks_about_the_quoted_message() -> None:
    world = World()
    quote = Quote(message_id=7, author_id=2, author_name="Bob", text="Cats can fly.", raw_text="Cats can fly.")

    await world.ask(message("", id=8, quote=quote))

    assert world.model.turns()[1:] == [("user", "Bob: Cats can fly.")]


async def test_links_are_opened_for_the_asker_before_the_model_is_asked() -> None:
    there, gone = Link(channel_id=20, message_id=7), Link(channel_id=20, message_id=6)
    quote = Quote(message_id=7, author_id=2, author_name="Bob", text="Cats can fly.", raw_text="Cats can fly.")
    links = FakeLinks({there: Opened(quote=quote), gone: Opened(note="The other one is gone.")})
    world = World(["Hardly."], ["Certainly."], links=links)

    await world.ask(message("Is that so?", id=8, links=(there, gone)))
    await world.ask(message("Sure?", id=9))

    assert world.model.turns(0)[1:] == [("user", "Bob: Cats can fly."), ("user", "Ada: Is that so?")]
    assert world.model.turns(1)[1:3] == world.model.turns(0)[1:]
    assert world.texts()[0] == "Hardly.\n-# The other one is gone."
    assert links.asked == [([there, gone], 1, ConversationKey(channel_id=10), 5)]


async def test_a_question_whose_text_is_stored_opens_no_link_again() -> None:
    links = FakeLinks()
    world = World(links=links)
    world.replies.fault = DiscordUnavailable("away")
    asking = asyncio.create_task(world.ask(message("Look", id=8, links=(Link(channel_id=20, message_id=7),))))
    await world.store.until(lambda: any(turn.state is TurnState.WRITTEN for turn in world.store.turns.values()))
    world.replies.fault = None
    await asking

    assert len(links.asked) == 1


async def test_a_linked_message_that_is_deleted_while_it_is_read_reaches_no_prompt() -> None:
    quote = Quote(message_id=7, author_id=2, author_name="Bob", text="Cats can fly.", raw_text="Cats can fly.")
    link = Link(channel_id=20, message_id=7)

    class Deleted(FakeLinks):
        async def read(self, links, **whose):
            await world.intake.deleted([7])
            return await super().read(links, **whose)

    world = World(links=Deleted({link: Opened(quote=quote)}))

    await world.ask(message("Is that so?", id=8, links=(link,)))

    assert world.texts()
    assert "fly" not in str(world.model.turns())


async def test_what_cannot_be_read_is_named_below_an_answer_and_kept_out_of_the_history() -> None:
    world = World(["Nice words."], ["ok"])

    await world.ask(message("look", id=1, note="I can't look at pictures yet."))
    await world.ask(message("and?", id=2))

    assert world.texts()[0] == "Nice words.\n-# I can't look at pictures yet."
    assert ("assistant", "Nice words.") in world.model.turns()


async def test_a_picture_alone_is_answered_with_the_sentence() -> None:
    world = World()

    await world.ask(message("", id=1, note="I can't look at pictures yet."))

    assert world.texts() == ["I can't look at pictures yet."]
    assert world.model.prompts == []


async def test_a_slash_question_stands_above_its_answer_at_most_300_characters_of_it() -> None:
    world = World(["Short."])
    interaction = Interaction(id=1, token="t", expires_at=NOW + timedelta(minutes=15))

    await world.ask(message("why? " * 100, id=1, kind=Kind.SLASH, interaction=interaction))

    head, answer = world.texts()[0].split("\n")
    assert answer == "Short."
    assert head.startswith("> why? why?")
    assert head.endswith("…")
    assert len(head) <= 302


@pytest.mark.parametrize("fault", [ModelBusy("429"), ModelUnavailable("503")])
async def test_a_passing_fault_of_the_model_is_retried_and_each_call_recorded(fault) -> None:
    world = World([fault], [fault], ["There you go."])

    await world.ask(message("Hi", id=1))

    assert world.texts() == ["There you go."]
    assert sorted((call.attempt, call.outcome) for call in world.store.calls) == [
        (1, fault.code),
        (2, fault.code),
        (3, "complete"),
    ]


async def test_retry_after_is_waited_for() -> None:
    world = World([ModelBusy("429", retry_after=45)], ["ok"])

    await world.ask(message("Hi", id=1))

    assert world.clock.seconds >= 45


async def test_a_retry_after_beyond_the_total_deadline_is_not_waited_for() -> None:
    world = World([ModelBusy("429", retry_after=400)], ["ok"])

    await world.ask(message("Hi", id=1))

    assert world.texts() == [ModelBusy.user_message]
    assert world.clock.seconds < 400


@pytest.mark.parametrize("fault", [WrongModel(), ContextTooLong()])
async def test_a_lasting_fault_is_told_at_once_and_the_question_is_kept_out_of_the_history(fault) -> None:
    world = World([fault], ["Hello."])

    await world.ask(message("What is this?", id=1))
    await world.ask(message("Hi", id=2))

    assert world.texts() == [fault.user_message, "Hello."]
    assert world.state(1) is TurnState.FAILED
    assert [text for _, text in world.model.turns()][1:] == ["Hi"]


async def test_attempts_are_capped() -> None:
    world = World(*[[ModelUnavailable("503")] for _ in range(5)])

    await world.ask(message("Hi", id=1))

    assert len(world.model.prompts) == 3
    assert world.texts() == [ModelUnavailable.user_message]


async def test_a_fault_after_visible_words_closes_the_text_and_keeps_it_as_history() -> None:
    world = World([LONG, ModelUnavailable("reset")], ["Going on."])

    await world.ask(message("Why?", id=1))
    await world.ask(message("go on", id=2))

    assert len(world.model.prompts) == 2
    assert world.texts()[0].startswith(LONG)
    assert "go on" in world.texts()[0]
    assert ("assistant", LONG) in world.model.turns()
    assert world.store.outcomes[answers_of(world)[0].id] == "cut_off"


async def test_words_nobody_saw_are_taken_back_before_a_retry() -> None:
    world = World(["Hm", ModelUnavailable("reset")], ["Better."])

    await world.ask(message("Hi", id=1))

    assert world.texts() == ["Better."]


async def test_a_stream_without_finish_reason_is_a_fault() -> None:
    class Truncating(FakeModel):
        async def stream(self, prompt):
            async for item in super().stream(prompt):
                if isinstance(item, Finished) and len(self.prompts) == 1:
                    return
                yield item

    world = World(models=[Truncating(["Hm"], ["Whole."])])

    await world.ask(message("Hi", id=1))

    assert world.texts() == ["Whole."]


async def test_an_answer_at_the_token_limit_says_so_and_an_open_code_block_is_closed_first() -> None:
    world = World(["```py\nx = 1", Finished(reason=FinishReason.LENGTH)])

    await world.ask(message("code", id=1))

    assert world.texts()[0].startswith("```py\nx = 1\n```\n-# ")
    assert answers_of(world)[0].text == "```py\nx = 1"


async def test_a_code_block_that_ends_behind_code_is_not_opened_again() -> None:
    world = World(["```py\nprint(1)```", Finished(reason=FinishReason.LENGTH)])

    await world.ask(message("code", id=1))

    assert world.texts()[0].startswith("```py\nprint(1)```\n-# ")


async def test_a_refusal_is_told_in_plain_words() -> None:
    world = World(["I", Finished(reason=FinishReason.REFUSED)])

    await world.ask(message("Hi", id=1))

    assert world.texts() == ["The language model declined to answer that."]


@pytest.mark.parametrize("nothing", [" \n", "\u200b"])
async def test_an_empty_answer_is_asked_again(nothing) -> None:
    world = World([nothing], ["Words."])

    await world.ask(message("Hi", id=1))

    assert world.texts() == ["Words."]


async def test_a_model_that_says_nothing_in_time_is_given_up() -> None:
    world = World(*[[asyncio.Event()] for _ in range(3)])
    await world.intake.take(message("Hi", id=1))
    for asked in (1, 2, 3):
        while len(world.clock.deadlines) == 0 or len(world.model.prompts) < asked:
            await asyncio.sleep(0)
        world.clock.pass_deadlines()
        while world.model.closed < asked:
            await asyncio.sleep(0)

    await world.idle()

    assert world.texts() == ["The language model took too long to answer. Please try again."]
    assert [call.outcome for call in world.store.calls] == ["model_timeout"] * 3


async def test_what_the_provider_counted_corrects_the_next_estimate() -> None:
    world = World(*[["ok", Finished(reason=FinishReason.STOP, usage=Usage(input_tokens=10))] for _ in range(9)])
    for n in range(1, 9):
        await world.ask(message("Hi", id=n))
        if n == 1:
            at_first = world.model.prompts[0].tokens
            assert world.store.calls[0].estimated_tokens == at_first

    assert at_first > 20
    # It was told that each prompt has ten tokens, be it ever so long.
    assert world.model.prompts[-1].tokens < 30


@pytest.mark.parametrize("refused", [False, True])
async def test_one_odd_report_moves_nothing_though_its_text_is_stored_at_the_second_try(refused) -> None:
    world = World(*[["ok", Finished(reason=FinishReason.STOP, usage=Usage(input_tokens=n))] for n in (9, 9, 9000)])
    write, failures = world.store.write_answer, [3] if refused else []
    rates = []

    async def noting(*answer, token_rate, **how):
        if len(world.model.prompts) in failures:
            raise DatabaseUnavailable(f"locked, {failures.pop()}")
        rates.append(token_rate)
        await write(*answer, token_rate=token_rate, **how)

    world.store.write_answer = noting
    for number in (1, 2, 3):
        await world.intake.take(message("Hi", id=number))
        async with asyncio.timeout(10):
            while len(rates) < number:
                await asyncio.sleep(0)
                world.clock.pass_deadlines()
        await world.idle()

    assert rates[2] is None or rates[2] < rates[1]


async def test_a_question_larger_than_the_budget_is_refused_and_the_conversation_goes_on() -> None:
    world = World(["ok"], history_tokens=200)

    await world.ask(message("x" * 2000, id=1))
    await world.ask(message("Hi", id=2))

    assert world.texts()[0].startswith("That message is too long")
    assert world.texts()[1] == "ok"


async def test_a_question_deleted_while_it_is_answered_stops_the_model_and_its_draft_goes() -> None:
    world = World([LONG, asyncio.Event()])
    await world.intake.take(message("Why?", id=1))
    while not (world.replies.opened and world.replies.opened[0].visible):
        await asyncio.sleep(0)

    await world.intake.deleted([1])
    await world.idle()

    assert world.model.closed == 1
    assert world.replies.opened[0].discarded
    assert world.texts() == []
    assert world.state(1) is TurnState.WITHDRAWN
    assert len(world.model.prompts) == 1


async def test_of_two_questions_answered_together_the_one_left_is_asked_again() -> None:
    gate, late = asyncio.Event(), asyncio.Event()
    world = World(["one", gate], [LONG, late], ["just that"])
    await world.intake.take(message("first", id=1))
    await world.intake.take(message("this", id=2))
    await world.intake.take(message("that", id=3))
    gate.set()
    while len(world.replies.opened) < 2 or not world.replies.opened[1].visible:
        await asyncio.sleep(0)

    await world.intake.deleted([2])
    await world.idle()

    assert world.texts() == ["one", "just that"]
    assert world.model.turns()[-1] == ("user", "that")


async def test_a_deleted_question_and_its_answer_are_history_no_more() -> None:
    world = World(["secret answer"], ["ok"])
    await world.ask(message("secret question", id=1))

    await world.intake.deleted([1])
    await world.ask(message("Hi", id=2))

    assert world.model.turns()[1:] == [("user", "Hi")]


async def edited(world: World, message_id: int, text: str) -> None:
    await world.intake.edited(Edit(message_id=message_id, text=text, raw_text=text, note=None, edited_at=NOW))


async def asked(world: World, count: int) -> None:
    """Wait until the model was asked so often, and has said what it says."""
    async with asyncio.timeout(10):
        while len(world.model.prompts) < count:
            await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("words", ["", "Short"])
async def test_a_question_edited_before_anything_is_visible_is_asked_anew(words) -> None:
    world = World([words, asyncio.Event()], ["To the new one."])
    await world.intake.take(message("Old?", id=1))
    await asked(world, 1)

    await edited(world, 1, "New?")
    await world.idle()

    assert world.texts() == ["To the new one."]
    assert [world.model.turns(n)[-1] for n in (0, 1)] == [("user", "Old?"), ("user", "New?")]
    assert sorted(call.outcome for call in world.store.calls) == ["complete", "reworded"]
    assert [reply.shown for reply in world.replies.opened] == ["", "To the new one."]
    assert world.replies.opened[-1].taken.tries == 1


async def test_a_second_edit_lets_the_answer_go_on_and_changes_what_is_stored() -> None:
    gate = asyncio.Event()
    world = World([asyncio.Event()], [gate, "To the second."], ["ok"])
    await world.intake.take(message("First?", id=1))
    await asked(world, 1)
    await edited(world, 1, "Second?")
    await asked(world, 2)

    await edited(world, 1, "Third?")
    gate.set()
    await world.idle()
    await world.ask(message("And?", id=2))

    assert world.texts() == ["To the second.", "ok"]
    assert world.model.turns()[1:] == [("user", "Third?"), ("assistant", "To the second."), ("user", "And?")]


async def test_the_next_answer_can_be_begun_anew_as_well() -> None:
    world = World([asyncio.Event()], ["one"], [asyncio.Event()], ["two"])
    for n in (1, 2):
        await world.intake.take(message("Old?", id=n))
        await asked(world, 2 * n - 1)
        await edited(world, n, f"New {n}?")
        await world.idle()

    assert world.texts() == ["one", "two"]


async def test_edits_between_two_attempts_make_no_further_ones_and_the_newest_wording_is_asked() -> None:
    world = World(*[[ModelUnavailable("503")]] * 9, clock=ManualClock())
    await world.intake.take(message("New 0?", id=1))

    for n in range(1, 6):
        while len(world.model.prompts) < n and not world.texts():
            await world.clock.advance(0.1)
        await edited(world, 1, f"New {n}?")

    assert [world.model.turns(n)[-1][1] for n in range(len(world.model.prompts))] == ["New 0?", "New 1?", "New 2?"]
    assert world.texts() == [ModelUnavailable.user_message]


async def test_an_answer_begun_anew_has_no_more_time_than_it_had() -> None:
    world = World(*[[asyncio.Event()]] * 9, clock=ManualClock(), patience=Patience(total=100.0))
    await world.intake.take(message("Old?", id=1))
    await world.clock.advance(39)
    await edited(world, 1, "New?")

    await world.clock.advance(61)

    assert len(world.model.prompts) == 2
    assert world.texts() == [ModelTimeout.user_message]


async def test_waiting_for_a_place_takes_nothing_from_the_time_of_an_answer_begun_anew() -> None:
    gate = asyncio.Event()
    world = World(
        [asyncio.Event()], ["x" * 9, gate], ["To the new one."], clock=ManualClock(), concurrency=1,
        patience=Patience(total=50.0, stall=50.0),
    )  # fmt: skip
    await world.intake.take(message("Old?", id=1))
    await world.intake.take(message("Elsewhere?", id=2, channel=11, author=2))
    await world.clock.advance(10)
    await edited(world, 1, "New?")
    await world.clock.advance(45)
    gate.set()
    await world.clock.advance(1)

    assert world.texts() == ["x" * 9, "To the new one."]


async def test_waiting_for_a_place_between_two_attempts_takes_nothing_from_an_answer_s_time() -> None:
    fault, gate = asyncio.Event(), asyncio.Event()
    world = World(
        [fault, ModelUnavailable("503")], ["x" * 9, gate], ["At last."], clock=ManualClock(), concurrency=1,
        patience=Patience(total=50.0, stall=50.0),
    )  # fmt: skip
    await world.intake.take(message("Why?", id=1))
    await world.intake.take(message("Elsewhere?", id=2, channel=11, author=2))
    await world.clock.advance(10)
    fault.set()
    await world.clock.advance(45)
    gate.set()
    await world.clock.advance(10)

    assert world.texts() == ["x" * 9, "At last."]


async def test_what_was_deleted_meanwhile_is_not_sent_once_more_where_no_attempt_is_left() -> None:
    gate = asyncio.Event()
    models = [FakeModel(["one"], [gate, ModelUnavailable("503")]), FakeModel(["from the other"])]
    world = World(models=models, patience=Patience(attempts=1))
    await world.ask(message("Past", id=1))
    await world.intake.take(message("Now?", id=2))
    await asked(world, 2)

    await world.intake.deleted([1])
    gate.set()
    await world.idle()

    assert world.texts() == ["one", ModelUnavailable.user_message]
    assert not models[1].prompts


async def test_a_question_edited_after_visible_words_changes_only_what_is_stored() -> None:
    gate = asyncio.Event()
    world = World([LONG, gate], ["ok"])
    await world.intake.take(message("Old?", id=1))
    await asked(world, 1)

    await edited(world, 1, "New?")
    gate.set()
    await world.idle()
    await world.ask(message("And?", id=2))

    assert world.texts() == [LONG, "ok"]
    assert world.model.turns()[1:] == [("user", "New?"), ("assistant", LONG), ("user", "And?")]


async def test_an_edit_of_what_was_said_before_leaves_an_answer_under_way_alone() -> None:
    gate = asyncio.Event()
    world = World(["one"], [gate, "two"])
    await world.ask(message("Old", id=1))
    await world.intake.take(message("More?", id=2))
    await asked(world, 2)

    await edited(world, 1, "New")
    gate.set()
    await world.idle()

    assert world.texts() == ["one", "two"]
    assert len(world.model.prompts) == 2


async def test_until_the_model_is_asked_each_edit_reaches_its_prompt() -> None:
    wordings = iter([(2, "Second?"), (2, "Third?"), (1, "Newer")])

    class Edited(FakeLinks):
        async def read(self, links, **whose):
            if wording := next(wordings, None):
                await edited(world, *wording)
            return await super().read(links, **whose)

    world = World(links=Edited())
    world.store.open_link = lambda turn_id, opened: world.store.read_fact("nothing is found")
    await world.ask(message("Older", id=1))

    await world.ask(message("First?", id=2, links=(Link(channel_id=20, message_id=7),)))

    assert len(world.model.prompts) == 2
    assert [text for _, text in world.model.turns()[1:]] == ["Ada: Newer", "All good.", "Ada: Third?"]
    assert world.replies.opened[-1].taken.tries == 1


async def test_what_is_deleted_before_the_model_is_asked_is_not_in_its_prompt() -> None:
    gone = iter([1])

    class Deleted(FakeLinks):
        async def read(self, links, **whose):
            if message_id := next(gone, None):
                await world.intake.deleted([message_id])
            return await super().read(links, **whose)

    world = World(links=Deleted())
    world.store.open_link = lambda turn_id, opened: world.store.read_fact("nothing is found")
    await world.ask(message("Older", id=1))

    await world.ask(message("And?", id=2, links=(Link(channel_id=20, message_id=7),)))

    assert len(world.model.prompts) == 2
    assert [text for _, text in world.model.turns()[1:]] == ["Ada: And?"]
    assert world.replies.opened[-1].taken.tries == 1


async def test_what_is_deleted_while_the_model_fails_is_not_in_the_prompt_that_is_sent_again() -> None:
    gate = asyncio.Event()
    world = World(["one"], [gate, ModelUnavailable("503")], ["two"])
    await world.ask(message("Older", id=1))
    await world.intake.take(message("And?", id=2))
    await asked(world, 2)

    await world.intake.deleted([1])
    gate.set()
    await world.idle()

    assert world.texts() == ["one", "two"]
    assert [text for _, text in world.model.turns()[1:]] == ["And?"]
    assert world.replies.opened[-1].taken.tries == 1


async def test_what_is_deleted_before_the_model_is_asked_again_is_not_in_its_prompt() -> None:
    class Deleting(FakeClock):
        async def sleep(self, seconds):
            await world.intake.deleted([1])
            await super().sleep(seconds)

    world = World(["one"], [ModelUnavailable("503")], ["two"], clock=Deleting())
    await world.ask(message("Older", id=1))

    await world.ask(message("And?", id=2))

    assert [text for _, text in world.model.turns()[1:]] == ["And?"]
    assert world.replies.opened[-1].taken.tries == 1


async def test_an_edit_while_its_question_is_being_taken_up_reaches_the_prompt() -> None:
    world = World(["To the new one."])
    take_up = world.store.receive

    async def taken_up_then_edited(*what, **how):
        received = await take_up(*what, **how)
        await edited(world, 1, "New?")
        return received

    world.store.receive = taken_up_then_edited

    await world.ask(message("Old?", id=1))

    assert [world.model.turns(n)[-1] for n in range(len(world.model.prompts))] == [("user", "New?")]


async def test_a_question_that_is_edited_and_deleted_at_once_gets_no_answer() -> None:
    world = World([asyncio.Event()])
    await world.intake.take(message("Old?", id=1))
    await asked(world, 1)

    await edited(world, 1, "New?")
    await world.intake.deleted([1])
    await world.idle()

    assert world.texts() == []
    assert len(world.model.prompts) == 1


async def test_an_edit_that_comes_with_the_last_word_is_heeded_and_the_answer_recorded(monkeypatch) -> None:
    world = World(["To the old one."], ["To the new one."])
    run, edits = Generation.run, [1]

    async def edited_at_the_end(self: Generation) -> Generated:
        generated = await run(self)
        if edits:
            answers = [self._taken.answer_id]
            asyncio.get_running_loop().call_soon(world.queue.under_way.reworded, edits.pop(), answers)
        return generated

    monkeypatch.setattr(Generation, "run", edited_at_the_end)
    await world.ask(message("Old?", id=1))

    assert world.texts() == ["To the new one."]
    assert sorted(call.outcome for call in world.store.calls) == ["complete", "reworded"]


async def test_a_database_that_fails_at_intake_is_told_in_the_channel() -> None:
    world = World()
    world.store.fault = DatabaseUnavailable("disk full")

    await world.ask(message("Hi", id=1))

    assert [sentence for _, sentence in world.replies.sentences] == [DatabaseUnavailable.user_message]
    assert world.model.prompts == []


@pytest.mark.parametrize("mute", [False, True])
async def test_what_was_not_stored_is_read_again_unless_its_author_was_told(mute) -> None:
    world = World()
    world.store.fault = DatabaseUnavailable("disk full")
    world.replies.mute = mute

    await world.ask(message("Hi", id=1))

    assert world.handled.was_told(1) is not mute
    assert world.handled.unstored == {10: 5}


async def test_who_was_told_to_ask_again_is_not_answered_when_the_message_is_heard_once_more() -> None:
    world = World()
    world.store.fault = DatabaseUnavailable("disk full")
    await world.ask(message("Hi", id=1))
    world.store.fault = None
    while world.intake._in_vain._erasing:  # what may be stored of it
        await asyncio.sleep(0)

    await world.ask(message("Hi", id=1))

    assert [sentence for _, sentence in world.replies.sentences] == [DatabaseUnavailable.user_message]
    assert world.model.prompts == []


async def test_what_is_told_too_late_to_be_read_again_is_read_once_more() -> None:
    world = World()
    question = message("Hi", id=1)
    with pytest.raises(DatabaseUnavailable), world.handled.storing(question):
        raise DatabaseUnavailable
    world.handled.begin_to_read(5)

    world.handled.could_not_tell(question)

    assert world.handled.unstored == {10: 5}
    assert not world.handled.was_told(1)


async def test_who_waits_is_told_once_that_nothing_can_be_taken_up_and_answered_later() -> None:
    gate = asyncio.Event()
    world = World([gate, "one"], ["two"])
    take_up, failures = world.store.take_up, iter(range(3))

    async def damaged(key, **budget):
        if next(failures, None) is not None:
            raise DatabaseUnavailable("a damaged page")
        return await take_up(key, **budget)

    await world.intake.take(message("one?", id=1))
    world.store.take_up = damaged
    await world.intake.take(message("two?", id=2, author=2))
    gate.set()
    for seconds in (1.0, 2.0, 4.0):
        await world.clock.passes(seconds)
    await world.idle()

    told = [(address.message_id, sentence) for address, sentence in world.replies.sentences]
    assert told == [(2, DatabaseUnavailable.waiting_message)]
    assert world.texts() == ["one", "two"]


async def test_nobody_is_told_that_a_question_waits_before_it_is_stored() -> None:
    world = World()

    async def away(*_, **__):
        raise DatabaseUnavailable("locked")

    world.store.take_up, world.store.busy = away, True
    world.store.answers.clear()
    asking = asyncio.create_task(world.intake.take(message("not stored", id=1)))
    await asyncio.sleep(0)
    world.queue.wake(ConversationKey(channel_id=10))
    world.store.fault = DatabaseUnavailable("locked")
    for pause in (1, 2, 4):
        await world.clock.passes(pause)
    world.store.answers.set()
    await asking
    await world.queue.let_go()

    assert [sentence for _, sentence in world.replies.sentences] == [DatabaseUnavailable.user_message]


async def test_a_database_that_fails_behind_the_answer_is_told_and_the_answer_comes_later() -> None:
    gate = asyncio.Event()
    world = World(["one", gate], ["two"])
    await world.intake.take(message("first", id=1))
    await away_behind(world, gate)

    world.store.fault = None
    await world.ask(message("second", id=2))

    assert [sentence for _, sentence in world.replies.sentences] == [DatabaseUnavailable.waiting_message]
    assert world.texts() == ["one", "two"]
    assert len(world.model.prompts) == 2


async def away_behind(world: World, gate: asyncio.Event) -> None:
    """The database goes away while the model writes the last words, and is tried in vain several times."""
    world.store.fault = DatabaseUnavailable("disk full")
    gate.set()
    for pause in (1, 2, 4):  # it tries again by itself, after longer and longer
        await world.clock.passes(pause)


@pytest.mark.parametrize("edited", ["question", "beside"])
async def test_an_answer_that_waits_for_the_database_is_asked_for_anew_after_an_edit(edited) -> None:
    gate = asyncio.Event()
    world = World(["one", gate], ["one anew"])
    await world.intake.take(message("first", id=1))
    await away_behind(world, gate)

    (answer_id,) = [turn.id for turn in world.store.turns.values() if turn.kind is Kind.ANSWER]
    world.queue.under_way.reworded(1 if edited == "question" else None, [answer_id])
    world.store.fault = None
    await world.idle()

    assert world.texts() == ["one anew"]


async def test_an_answer_that_waits_for_the_database_is_let_go_of_when_its_question_is_deleted() -> None:
    gate = asyncio.Event()
    world = World(["one", gate], ["two"])
    await world.intake.take(message("first", id=1))
    await away_behind(world, gate)
    deleting = asyncio.create_task(world.intake.deleted([1]))
    await world.clock.passes(SECONDS_BETWEEN_TRIES)

    world.store.fault = None
    await deleting
    await world.ask(message("second", id=2))

    assert world.texts() == ["two"]
    assert world.queue.under_way._kept == {}


async def test_nothing_is_left_of_an_answer_whose_question_is_deleted_while_it_is_said_that_it_waits() -> None:
    world = World(["Never to be read."])
    world.store.write_answer, saying = away, world.replies.say

    async def deleted_meanwhile(*what, **how):
        await world.intake.deleted([1])
        return await saying(*what, **how)

    world.replies.say = deleted_meanwhile
    await world.intake.take(message("Hi", id=1))
    await world.clock.passes(1)
    await world.idle()

    assert answers_of(world) == []


@pytest.mark.parametrize("away_again", [False, True])
async def test_nothing_is_left_of_an_answer_whose_question_is_deleted_between_two_take_ups(away_again) -> None:
    world = World(["Never to be read."])
    write, forget = world.store.write_answer, world.store.forget_withdrawn
    world.store.write_answer = away
    await world.intake.take(message("Hi", id=1))
    async with asyncio.timeout(10):
        while not world.clock.deadlines or world.queue.answering:
            await asyncio.sleep(0)
    await world.intake.deleted([1])
    if away_again:
        world.store.forget_withdrawn = away
    await world.clock.passes(1)
    await world.idle()
    world.store.write_answer, world.store.forget_withdrawn = write, forget
    if away_again:
        await world.ask(message("Elsewhere", id=2, channel=20))

    assert TurnState.WITHDRAWN not in [answer.state for answer in answers_of(world)]


async def away(*_, **__) -> None:
    raise DatabaseUnavailable("locked")


async def test_a_kept_text_is_let_go_of_by_an_edit_that_comes_as_its_answer_is_taken_up_again() -> None:
    world = World(["To the old one."], ["To the new one."])
    write, take_up, failures = world.store.write_answer, world.answerer._links.open, [1]

    async def refusing(*answer, **how):
        if failures:
            raise DatabaseUnavailable(f"locked, {failures.pop()}")
        await write(*answer, **how)

    async def edited_meanwhile(taken):
        if taken.attempt == 2:
            await edited(world, 1, "New?")
        return await take_up(taken)

    world.store.write_answer, world.answerer._links.open = refusing, edited_meanwhile
    await world.intake.take(message("Old?", id=1))
    await world.clock.passes(1)
    await world.idle()

    assert world.texts() == ["To the new one."]
    assert world.model.turns()[-1] == ("user", "New?")


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_text_is_kept_no_longer_than_until_it_is_stored(carried_out) -> None:
    world = World(["Paid for."])
    write, failures = world.store.write_answer, [1]

    async def unconfirmed(*answer, **how):
        if carried_out or not failures:
            await write(*answer, **how)
        if failures:
            raise DatabaseUnavailable(f"lost, {failures.pop()}")

    world.store.write_answer = unconfirmed
    world.replies.fault = DiscordUnavailable("503")
    await world.intake.take(message("Hi", id=1))
    async with asyncio.timeout(10):
        while not world.answerer._pausing:
            await asyncio.sleep(0)
            world.clock.pass_deadlines()

    (answering,) = world.answerer._pausing
    assert answering.unstored is None
    world.replies.fault = None
    world.answerer.discord_is_back()
    await world.idle()
    assert world.texts() == ["Paid for."]


async def test_a_text_that_the_database_never_takes_is_given_up_in_a_sentence() -> None:
    world = World(["Paid for."], ["Two."])

    async def refuse(*answer, **how):
        raise DatabaseUnavailable("this one never")

    world.store.write_answer, write = refuse, world.store.write_answer
    await world.intake.take(message("Hi", id=1))
    async with asyncio.timeout(10):
        while not world.texts():
            await asyncio.sleep(0)
            world.clock.pass_deadlines()
    world.store.write_answer = write
    await world.ask(message("And now?", id=2))

    assert world.texts() == [TooManyAttempts.user_message, "Two."]
    assert len(world.model.prompts) == 2


async def test_an_answer_whose_text_was_stored_without_a_word_of_it_is_written_anew_when_that_is_wanted() -> None:
    class Unconfirmed(FakeStore):
        confirms = False

        async def write_answer(self, *answer, **how):
            await super().write_answer(*answer, **how)
            if not self.confirms:
                self.confirms = True
                raise DatabaseUnavailable("the connection was lost in COMMIT")

    world = World(["First."], ["Second."], store=Unconfirmed())
    await world.intake.take(message("Hi", id=1))
    await world.clock.passes(1)
    await world.idle()
    key = ConversationKey(channel_id=10)
    await world.store.reopen(Press(id=9, question_id=1, person=1, moderates=False, key=key, guild_id=5))
    world.queue.wake(key)
    await world.idle()

    assert world.texts() == ["First.", "Second."]


async def test_an_answer_that_discord_could_not_take_is_delivered_again_without_asking_the_model() -> None:
    world = World(["Paid for."])
    world.replies.fault = DiscordUnavailable("503")
    await world.intake.take(message("Hi", id=1))
    await world.clock.passes(SECONDS_BEFORE_DELIVERING_AGAIN)

    world.replies.fault = None
    await world.idle()

    assert world.texts() == ["Paid for."]
    assert len(world.model.prompts) == 1


async def test_an_answer_that_discord_refuses_is_not_history() -> None:
    world = World(["lost"], ["ok"])
    world.replies.fault = Undeliverable("50013")
    await world.ask(message("Hi", id=1))

    world.replies.fault = None
    await world.ask(message("Hello", id=2))

    assert world.state(1) is TurnState.FAILED
    assert world.model.turns()[1:] == [("user", "Hello")]


@pytest.mark.parametrize("fault", [DiscordUnavailable("503"), RuntimeError("a fault of ours")])
async def test_an_answer_that_never_gets_to_its_channel_gives_way_to_a_sentence(fault) -> None:
    world = World(["lost"], ["ok"])
    world.replies.fault, world.replies.takes_sentences = fault, True
    await world.intake.take(message("Hi", id=1))
    async with asyncio.timeout(10):
        while world.state(1) is not TurnState.FAILED:
            await asyncio.sleep(0)
            world.clock.pass_deadlines()

    world.replies.fault = None
    await world.ask(message("Hello", id=2))

    assert len(world.replies.opened) == MAX_DELIVERIES + isinstance(fault, RuntimeError) + 1
    assert world.texts() == [DiscordUnavailable.user_message, "ok"]
    assert world.model.turns()[1:] == [("user", "Hello")]


async def test_while_discord_takes_nothing_at_all_an_answer_is_not_given_up() -> None:
    world = World(["Paid for."])
    world.replies.fault = DiscordUnavailable("503")
    await world.intake.take(message("Hi", id=1))
    async with asyncio.timeout(10):
        while len(world.replies.opened) < 2 * MAX_DELIVERIES + 1:
            await asyncio.sleep(0)
            world.clock.pass_deadlines()

    world.replies.fault = None
    world.clock.pass_deadlines()
    await world.idle()

    assert world.texts() == ["Paid for."]
    assert world.state(1) is TurnState.ANSWERED
    assert len(world.model.prompts) == 1


async def test_when_discord_is_back_what_it_did_not_take_is_delivered_at_once() -> None:
    world = World(["Paid for."])
    world.replies.fault = DiscordUnavailable("503")
    await world.intake.take(message("Hi", id=1))
    async with asyncio.timeout(10):
        while not world.answerer._pausing:
            await asyncio.sleep(0)

    world.replies.fault = None
    world.answerer.discord_is_back()
    async with asyncio.timeout(10):
        await world.idle()

    assert world.texts() == ["Paid for."]


async def test_a_pause_before_delivering_again_ends_when_the_bot_is_stopped() -> None:
    world = World(["Paid for."])
    world.replies.fault = DiscordUnavailable("503")
    await world.intake.take(message("Hi", id=1))
    while not [seconds for seconds, _ in world.clock.deadlines if seconds == SECONDS_BEFORE_DELIVERING_AGAIN]:
        await asyncio.sleep(0)

    stopping = asyncio.create_task(world.queue.drain(grace=7))
    await world.clock.passes(7)
    await stopping

    started = World(store=world.store)
    await started.queue.resume()
    await started.idle()
    assert started.texts() == ["Paid for."]


async def test_a_message_being_stored_when_the_bot_is_stopped_is_waited_for() -> None:
    world = World(["done"])
    taking = asyncio.create_task(world.intake.take(message("Hi", id=1)))
    await asyncio.sleep(0)

    stopping = asyncio.create_task(world.queue.drain(grace=7))
    await asyncio.gather(taking, stopping)

    assert world.texts() == ["done"]


async def test_stopping_takes_little_longer_than_the_grace_period_though_discord_hangs() -> None:
    world = World(["one"])
    world.replies.answers.clear()
    await world.intake.take(message("Hi", id=1))

    stopping = asyncio.create_task(world.queue.drain(grace=7))
    for seconds in (7, SECONDS_TO_CLOSE, SECONDS_TO_CLOSE):
        await world.clock.passes(seconds)
    async with asyncio.timeout(10):
        await stopping

    world.replies.answers.set()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


async def test_a_worker_that_had_not_begun_holds_up_nobody_who_stops() -> None:
    world = World()
    world.queue.wake(ConversationKey(channel_id=10))

    async with asyncio.timeout(10):
        await world.queue.drain(grace=7)


async def test_what_is_taken_up_after_the_grace_period_is_closed_with_a_sentence() -> None:
    world = World(["one"])
    world.store.answers.clear()
    taking = asyncio.create_task(world.intake.take(message("Hi", id=1)))
    stopping = asyncio.create_task(world.queue.drain(grace=7))
    await world.clock.passes(7)

    world.store.answers.set()
    await asyncio.gather(taking, stopping)

    assert world.texts() == [ShuttingDown.user_message]
    assert world.model.prompts == []


async def test_what_waits_is_known_until_it_is_taken_up() -> None:
    gate = asyncio.Event()
    world = World(["one", gate], ["two"])
    for number in (1, 2, 3):
        await world.intake.take(message("Hi", id=number, author=number))
    assert (len(world.queue.line), world.queue.line.of_person(3), world.queue.line.in_channel(10)) == (2, 1, 2)

    await world.intake.deleted([3])
    await world.intake.take(message("Hi", id=2, author=2))  # told twice
    assert len(world.queue.line) == 1
    gate.set()
    await world.idle()

    assert len(world.queue.line) == 0
    assert world.texts() == ["one", "two"]


async def test_nothing_is_kept_of_a_channel_that_was_deleted() -> None:
    gate = asyncio.Event()
    world = World(["one", gate], concurrency=1)
    for number in (1, 2):
        await world.intake.take(message("Hi", id=number, channel=number))

    await world.intake.channel_deleted(2)
    assert len(world.queue.line) == 0
    gate.set()
    await world.idle()

    assert world.texts() == ["one"]


async def test_an_erased_answer_that_nobody_takes_up_is_not_waited_for() -> None:
    world = World()

    world.queue.under_way.stop_erased(Erased(turns=1, answers=(99,)))

    assert world.queue.under_way._early == {}


async def test_a_person_who_floods_many_channels_waits_behind_one_who_asked_once() -> None:
    gate = asyncio.Event()
    world = World(["1", gate], ["2"], ["3"], ["4"], concurrency=1)
    for number, author in ((1, 1), (2, 1), (3, 1), (4, 2)):
        await world.intake.take(message("Hi", id=number, channel=number, author=author))

    gate.set()
    await world.idle()

    assert [channel for channel, _ in world.replies.said] == [1, 4, 2, 3]


async def test_what_is_left_at_the_start_is_read_as_soon_as_the_database_allows() -> None:
    stopped = World()
    await stopped.queue.drain(grace=0)
    await stopped.queue.deliver(message("Hi", id=1))
    stopped.store.fault = DatabaseUnavailable("locked")

    started = World(["Hello."], store=stopped.store)
    resuming = asyncio.create_task(started.queue.resume())
    await started.clock.passes(1)
    stopped.store.fault = None
    await resuming
    await started.idle()

    assert started.texts() == ["Hello."]


async def test_an_answer_that_the_servers_filters_refuse_gives_way_to_a_sentence() -> None:
    world = World(["bad words"])
    world.replies.fault = TextRefused("HTTP 400, code 200000")

    await world.ask(message("Hi", id=1))

    assert world.texts() == [TextRefused.user_message]


async def test_stopping_lets_running_answers_finish_and_leaves_waiting_questions_stored() -> None:
    gate = asyncio.Event()
    world = World(["done", gate])
    await world.intake.take(message("first", id=1))
    await world.intake.take(message("second", id=2))
    stopping = asyncio.create_task(world.queue.drain(grace=5))
    await asyncio.sleep(0)

    gate.set()
    await stopping

    assert world.texts() == ["done"]
    assert world.state(2) is TurnState.WAITING


async def test_an_answer_that_outlives_the_grace_period_is_closed_with_a_sentence() -> None:
    world = World([LONG, asyncio.Event()], [asyncio.Event()])
    await world.intake.take(message("shown", id=1, channel=1))
    await world.intake.take(message("not shown", id=2, channel=2))
    while len(world.model.prompts) < 2 or not world.replies.opened[0].visible:
        await asyncio.sleep(0)

    stopping = asyncio.create_task(world.queue.drain(grace=7))
    await world.clock.passes(7)
    await stopping

    said = dict(world.replies.said)
    assert said[1].startswith(LONG)
    assert "cut off" in said[1]
    assert "restarted" in said[2]


async def test_what_is_let_go_is_not_answered_even_if_it_is_just_being_taken_up() -> None:
    world = World([LONG, asyncio.Event()], ["too late"])
    await world.intake.take(message("under way", id=1, channel=1))
    while not world.replies.opened or not world.replies.opened[0].visible:
        await asyncio.sleep(0)
    world.store.answers.clear()
    taking = asyncio.create_task(world.intake.take(message("taken up", id=2, channel=2)))
    await asyncio.sleep(0)

    letting_go = asyncio.create_task(world.queue.let_go())
    await asyncio.sleep(0)
    world.store.answers.set()
    await asyncio.gather(taking, letting_go)

    assert world.texts() == []
    assert len(world.model.prompts) == 1
    assert {world.state(1), world.state(2)} == {TurnState.ANSWERING}


async def test_a_message_sent_while_the_bot_is_being_stopped_is_stored_for_the_next_start() -> None:
    world = World()
    world.intake.close()
    await world.queue.drain(grace=0)

    await world.intake.take(message("Hi", id=1))

    assert world.state(1) is TurnState.WAITING


async def test_a_deletion_waits_for_a_database_that_is_away() -> None:
    world = World(["ok"], ["ok"])
    await world.ask(message("secret", id=1))
    world.store.fault = DatabaseUnavailable("locked")
    deleting = asyncio.create_task(world.intake.deleted([1]))
    await world.clock.passes(SECONDS_BETWEEN_TRIES)

    world.store.fault = None
    await deleting

    assert world.state(1) is TurnState.WITHDRAWN


async def test_a_provider_that_makes_one_wait_holds_no_place_meanwhile() -> None:
    clock = ManualClock()
    busy = FakeModel([ModelBusy("429", retry_after=45)], ["late"], name="a")
    other = FakeModel([ContextTooLong()], ["quick"], name="b")
    world = World(models=[busy, other], clock=clock, concurrency=1)
    await world.intake.take(message("a", id=1, channel=1))
    await world.intake.take(message("b", id=2, channel=2))
    await clock.until_sleeping()
    while (2, "quick") not in world.replies.said:
        await asyncio.sleep(0)

    await clock.advance(45)
    await world.idle()

    assert world.replies.said == [(2, "quick"), (1, "late")]


async def test_questions_left_waiting_are_answered_at_the_next_start() -> None:
    stopped = World()
    await stopped.queue.drain(grace=0)
    await stopped.queue.deliver(message("Hi", id=1))

    started = World(["Hello."], store=stopped.store)
    await started.queue.resume()
    await started.idle()

    assert started.texts() == ["Hello."]


def hours_ago(hours: float) -> int:
    return snowflake_at(NOW - timedelta(hours=hours))


async def test_a_question_that_waited_for_too_long_while_the_bot_was_away_gets_a_sentence_and_is_no_history() -> (
    None
):
    stopped = World()
    await stopped.queue.drain(grace=0)
    await stopped.queue.deliver(message("Long ago", id=hours_ago(2)))
    await stopped.queue.deliver(message("Just now", id=hours_ago(0.5), author=2))

    started = World(["Hello."], store=stopped.store, answer_within=timedelta(hours=1))
    await started.queue.resume()
    await started.idle()

    assert started.texts() == [AskedLongAgo.user_message, "Hello."]
    assert started.model.turns()[1:] == [("user", "Ada 2: Just now")]
    assert started.state(hours_ago(2)) is TurnState.FAILED


async def test_how_long_a_question_waits_while_the_bot_is_there_does_not_matter() -> None:
    world = World(["Hello."], answer_within=timedelta(hours=1))
    world.clock.seconds += 7200

    await world.ask(message("Hi", id=hours_ago(-0.5)))

    assert world.texts() == ["Hello."]


async def test_an_old_question_is_answered_with_a_new_one_of_the_same_author() -> None:
    stopped = World()
    await stopped.queue.drain(grace=0)
    await stopped.queue.deliver(message("Long ago", id=hours_ago(2)))
    await stopped.queue.deliver(message("Just now", id=hours_ago(0.5)))

    started = World(["Hello."], store=stopped.store, answer_within=timedelta(hours=1))
    await started.queue.resume()
    await started.idle()

    assert started.texts() == ["Hello."]


async def test_an_old_answer_that_was_begun_in_the_channel_is_ended() -> None:
    crashed = World()
    await crashed.queue.drain(grace=0)
    asked = message("Long ago", id=hours_ago(2))
    await crashed.queue.deliver(asked)
    taken = await crashed.store.take_up(asked.key, budget=TokenBudget(history_tokens=100))
    draft = Part(n=0, channel_id=1, nonce="n", text="Half of", message_id=5)
    await crashed.store.add_part(taken.answer_id, attempt=1, part=draft)

    started = World(["The whole."], store=crashed.store, answer_within=timedelta(hours=1))
    await started.queue.resume()
    await started.idle()

    assert started.texts() == ["The whole."]


async def test_an_old_answer_can_be_written_anew() -> None:
    world = World(["First."], ["Second."])
    asked = message("Long ago", id=hours_ago(2))
    await world.ask(asked)
    later = World(["Second."], store=world.store, answer_within=timedelta(hours=1))
    press = Press(id=9, question_id=asked.message_id, person=asked.author_id, moderates=False, key=asked.key)
    await later.store.reopen(press)

    later.queue.wake(asked.key)
    await later.idle()

    assert later.texts() == ["Second."]


async def test_after_a_fault_of_ours_stored_text_is_shown_at_the_next_start_without_asking_again() -> None:
    crashed = World(["Paid for."])
    crashed.replies.fault = RuntimeError("a fault of ours")
    await crashed.intake.take(message("Hi", id=1))
    await crashed.clock.passes(1)
    await crashed.clock.passes(2)
    await crashed.queue.drain(grace=0)

    started = World(store=crashed.store)
    await started.queue.resume()
    await started.idle()

    assert [sentence for _, sentence in crashed.replies.sentences] == [BotError.user_message]
    assert started.texts() == ["Paid for."]
    assert started.model.prompts == []


async def test_a_question_that_never_gets_to_an_end_is_given_up_with_a_sentence() -> None:
    world = World()
    await world.queue.drain(grace=0)
    await world.queue.deliver(message("Hi", id=1))
    for _ in range(MAX_TAKE_UPS):
        await world.store.take_up(message("", id=0).key, budget=TokenBudget(history_tokens=100))

    started = World(store=world.store)
    await started.queue.resume()
    await started.idle()

    assert started.texts() == ["I tried several times and couldn't finish an answer. Please ask again."]


async def stopped_after(world: World, words: str) -> None:
    """Somebody presses Stop when the model has said so much."""
    asked = message("Hi", id=1)
    await world.intake.take(asked)
    async with asyncio.timeout(10):
        while not (world.model.prompts and world.replies.opened[0].shown == words):
            await asyncio.sleep(0)
    _, answering = world.queue.answering_to(1, asked.key)

    answering.stop(Stopped())
    await world.idle()


async def test_an_answer_stopped_before_its_first_words_is_a_sentence_and_no_history() -> None:
    world = World([asyncio.Event()], ["ok"])

    await stopped_after(world, "")
    await world.ask(message("Hello", id=2))

    assert world.texts() == ["Stopped.", "ok"]
    assert world.model.turns()[1:] == [("user", "Hello")]


@pytest.mark.parametrize("words", ["", "Short", LONG])
async def test_a_stopped_model_is_let_go_of_at_once_and_its_call_recorded(words) -> None:
    world = World([words, asyncio.Event()])

    await stopped_after(world, words)

    assert world.model.closed == 1
    assert [call.outcome for call in world.store.calls] == ["stopped" if words == LONG else "stopped_unread"]


async def test_commands_that_were_left_open_are_looked_for_until_the_database_tells() -> None:
    world, failures = World(), [2, 1]

    async def open_commands():
        if failures:
            raise DatabaseUnavailable(f"locked, {failures.pop()}")
        return []

    world.store.open_commands = open_commands

    assert await world.intake.open_commands() == []
    assert failures == []
    assert world.clock.seconds == SECONDS_BETWEEN_TRIES * 2
