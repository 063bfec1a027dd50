"""Requests that are on the record before they are made, and what budgets count of them later."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.budgets import Amount, Scope
from bot.core.completions import Usage
from bot.storage.turns import open_store
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import call, rows, take

WHAT = "author_id, outcome, input_tokens, cost_nanodollars, counted_tokens, counted_nanodollars"


async def begun(store, **more):
    taken = await take(store, message("q", id=1))
    calling = call(taken, outcome="begun", usage=Usage(), counted_tokens=500, counted_nanodollars=900, **more)
    return calling, await store.begin_call(calling)


def ended(calling, row):
    return replace(
        calling,
        record_id=row,
        outcome="complete",
        usage=Usage(input_tokens=12, output_tokens=3),
        cost_nanodollars=40,
        counted_tokens=15,
        counted_nanodollars=40,
    )


async def test_a_request_that_has_ended_is_the_row_that_it_began_as(store):
    calling, row = await begun(store)
    before = await rows(store, f"SELECT {WHAT} FROM model_calls")  # noqa: S608

    await store.record_call(ended(calling, row))

    assert before == [(1, "begun", None, None, 500, 900)]
    assert await rows(store, f"SELECT {WHAT} FROM model_calls") == [(1, "complete", 12, 40, 15, 40)]  # noqa: S608


async def test_a_person_forgotten_meanwhile_stays_forgotten(store):
    calling, row = await begun(store)
    await store.forget_user(1)

    await store.record_call(ended(calling, row))
    await store.begin_call(calling)

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


async def test_what_was_begun_and_nobody_was_told_of_ends_as_the_row_that_it_is(store):
    calling, _row = await begun(store)

    await store.settle_call(replace(calling, outcome="called_off", counted_tokens=0))

    assert await rows(store, ALL) == [("called_off", 0)]


async def test_what_has_ended_on_the_record_stays_as_it_was_recorded(store):
    calling, row = await begun(store)
    await store.record_call(ended(calling, row))

    await store.settle_call(replace(calling, outcome="lost", counted_tokens=1))

    assert await rows(store, ALL) == [("complete", 15)]


@pytest.mark.parametrize(("outcome", "stored"), [("lost", [("lost", 500)]), ("called_off", [])])
async def test_what_is_not_on_the_record_comes_there_if_it_was_made(store, outcome, stored):
    taken = await take(store, message("q", id=1))

    await store.settle_call(call(taken, outcome=outcome, counted_tokens=500))

    assert await rows(store, ALL) == stored


@pytest.mark.parametrize(
    "other",
    [{"started_at": START + timedelta(microseconds=1)}, {"channel_id": 11}, {"attempt": 2}, {"model": "b"}],
)
async def test_another_request_is_left_alone(store, other):
    calling, _row = await begun(store)

    await store.settle_call(replace(calling, outcome="called_off", **other))

    assert await rows(store, ALL) == [("begun", 500)]
