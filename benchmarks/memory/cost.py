"""The same long conversation as confab, the naive bot and a sliding window send it, and what each costs."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.memory.provider import BYTES_PER_TOKEN, Bill, Provider
from bot.core.answer import AnswerLimits
from bot.core.as_told import AsTold
from bot.core.budgets import Amount, Budgets
from bot.core.changes import Changes
from bot.core.clock import SystemClock
from bot.core.completions import ModelCall, PromptMessage, Usage
from bot.core.fair_slots import FairSlots
from bot.core.generation import Patience
from bot.core.messages import ConversationKey, IncomingMessage, Kind, Outcome, Role, snowflake_at
from bot.core.models import Models
from bot.core.prompt import build_prompt
from bot.core.spending import Spending
from bot.core.summarising import Summarising
from bot.core.token_rates import TokenRates
from bot.llm.prices import ListedPrices
from bot.storage.turns import SqlTurnStore, open_store

TURNS = 300  # questions, each with its answer
SYSTEM_PROMPT = "You are a friendly assistant!"
HISTORY_TOKENS = 8_000
LAST = 20  # messages that the naive bot sends
SENTENCE = "the sky is blue because air scatters short waves of light more than long ones and evening is red"
WORDS = SENTENCE.split()
PEOPLE = {1: "Ada", 2: "Ben", 3: "Cleo"}


@dataclass(frozen=True, kw_only=True)
class Exchange:
    person: int
    question: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Line:
    name: str
    answers: Bill
    summaries: Bill
    moves: int | None = None


def conversation() -> Iterator[Exchange]:
    """Questions of 5 to 60 words by three people, answers of 20 to 240; always the same."""
    chance = random.Random(7)
    for _ in range(TURNS):
        question, answer = (
            " ".join(chance.choices(WORDS, k=chance.randint(*words))) for words in ((5, 60), (20, 240))
        )
        yield Exchange(person=chance.choice(list(PEOPLE)), question=question, answer=answer)


async def confab(folder: Path, *, summaries: bool) -> Line:
    provider, rates, clock, starts = Provider(), TokenRates(), SystemClock(), set[str]()
    limits = AnswerLimits(
        system_prompt=SYSTEM_PROMPT,
        history_tokens=HISTORY_TOKENS,
        max_answer_tokens=4_000,
        patience=Patience(),
        answer_within=timedelta(days=1),
    )
    budgets = Budgets([], least=Amount(tokens=1), clock=clock)
    async with open_store(f"sqlite:///{folder / f'summaries-{summaries}.db'}") as store:
        prices = ListedPrices({}, base_url="http://127.0.0.1/v1")  # that of a server of one's own is unknown
        summarising = Summarising(
            store=store,
            models=Models([provider], clock=clock),
            spending=Spending(prices=prices, budgets=budgets, store=store, models=[], clock=clock),
            slots=FairSlots(1),
            clock=clock,
            limits=limits,
            budget=lambda: limits.budget,
            as_told=AsTold(Changes(clock), store),
        )
        for n, exchange in enumerate(conversation()):
            start = await _one_turn(
                store,
                exchange,
                n,
                limits=limits,
                provider=provider,
                rates=rates,
                summarising=summarising if summaries else None,
            )
            starts.add(start)
        await summarising.close()
    name = "confab" if summaries else "confab, SUMMARIES=off"
    return Line(name=name, answers=provider.answers, summaries=provider.summaries, moves=len(starts) - 1)


async def _one_turn(
    store: SqlTurnStore,
    exchange: Exchange,
    n: int,
    *,
    limits: AnswerLimits,
    provider: Provider,
    rates: TokenRates,
    summarising: Summarising | None,
) -> str:
    """The first turn in the prompt."""
    now = datetime.now(UTC)
    asked = IncomingMessage(
        message_id=snowflake_at(now) + n,
        kind=Kind.MESSAGE,
        key=ConversationKey(channel_id=1),
        guild_id=1,
        parent_id=None,
        author_id=exchange.person,
        author_name=PEOPLE[exchange.person],
        text=exchange.question,
        raw_text=exchange.question,
    )
    received = await store.receive(
        asked,
        take_up=True,
        budget=limits.budget,
    )
    taken = received.taken_up
    assert taken is not None
    prompt = build_prompt(
        taken,
        system_prompt=limits.system_prompt,
        history_tokens=limits.history_tokens,
        max_answer_tokens=limits.max_answer_tokens,
    )
    counted = provider.count(prompt.messages, provider.answers)
    call = ModelCall(
        request_id=None,
        reserved_at=None,
        answer_id=taken.answer_id,
        channel_id=1,
        guild_id=1,
        author_id=exchange.person,
        purpose="answer",
        model=provider.name,
        attempt=1,
        started_at=now,
        first_token_at=now,
        ended_at=now,
        outcome=Outcome.COMPLETE,
        estimated_tokens=prompt.tokens,
        usage=Usage(input_tokens=counted),
    )
    rate = rates.learned(taken.conversation, estimated=prompt.tokens, reported=counted)
    await store.write_answer(
        taken.answer_id,
        text=exchange.answer,
        shown=exchange.answer,
        outcome=Outcome.COMPLETE,
        call=call,
        token_rate=rate,
    )
    await store.stand(taken.answer_id)
    if summarising is not None:
        summarising.after(None)(taken, Outcome.COMPLETE)
        await summarising.idle()
    return taken.history[0].text if taken.history else ""


def naive() -> Line:
    """The last messages, whatever they cost."""
    provider, said = Provider(), list[PromptMessage]()
    for exchange in conversation():
        said.append(_question(exchange))
        provider.count((PromptMessage(Role.SYSTEM, SYSTEM_PROMPT), *said[-LAST:]), provider.answers)
        said.append(PromptMessage(Role.ASSISTANT, exchange.answer))
    return Line(name=f"naive, last {LAST}", answers=provider.answers, summaries=Bill())


def sliding() -> Line:
    """The newest messages that fit into the same budget, counted exactly."""
    provider, said = Provider(), list[PromptMessage]()
    for exchange in conversation():
        said.append(_question(exchange))
        room, first = HISTORY_TOKENS - len(SYSTEM_PROMPT) // BYTES_PER_TOKEN, len(said)
        while first and (room := room - len(said[first - 1].content) // BYTES_PER_TOKEN - 2) > 0:
            first -= 1
        provider.count((PromptMessage(Role.SYSTEM, SYSTEM_PROMPT), *said[first:]), provider.answers)
        said.append(PromptMessage(Role.ASSISTANT, exchange.answer))
    return Line(name="sliding, same budget", answers=provider.answers, summaries=Bill())


def _question(exchange: Exchange) -> PromptMessage:
    return PromptMessage(Role.USER, f"{PEOPLE[exchange.person]}: {exchange.question}")
