"""Requests that are on the record before they are made, and what budgets count of them later."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from bot.core.budgets import Amount, Budget, Budgets, Limit, Payer, Scope
from bot.core.completions import Past, Prompt, Usage
from bot.core.errors import DatabaseUnavailable
from bot.core.messages import Conversation, ConversationKey, Outcome
from bot.core.periods import Period
from bot.core.spending import Spending
from bot.core.token_bounds import Report
from bot.core.usage import By
from bot.storage import calls
from bot.storage.turns import open_store
from tests.clock import START, ManualClock
from tests.fakes import FakePrices, message
from tests.storage.talk import call, rows, take

WHAT = "author_id, outcome, input_tokens, cost_nanodollars, counted_tokens, counted_nanodollars"


@asynccontextmanager
async def open_engine(url):
    """Another program's way to the same database."""
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    try:
        yield engine
    finally:
        await engine.dispose()


async def begun(store, **more):
    taken = await take(store, message("q", id=1))
    calling = call(taken, outcome="begun", usage=Usage(), counted_tokens=500, counted_nanodollars=900, **more)
    await store.begin_call(calling)
    return calling


def ended(calling):
    return replace(
        calling,
        outcome="complete",
        usage=Usage(input_tokens=12, output_tokens=3),
        cost_nanodollars=40,
        counted_tokens=15,
        counted_nanodollars=40,
    )


async def test_a_request_that_has_ended_is_the_row_that_it_began_as(store):
    calling = await begun(store)
    before = await rows(store, f"SELECT {WHAT} FROM model_calls")  # noqa: S608

    await store.record_call(ended(calling))

    assert before == [(1, "begun", None, None, 500, 900)]
    assert await rows(store, f"SELECT {WHAT} FROM model_calls") == [(1, "complete", 12, 40, 15, 40)]  # noqa: S608


async def test_a_person_forgotten_meanwhile_stays_forgotten(store):
    calling = await begun(store)
    await store.forget_user(1)

    await store.record_call(ended(calling))
    await store.begin_call(replace(calling, request_id="another"))

    assert await rows(store, "SELECT author_id, outcome FROM model_calls ORDER BY id") == [
        (None, "complete"),
        (None, "begun"),
    ]


async def test_what_is_counted_is_what_was_used_or_reserved_or_known(store):
    taken = await take(store, message("q", id=1))
    for each in (
        call(taken, counted_tokens=100, counted_nanodollars=1_000, usage=Usage()),  # killed, or unknown
        call(taken, usage=Usage(input_tokens=7, output_tokens=1), cost_nanodollars=30),  # there were no budgets
        call(taken, usage=Usage(), author_id=2, channel_id=11, guild_id=6),  # nobody knows
        call(taken, counted_tokens=0, counted_nanodollars=0, usage=Usage()),  # came back
        call(taken, counted_tokens=5, author_id=None, guild_id=None, channel_id=12),
        call(taken, counted_tokens=1_000, started_at=START - timedelta(days=1)),
    ):
        await store.record_call(each)

    counted = {scope: await store.counted(scope, since=START) for scope in Scope}

    ours, nothing = Amount(tokens=108, nanodollars=1_030), Amount(tokens=0, nanodollars=0)
    assert counted == {
        Scope.PERSON: {1: ours, 2: nothing},
        Scope.CHANNEL: {10: ours, 11: nothing, 12: Amount(tokens=5, nanodollars=0)},
        Scope.SERVER: {5: ours, 6: nothing},
        Scope.TOTAL: {0: Amount(tokens=113, nanodollars=1_030)},
    }


async def test_where_nothing_was_used_nothing_is_counted(store):
    assert await store.counted(Scope.PERSON, since=START) == {}
    assert await store.counted(Scope.TOTAL, since=START) == {0: Amount(tokens=0, nanodollars=0)}


async def test_what_was_begun_is_counted_by_whoever_opens_the_database_next(database_url):
    async with open_store(database_url) as store:
        await begun(store)

    async with open_store(database_url) as store:
        assert await store.counted(Scope.TOTAL, since=START) == {0: Amount(tokens=500, nanodollars=900)}


ALL = "SELECT outcome, counted_tokens FROM model_calls ORDER BY id"


async def test_what_was_begun_and_never_made_ends_as_the_row_that_it_is(store):
    calling = await begun(store)

    await store.record_call(replace(calling, outcome="called_off", counted_tokens=0))

    assert await rows(store, ALL) == [("called_off", 0)]


async def test_what_was_called_off_before_its_beginning_was_stored_stays_so(store):
    taken = await take(store, message("q", id=1))
    calling = call(taken, outcome="begun", counted_tokens=500)
    await store.record_call(replace(calling, outcome="called_off", counted_tokens=0))

    await store.begin_call(calling)

    assert await rows(store, ALL) == [("called_off", 0)]


async def test_what_has_ended_on_the_record_stays_as_it_was_recorded(store):
    calling = await begun(store)
    await store.record_call(ended(calling))

    await store.record_call(replace(calling, outcome="lost", counted_tokens=1))

    assert await rows(store, ALL) == [("complete", 15)]


async def test_a_text_that_was_taken_for_lost_and_is_stored_after_all_was_an_answer(store):
    taken = await take(store, message("q", id=1))
    made = call(taken)
    await store.record_call(replace(made, outcome=DatabaseUnavailable.code, answer_id=None))

    await store.write_answer(taken.answer_id, text="a", shown="a", outcome=Outcome.COMPLETE, call=made)

    assert await rows(store, "SELECT turn_id FROM model_calls") == [(taken.answer_id,)]
    assert [used.answers for used in await store.usage(None, since=START)] == [1]


async def test_a_request_of_which_the_database_is_told_twice_is_one_row(store):
    taken = await take(store, message("q", id=1))
    made = call(taken, counted_tokens=500)

    await store.record_call(made)
    await store.record_call(replace(made, outcome="lost"))

    assert await rows(store, ALL) == [("complete", 500)]


async def test_of_two_requests_that_are_alike_each_has_its_row(store):
    calling = await begun(store)
    alike = replace(calling, request_id="another")

    await store.begin_call(alike)
    await store.record_call(replace(alike, outcome="called_off", counted_tokens=0))

    assert await rows(store, ALL) == [("begun", 500), ("called_off", 0)]


PROMPT = Prompt(messages=(), tokens=400, max_answer_tokens=100)
ADA = Payer(person=1, channel_id=10, guild_id=5)
THERE = Conversation(id=1, key=ConversationKey(channel_id=10), guild_id=5, labelled=False)


async def test_what_was_counted_of_the_last_requests_is_known_after_a_restart(store, monkeypatch):
    monkeypatch.setattr(calls, "ROWS_LOOKED_THROUGH", 3)
    taken = await take(store, message("q", id=1))
    past = Past(turns_sent=4, turns_summarised=2, turns_left_out=1)
    for usage in (
        Usage(input_tokens=99, output_tokens=1),  # too long ago
        Usage(input_tokens=30, output_tokens=1),
        Usage(),
        Usage(input_tokens=120, cached_tokens=90, output_tokens=1),
    ):
        await store.record_call(call(taken, answer_id=None, usage=usage, estimated_tokens=60, past=past))

    assert await store.reports() == [
        Report("gpt-test", "answer", past, 60, 30),
        Report("gpt-test", "answer", past, 60, 120),
    ]


async def purse(store, clock, *, period):
    """Ada's budget, just enough for one request, as a bot that is started now has it."""
    budget = Budget(scope=Scope.PERSON, period=period, limit=Limit(most=500))
    budgets = Budgets([budget], least=Amount(tokens=500), clock=clock)
    spending = Spending(prices=FakePrices(), budgets=budgets, store=store, models=["m"], clock=clock)
    await spending.load()
    return spending, budgets


@pytest.mark.parametrize(
    ("period", "end"),
    [(Period.DAY, datetime(2026, 11, 26, tzinfo=UTC)), (Period.MONTH, datetime(2026, 12, 1, tzinfo=UTC))],
)
async def test_a_request_that_was_reserved_before_midnight_counts_to_that_day_after_a_restart_too(
    store, period, end
):
    clock = ManualClock(end - timedelta(seconds=1))
    spending, budgets = await purse(store, clock, period=period)
    account = spending.account(THERE, PROMPT, person=1)
    account.reserve("m")
    until_midnight = budgets.refuse(ADA)
    await clock.advance(2)
    request = partial(account.call, PROMPT, model="m", started_at=clock.now(), ended_at=clock.now(), usage=Usage())
    await account.begin(request(outcome="begun"))
    spending.record(account.end(request(outcome="complete"), None))
    await spending.close()

    _, after_a_restart = await purse(store, clock, period=period)

    assert until_midnight is None  # it may come back
    assert (budgets.refuse(ADA), after_a_restart.refuse(ADA)) == (None, None)
    assert [used.requests for used in await store.usage(None, since=end)] == [0]
    days = await store.usage(By.DAY, since=end - timedelta(days=1))
    assert [(used.of, used.requests) for used in days] == [(f"{end - timedelta(days=1):%Y-%m-%d}", 1)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_commit_that_the_server_held_and_a_late_record_are_one_row(store, database_url):
    """The bot gave the first up; the server carries it out all the same, after the second was sent."""
    taken = await take(store, message("q", id=1))
    made = call(taken, answer_id=None)
    async with open_engine(database_url) as engine, engine.connect() as held:
        await held.run_sync(partial(calls.record, call=made))
        late = asyncio.create_task(store.record_call(replace(made, outcome="database_unavailable")))
        async with engine.connect() as looking:
            while not await looking.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                await asyncio.sleep(0)
        await held.commit()
        await late

    assert await rows(store, "SELECT outcome FROM model_calls") == [("complete",)]
