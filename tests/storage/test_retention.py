"""What is too old to be kept goes, some turns at a time, and nothing else does."""

import asyncio
import logging
from datetime import timedelta

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.expiry import SECONDS_BETWEEN, TURNS_AT_ONCE, Expiry
from bot.core.messages import ConversationKey, snowflake_at, snowflake_time
from bot.core.quotes import Link
from bot.core.rights import Expired, Retention, Servers
from bot.storage.turns import open_store
from tests.clock import START, ManualClock
from tests.fakes import message
from tests.storage.talk import answer, exchange, part, quote, rows, take, wait

EVERYWHERE = Servers(ids=frozenset(), all_but=True)
TEXTS = "SELECT text FROM turns WHERE text <> '' ORDER BY id"


def ago(days, number=0):
    """An id that Discord made so many days before the clock's beginning."""
    return snowflake_at(START - timedelta(days=days)) + number


async def expire(store, *, days=30, where=EVERYWHERE, most=100):
    return await store.erase_expired(where, after=0, before=ago(days), most=most)


async def run_once(retention, store, clock):
    """One round: from the start of it until it waits for the next."""
    running = asyncio.create_task(Expiry(retention, store=store, clock=clock).run())
    await clock.until_sleeping()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_an_id_is_read_as_the_time_that_it_was_made_for():
    assert snowflake_time(ago(30)) == START - timedelta(days=30)
    assert snowflake_at(snowflake_time(0) - timedelta(days=1)) == 0


async def test_a_question_goes_with_its_answer_its_quotes_and_its_costs_stay(store):
    old = message(
        "old", id=ago(31), reply_to=9, quote=quote("quoted", id=9), links=(Link(channel_id=20, message_id=8),)
    )
    await exchange(store, old, "to old", posted=[70])
    await exchange(store, message("young", id=ago(29)), "to young")

    expired = await expire(store)

    assert expired == Expired(questions=1, answers=1, go_on_after=None)
    assert await rows(store, TEXTS) == [("young",), ("to young",)]
    assert await rows(store, "SELECT count(*) FROM turns") == [(2,)]
    assert await rows(store, "SELECT count(*) FROM parts") == [(0,)]
    assert await rows(store, "SELECT label FROM speakers") == [("Ada",)]  # whoever was quoted is gone
    assert await rows(store, "SELECT count(*), sum(input_tokens) FROM model_calls") == [(2, 24)]


async def test_what_is_left_is_still_history(store):
    await exchange(store, message("old", id=ago(31)), "to old")
    await exchange(store, message("young", id=ago(29)), "to young")

    await expire(store)

    taken = await take(store, message("?", id=ago(0)))
    assert [turn.text for turn in taken.history] == ["young", "to young"]


async def test_a_conversation_goes_with_its_last_turn(store):
    await exchange(store, message("alone", id=ago(31), key=ConversationKey(channel_id=10, private_to=1)), "a")

    await expire(store)

    assert await rows(store, "SELECT count(*) FROM conversations") == [(0,)]
    assert await rows(store, "SELECT count(*) FROM speakers") == [(0,)]


async def test_whoever_has_nothing_left_is_forgotten_by_name(store):
    await exchange(store, message("old", id=ago(31)), "a")
    await exchange(store, message("young", id=ago(29), author=2, name="Bob"), "a")

    await expire(store)

    assert await rows(store, "SELECT label FROM speakers") == [("Bob",)]


async def test_what_was_deleted_or_failed_goes_row_and_all(store):
    await exchange(store, message("deleted", id=ago(33)), "a")
    await store.erase_messages([ago(33)])
    await store.record_missed(message("missed", id=ago(32)))

    assert (await expire(store)).questions == 2
    assert await rows(store, "SELECT count(*) FROM turns") == [(0,)]


async def test_what_waits_or_is_not_finished_stays_and_is_named(store):
    under_way = await take(store, message("under way", id=ago(40)))
    await wait(store, message("waiting", id=ago(35)))

    expired = await expire(store)
    await answer(store, under_way, "at last")

    assert expired == Expired(questions=0, answers=0, go_on_after=None, unfinished=ago(40))
    texts = {text for (text,) in await rows(store, TEXTS)}
    assert texts == {"under way", "at last", "waiting"}


async def test_a_notice_that_is_still_to_be_deleted_keeps_its_row(store):
    await wait(store, message("waiting", id=ago(40)))
    await store.add_notice(ago(40), part=part())
    await store.notice_posted("nonce-0", message_id=70)
    await store.erase_messages([ago(40)])

    assert (await expire(store)).unfinished == ago(40)
    assert [each.part.message_id for each in await store.surplus()] == [70]


async def test_no_more_is_looked_at_than_was_asked_for(store):
    for n in range(5):
        await exchange(store, message(f"q{n}", id=ago(40, n)), f"a{n}")

    first = await expire(store, most=2)
    second = await store.erase_expired(EVERYWHERE, after=first.go_on_after, before=ago(30), most=2)

    assert first == Expired(questions=2, answers=2, go_on_after=ago(40, 1))
    assert second == Expired(questions=2, answers=2, go_on_after=ago(40, 3))


async def test_it_is_erased_from_the_disk(tmp_path):
    secret = "xylophone-quartz"
    async with open_store(f"sqlite:///{tmp_path}/bot.db") as store:
        for n in range(60):
            asked = message(f"{secret} " * (1 + n * 7), id=ago(40, n), author=1 + n % 2, name=secret)
            await exchange(store, asked, f"{secret} " * (1 + n * 5))
        before = [file.name for file in tmp_path.iterdir() if secret.encode() in file.read_bytes()]

        await expire(store)

        assert before
        assert [file.name for file in tmp_path.iterdir() if secret.encode() in file.read_bytes()] == []


# Which servers, and how often


@pytest.mark.parametrize(
    ("retention", "kept"),
    [
        (Retention(), {"five", "six", "dm"}),
        (Retention(days=30), set()),
        (Retention(days=50), {"five", "six", "dm"}),
        (Retention(days=30, by_server={5: 0}), {"five"}),
        (Retention(by_server={5: 30, 6: 50}), {"six", "dm"}),
        (Retention(days=50, by_server={5: 30, 6: 30}), {"dm"}),
        (Retention(days=30, by_server={5: 30, 6: 50}), {"six"}),
    ],
)
async def test_each_server_keeps_its_own_days_and_dms_the_general_ones(store, clock, retention, kept):
    await exchange(store, message("five", id=ago(40, 1)), "a")
    await exchange(store, message("six", id=ago(40, 2), channel=20, guild_id=6), "a")
    await exchange(store, message("dm", id=ago(40, 3), channel=30, guild_id=None), "a")

    if retention.terms:
        await run_once(retention, store, clock)
    else:
        await Expiry(retention, store=store, clock=clock).run()

    assert {text for (text,) in await rows(store, "SELECT text FROM turns WHERE role = 'user'")} == kept
    for server, name in ((5, "five"), (6, "six"), (None, "dm")):
        assert (0 < retention.days_in(server) < 40) == (name not in kept)


async def test_more_than_go_into_one_transaction_go_and_one_line_says_how_many(store, clock, caplog):
    many = TURNS_AT_ONCE + 3
    for n in range(many):
        await store.record_missed(message("old", id=ago(40, n)))

    with caplog.at_level(logging.INFO):
        await run_once(Retention(days=30), store, clock)

    assert await rows(store, "SELECT count(*) FROM turns") == [(0,)]
    assert [each.getMessage() for each in caplog.records if "too old" in each.getMessage()] == [
        f"too old to be kept: days=30 questions={many} answers=0"
    ]


async def test_every_hour_what_has_become_too_old_or_has_ended_by_then_goes(store, clock):
    under_way = await take(store, message("under way", id=ago(40)))
    await exchange(store, message("almost", id=ago(30, 1), channel=20), "a")
    running = asyncio.create_task(Expiry(Retention(days=30), store=store, clock=clock).run())
    await clock.until_sleeping()
    await answer(store, under_way, "a")
    before = await rows(store, "SELECT count(*) FROM turns")

    await clock.advance(SECONDS_BETWEEN)
    async with asyncio.timeout(10):
        while await rows(store, "SELECT count(*) FROM turns") != [(0,)]:
            pass

    assert before == [(4,)]
    running.cancel()


async def test_what_is_stored_late_goes_an_hour_later(store, clock):
    running = asyncio.create_task(Expiry(Retention(days=30), store=store, clock=clock).run())
    await clock.until_sleeping()
    await store.record_missed(message("while the bot was away", id=ago(30.5)))

    await clock.advance(SECONDS_BETWEEN)
    async with asyncio.timeout(10):
        while await rows(store, "SELECT count(*) FROM turns") != [(0,)]:
            pass
    running.cancel()


class Looked:
    """A store that writes down what it was asked."""

    def __init__(self, *faults):
        self.asked, self.faults = [], list(faults)

    async def erase_expired(self, where, *, after, before, most):
        self.asked.append((after, before))
        if self.faults:
            raise self.faults.pop()
        return Expired(questions=0, answers=0, go_on_after=None)


async def test_what_was_looked_at_is_not_looked_at_again():
    clock, store = ManualClock(), Looked()
    running = asyncio.create_task(Expiry(Retention(days=30), store=store, clock=clock).run())
    await clock.until_sleeping()

    await clock.advance(SECONDS_BETWEEN)

    assert store.asked == [(0, ago(30)), (ago(31), ago(30 - 1 / 24))]
    running.cancel()


@pytest.mark.parametrize("fault", [DatabaseUnavailable("made up"), ValueError("made up")])
async def test_a_round_that_fails_is_made_up_for_an_hour_later(fault, caplog):
    clock, store = ManualClock(), Looked(fault)
    running = asyncio.create_task(Expiry(Retention(days=30), store=store, clock=clock).run())
    await clock.until_sleeping()

    await clock.advance(SECONDS_BETWEEN)

    assert [after for after, _ in store.asked] == [0, 0]
    assert "too old to be kept waits" in caplog.text
    running.cancel()
