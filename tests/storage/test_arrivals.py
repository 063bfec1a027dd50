"""Questions that come in together are stored as each would be by itself."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.messages import Received
from bot.core.quotes import Link
from bot.core.tokens import TokenBudget
from bot.storage import receiving
from bot.storage.turns import open_store
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import TOKENS, exchange, quote, rows, take, wait

STORED = (
    "SELECT channel_id, message_id, role, kind, state, author_id, label, raw_text, text, note, reply_to_id, "
    "attempts, linked_channel_id FROM turns JOIN conversations ON conversations.id = conversation_id "
    "WHERE role = 'user' ORDER BY message_id"
)
SPEAKERS = (
    "SELECT channel_id, author_id, label, label_key FROM speakers "
    "JOIN conversations ON conversations.id = conversation_id ORDER BY channel_id, author_id"
)


def a_crowd():
    """Known and new speakers, alike names, quotes, links, a private conversation."""
    plain = [
        message("one", id=10, author=1, name="Ada"),
        message("two", id=11, author=2, name="Bob"),
        message("three", id=12, author=3, name="Bob"),
        message("four", id=13, author=3, name="Bob", channel=11),
        message("five", id=14, author=2, name="Bob", channel=11, note="A note.", raw_text="<b>five"),
        message("six", id=15, author=2, name="Renamed", reply_to=10),
        message("seven", id=16, author=4, name="Cleo", quote=quote("before", id=3, author=5, name="Cleo")),
        message("eight", id=17, author=4, name="Cleo", links=(Link(channel_id=12, message_id=4),)),
    ]
    private = message("nine", id=18, author=2, name="Bob")
    return [*plain, replace(private, key=replace(private.key, private_to=2))]


@pytest.fixture
async def other_store(tmp_path):
    async with open_store(f"sqlite:///{tmp_path}/other.db") as store:
        yield store


async def received(store, messages):
    stored = (store.receive(each, take_up=False, budget=TokenBudget(history_tokens=TOKENS)) for each in messages)
    return [each.stored for each in await asyncio.gather(*stored)]


async def test_a_crowd_is_stored_as_one_by_one(store, other_store):
    for each in (store, other_store):
        await exchange(each, message("before", id=1, author=2, name="Bob"), "Yes.")

    together = await received(store, a_crowd())
    for each in a_crowd():
        await other_store._database.run(partial(receiving.store, message=each, now=START))

    assert together == [True] * len(a_crowd())
    assert await rows(store, STORED) == await rows(other_store, STORED)
    assert await rows(store, SPEAKERS) == await rows(other_store, SPEAKERS)


async def test_a_crowd_takes_few_transactions(store, monkeypatch):
    transactions = []
    transact = store._database._back_end.transact

    async def counted(work, **how):
        transactions.append(work)
        return await transact(work, **how)

    monkeypatch.setattr(store._database._back_end, "transact", counted)
    await received(store, a_crowd())

    assert len(transactions) <= 2


async def test_what_is_told_of_several_times_is_stored_once(store):
    assert await received(store, [message("one", id=1)]) == [True]

    again = await received(store, [message("one", id=1), message("two", id=2), message("two", id=2)])

    assert again[:2] == [False, True]
    assert await rows(store, "SELECT message_id FROM turns ORDER BY message_id") == [(1,), (2,)]


async def test_a_message_that_cannot_be_stored_takes_none_of_its_neighbours_along(store):
    impossible = message("one", id=2, author=2**70)
    outcomes = await asyncio.gather(
        *(
            store.receive(each, take_up=False, budget=TokenBudget(history_tokens=TOKENS))
            for each in [message("one", id=1), impossible]
        ),
        *(
            store.receive(message("more", id=n), take_up=False, budget=TokenBudget(history_tokens=TOKENS))
            for n in range(3, 6)
        ),
        return_exceptions=True,
    )

    assert [isinstance(each, Exception) for each in outcomes] == [False, True, False, False, False]
    assert await rows(store, "SELECT message_id FROM turns ORDER BY message_id") == [(1,), (3,), (4,), (5,)]


async def test_a_deletion_finds_the_message_that_came_before_it(store):
    async with asyncio.TaskGroup() as group:
        for n in range(1, 60):
            group.create_task(received(store, [message("gone", id=n, channel=100 + n)]))
            await asyncio.sleep(0)
            group.create_task(store.erase_messages([n]))

    assert await rows(store, "SELECT message_id FROM turns WHERE text != ''") == []


async def test_a_closed_store_says_so(store):
    await store._database.close()

    with pytest.raises(DatabaseUnavailable):
        await wait(store, message("one", id=1))
    with pytest.raises(DatabaseUnavailable):
        await wait(store, message("two", id=2))


async def test_a_full_store_says_so_and_takes_more_when_there_is_room(store, monkeypatch):
    monkeypatch.setattr(store._database._units, "_longest", 0)
    with pytest.raises(DatabaseUnavailable):
        await wait(store, message("one", id=1))

    monkeypatch.setattr(store._database._units, "_longest", 100)
    await wait(store, message("two", id=2))

    assert (await take(store, message("three", id=3))).questions[0].message_id == 2
    assert await rows(store, "SELECT message_id FROM turns WHERE message_id = 1") == []


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_connection_is_made_up_for(store, monkeypatch, committed):
    back_end = store._database._back_end
    real = back_end.transact

    async def cut_off(work, **how):
        monkeypatch.setattr(back_end, "transact", real)
        if committed:
            await real(work, **how)
        raise DatabaseUnavailable("cut off")

    monkeypatch.setattr(back_end, "transact", cut_off)
    outcomes = await received(store, a_crowd())

    assert outcomes == [not committed] * len(a_crowd())  # those that ask are woken for what is there either way
    assert len(await rows(store, STORED)) == len(a_crowd()) + 2  # with what is quoted and linked


async def test_what_is_told_of_twice_in_one_go_brings_what_it_quotes_once(store):
    asked = message("seven", id=16, author=4, name="Cleo", quote=quote("before", id=3, author=5, name="Cleo"))

    assert await received(store, [message("one", id=1), asked, asked, asked]) == [True, True, False, False]

    assert await rows(store, "SELECT text FROM turns WHERE kind = 'quote'") == [("before",)]


@pytest.mark.parametrize("how", ["taken on", "too old"])
async def test_whoever_looks_for_what_is_stored_finds_what_was_being_stored(store, how):
    """So a reading that begins anew compares what an earlier one is storing, and no lock need part them."""
    await exchange(store, message("before", id=1), "Yes.")
    asked = message("late", id=10)
    budget = TokenBudget(history_tokens=TOKENS)
    storing = (
        store.receive(asked, take_up=False, budget=budget) if how == "taken on" else store.record_missed(asked)
    )

    _, found = await asyncio.gather(storing, store.stored_since(10, after=5))

    assert [each.message_id for each in found] == [10]


async def test_a_deletion_does_not_overtake_the_neighbours_of_what_cannot_be_stored(store):
    async with asyncio.TaskGroup() as group:
        storing = group.create_task(received(store, [message("first", id=1)]))
        await asyncio.sleep(0)
        asked = [message("gone", id=2), message("impossible", id=3, author=2**70)]
        waiting = [store.receive(each, take_up=False, budget=TokenBudget(history_tokens=TOKENS)) for each in asked]
        both = group.create_task(asyncio.wait([asyncio.ensure_future(each) for each in waiting]))
        await asyncio.sleep(0)
        group.create_task(store.erase_messages([2]))
    for task in [*both.result()[0]]:
        task.exception()

    assert storing.result() == [True]
    assert await rows(store, "SELECT message_id FROM turns WHERE text != ''") == [(1,)]


async def test_a_full_store_that_takes_a_question_at_the_same_moment_has_it(store, monkeypatch):
    arrivals = store._arrivals

    def taken_and_full(*_work, **_how):
        waiting = list(arrivals._waiting)
        arrivals._waiting.clear()
        for each in waiting:
            each.end(Received(stored=True))
        raise DatabaseUnavailable("full")

    monkeypatch.setattr(store._database, "put", taken_and_full)

    assert await received(store, [message("one", id=1)]) == [True]
