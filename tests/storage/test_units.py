"""No caller, no fault and no kill -9 loses what the store said it has."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine.default import DefaultDialect

from bot.core.errors import BotError, DatabaseUnavailable
from bot.core.tokens import TokenBudget
from bot.storage import postgresql as server
from bot.storage import units
from bot.storage.sqlite import SECONDS_FOR_OTHERS, SECONDS_IN_A_HURRY, SqliteFile
from bot.storage.turns import open_store
from bot.storage.units import Rank, UnitQueue
from tests.fakes import message
from tests.storage.talk import TOKENS, exchange, history, next_turn, part, rows, take, wait

ROOT = Path(__file__).parents[2]


def count_connections(store):
    """A list that grows with every connection that is opened from now on."""
    opened = []
    engine = store._database._back_end._engine
    event.listen(getattr(engine, "sync_engine", engine), "connect", lambda *_: opened.append(1))
    return opened


async def call_each(works):
    return [await work() for work in works]


async def with_neighbours(store, work):
    """What becomes of *work* between two questions, which are stored."""
    first, between, last = (
        asyncio.create_task(unit)
        for unit in (
            wait(store, message("one", id=1)),
            store._database.run(work, rank=Rank.INTAKE),
            wait(store, message("two", id=2)),
        )
    )
    await asyncio.gather(first, last)
    return (await asyncio.gather(between, return_exceptions=True))[0]


class TestCancelledCallers:
    async def test_a_caller_cancelled_at_any_await_loses_no_row_and_no_connection(self, store):
        opened = count_connections(store)

        for steps in range(1, 41):
            asked = store.receive(
                message("hello", id=steps), take_up=False, budget=TokenBudget(history_tokens=TOKENS)
            )
            caller = asyncio.create_task(asked)
            for _ in range(steps):
                await asyncio.sleep(0)
            caller.cancel()
            with suppress(asyncio.CancelledError):
                await caller

        assert await rows(store, "SELECT count(*), count(DISTINCT message_id) FROM turns") == [(40, 40)]
        assert opened == []

    async def test_a_turn_cancelled_at_any_step_can_be_taken_up_again(self, store):
        opened = count_connections(store)
        await exchange(store, message("before", id=1), "a")

        for steps in range(1, 41):
            turn = asyncio.create_task(exchange(store, message("hello", id=1 + steps), "b", posted=[1000 + steps]))
            for _ in range(steps * 5):
                await asyncio.sleep(0)
            turn.cancel()
            with suppress(asyncio.CancelledError):
                await turn

        while taken := await next_turn(store):
            await store.undeliverable(taken.answer_id, code="tested")
        states = await rows(store, "SELECT DISTINCT state FROM turns WHERE message_id > 1 ORDER BY state")
        assert set(states) <= {("answered",), ("failed",)}
        assert await rows(store, "SELECT count(*) FROM turns WHERE kind = 'message'") == [(41,)]
        assert opened == []

    async def test_a_fault_that_nobody_waits_for_is_logged(self, store, caplog):
        async def fail():
            raise DatabaseUnavailable("the disk is full")

        queue = UnitQueue(call_each)
        caller = asyncio.create_task(queue.run(fail))
        await asyncio.sleep(0)
        caller.cancel()
        await queue.close()

        assert "the disk is full" in caplog.text


class TestTheQueue:
    async def test_first_words_go_first_then_intake_then_the_rest_in_order(self):
        queue, done, go = UnitQueue(call_each), [], asyncio.Event()

        async def unit(name):
            await go.wait()
            done.append(name)

        running = [
            asyncio.create_task(queue.run(lambda name=name: unit(name), rank=rank))
            for name, rank in (
                ("rest 1", Rank.REST),
                ("rest 2", Rank.REST),
                ("intake 1", Rank.INTAKE),
                ("intake 2", Rank.INTAKE),
                ("words", Rank.FIRST_WORDS),
            )
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*running)
        await queue.close()

        assert done == ["words", "intake 1", "intake 2", "rest 1", "rest 2"]

    async def test_an_answers_first_words_do_not_wait_for_a_burst_of_questions(self, store):
        taken, ended = await take(store, message("first", id=1)), []
        asked = [take(store, message("more", id=n, channel=n)) for n in range(2, 12)]
        units = [asyncio.create_task(unit, name="question") for unit in asked]
        await asyncio.sleep(0)
        units.append(asyncio.create_task(store.add_part(taken.answer_id, attempt=1, part=part()), name="words"))
        for unit in units:
            unit.add_done_callback(lambda done: ended.append(done.get_name()))

        await asyncio.gather(*units)

        # One question was being stored already.
        assert ended.index("words") <= 1

    @pytest.fixture
    def together(self, monkeypatch):
        """Units of work are carried out together however few wait."""
        monkeypatch.setattr(units, "WAITING_FOR_EACH", 1)

    @pytest.mark.usefixtures("together")
    async def test_what_was_carried_out_along_with_others_is_not_carried_out_again(self, store):
        """Also if something more urgent comes before its turn."""
        taken = await take(store, message("first", id=1))
        later: list[asyncio.Task[None]] = []

        def urgent(_done):
            later.append(asyncio.create_task(store.add_part(taken.answer_id, attempt=1, part=part())))

        asked = [asyncio.create_task(take(store, message("more", id=n, channel=100 + n))) for n in range(2, 12)]
        asked[0].add_done_callback(urgent)
        answers = await asyncio.gather(*asked)
        await asyncio.gather(*later)

        assert [each.attempt for each in answers] == [1] * 10
        assert await rows(store, "SELECT DISTINCT attempts FROM turns WHERE state = 'answering'") == [(1,)]

    @pytest.mark.usefixtures("together")
    async def test_a_fault_among_units_carried_out_together_undoes_its_own_work_alone(self, store):
        def fail_halfway(connection):
            connection.execute(text("UPDATE conversations SET channel_id = 77"))
            raise BotError("made up")

        fault = await with_neighbours(store, fail_halfway)

        with pytest.raises(BotError, match="made up"):
            raise fault
        assert await rows(store, "SELECT channel_id FROM conversations") == [(10,)]
        assert (await next_turn(store)).question.message_id == 2
        assert await history(store, message("?", id=3)) == []

    @pytest.mark.usefixtures("together")
    async def test_units_whose_common_transaction_fails_are_carried_out_one_by_one(self, store):
        def end_transaction(connection):  # as SQLite does by itself on a full disk
            connection.exec_driver_sql("ROLLBACK")

        await with_neighbours(store, end_transaction)

        assert await rows(store, "SELECT message_id FROM turns ORDER BY message_id") == [(1,), (2,)]

    @pytest.mark.usefixtures("together")
    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    async def test_a_connection_that_one_of_them_loses_costs_nobody_their_work(self, store):
        runs = []

        def lose_connection_once(connection):
            runs.append(1)
            if len(runs) == 1:
                connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            return "done"

        assert await with_neighbours(store, lose_connection_once) == "done"
        assert await rows(store, "SELECT message_id FROM turns ORDER BY message_id") == [(1,), (2,)]

    @pytest.mark.usefixtures("together")
    async def test_a_commit_of_unknown_outcome_is_told_to_all_and_not_repeated(self, store, monkeypatch):
        back_end = store._database._back_end
        real = back_end.transact

        async def commit_and_be_cut_off(work, **how):
            await real(work, **how)
            monkeypatch.setattr(back_end, "transact", real)
            raise DatabaseUnavailable("cut off")

        monkeypatch.setattr(back_end, "transact", commit_and_be_cut_off)
        asked = [take(store, message("more", id=n, channel=100 + n)) for n in range(3)]
        ends = await asyncio.gather(*asked, return_exceptions=True)

        assert [str(end) for end in ends] == ["cut off"] * 3
        assert await rows(store, "SELECT count(*) FROM turns WHERE role = 'user'") == [(3,)]

    async def test_a_full_queue_takes_nothing_more(self):
        queue, go = UnitQueue(call_each, longest=2), asyncio.Event()
        waiting = [asyncio.create_task(queue.run(go.wait)) for _ in range(2)]
        await asyncio.sleep(0)

        with pytest.raises(DatabaseUnavailable):
            await queue.run(go.wait)

        go.set()
        assert await asyncio.gather(*waiting) == [True, True]
        await queue.close()

    async def test_a_closing_that_is_cut_short_leaves_nobody_waiting(self):
        queue, never = UnitQueue(call_each), asyncio.Event()
        waiting = [asyncio.create_task(queue.run(never.wait)) for _ in range(3)]
        closing = asyncio.create_task(queue.close())
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        closing.cancel()

        ends = await asyncio.wait_for(asyncio.gather(closing, *waiting, return_exceptions=True), 10)
        assert {type(end) for end in ends} == {asyncio.CancelledError}

    async def test_closing_finishes_what_waits_and_takes_nothing_more(self, database_url):
        async with open_store(database_url) as store:
            asked = [message(f"q{n}", id=n) for n in range(1, 20)]
            waiting = [asyncio.create_task(wait(store, each)) for each in asked]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)

        with pytest.raises(DatabaseUnavailable):
            await store.unfinished()
        async with open_store(database_url) as again:
            assert await rows(again, "SELECT count(*) FROM turns") == [(19,)]


async def find_it_locked(store, path):
    """Ask in vain while another program writes; it has gone afterwards."""
    await rows(store, "PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="SQLITE_BUSY"):
        await wait(store, message("hello", id=1))
    other.close()


class TestFaults:
    async def test_a_unit_of_work_that_fails_leaves_nothing(self, store):
        def fail_halfway(connection):
            connection.execute(text("INSERT INTO facts VALUES ('half', 'done', '2026-01-01 00:00:00')"))
            connection.execute(text("SELECT no_such_column FROM facts"))

        with pytest.raises(BotError) as caught:
            await store._database.run(fail_halfway)

        assert not isinstance(caught.value, DatabaseUnavailable)
        assert await store.read_fact("half") is None

    async def test_a_commit_that_is_refused_leaves_no_transaction_for_the_next_one(self, store, monkeypatch):
        on_sqlite = store._database._back_end.__class__ is SqliteFile

        def refuse(*_commit):
            monkeypatch.undo()
            raise sqlite3.OperationalError("refused") if on_sqlite else OSError("refused")

        monkeypatch.setattr(DefaultDialect, "do_commit", refuse)
        with pytest.raises(DatabaseUnavailable):
            await store.write_fact("a", "refused")
        await store.write_fact("b", "stored")

        assert [await store.read_fact(name) for name in ("a", "b")] == [None, "stored"]

    async def test_no_message_text_is_in_what_a_fault_says(self, store):
        await take(store, message("question", id=1))
        broken = "UPDATE turns SET state = 'standing', text = :text"

        with pytest.raises(BotError) as caught:
            await store._database.run(lambda connection: connection.execute(text(broken), {"text": "a secret"}))

        chain = [caught.value]
        while chain[-1].__cause__ is not None:
            chain.append(chain[-1].__cause__)
        assert "a secret" not in " ".join(f"{error} {error.args}" for error in chain)
        assert "IntegrityError" in str(caught.value)

    async def test_a_full_disk_is_told_and_passes(self, tmp_path):
        async with open_store(f"sqlite:///{tmp_path / 'bot.db'}") as store:
            (pages,) = (await rows(store, "PRAGMA page_count"))[0]
            await rows(store, f"PRAGMA max_page_count = {pages}")
            with pytest.raises(DatabaseUnavailable, match="SQLITE_FULL"):
                await wait(store, message("x" * 100_000, id=1))

            await rows(store, "PRAGMA max_page_count = 1000000")
            await wait(store, message("x" * 100_000, id=1))

            assert (await next_turn(store)).question.message_id == 1

    async def test_a_locked_file_is_told_and_passes(self, tmp_path):
        path = tmp_path / "bot.db"
        async with open_store(f"sqlite:///{path}") as store:
            await find_it_locked(store, path)
            await wait(store, message("hello", id=1))

            assert (await next_turn(store)).question.message_id == 1

    async def test_nobody_waits_long_behind_somebody_who_found_the_file_locked(self, tmp_path):
        path = tmp_path / "bot.db"
        async with open_store(f"sqlite:///{path}") as store:
            await find_it_locked(store, path)

            waits = [await rows(store, "PRAGMA busy_timeout") for _ in range(2)]

        assert waits == [[(SECONDS_IN_A_HURRY * 1000,)], [(SECONDS_FOR_OTHERS * 1000,)]]


class TestPostgresqlGoesAway:
    @pytest.fixture
    async def admin(self, postgresql):
        connection = await asyncpg.connect(postgresql)
        yield connection
        await connection.execute("ALTER DATABASE kept ALLOW_CONNECTIONS true")
        await connection.close()

    async def end_connections(self, admin, *, lock_too=False):
        await admin.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'kept'"
            " AND ($1 OR pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))",
            lock_too,
        )

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    async def test_a_connection_that_ended_is_not_noticed(self, store, admin):
        await exchange(store, message("before", id=1), "a")

        await self.end_connections(admin)

        assert await history(store, message("?", id=2)) == ["before", "a"]

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    async def test_an_unreachable_server_is_told_and_passes(self, store, admin):
        await exchange(store, message("before", id=1), "a")
        await admin.execute("ALTER DATABASE kept ALLOW_CONNECTIONS false")
        await self.end_connections(admin)

        with pytest.raises(DatabaseUnavailable):
            await wait(store, message("?", id=2))

        await admin.execute("ALTER DATABASE kept ALLOW_CONNECTIONS true")
        assert await history(store, message("?", id=2)) == ["before", "a"]

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    async def test_nobody_waits_long_behind_somebody_who_could_not_connect(self, store, admin, monkeypatch):
        waits, connect = [], store._database._back_end._connect

        def connecting(*, timeout, **how):
            waits.append(timeout)
            return connect(timeout=timeout, **how)

        monkeypatch.setattr(store._database._back_end, "_connect", connecting)
        await admin.execute("ALTER DATABASE kept ALLOW_CONNECTIONS false")
        await self.end_connections(admin)
        for n in (1, 2):
            with pytest.raises(DatabaseUnavailable):
                await wait(store, message("?", id=n))

        assert waits == [server.SECONDS_TO_CONNECT, *[server.SECONDS_IN_A_HURRY] * 2]  # the first was tried again

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    async def test_losing_the_ownership_shows_and_nothing_is_stored_any_more(self, store, admin):
        assert not store.ownership_lost.is_set()

        await self.end_connections(admin, lock_too=True)

        await asyncio.wait_for(store.ownership_lost.wait(), 10)
        with pytest.raises(DatabaseUnavailable, match="the lock on the database was lost"):
            await wait(store, message("?", id=2))
        assert await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = 'kept'") == 0


KILLED = """
import asyncio, sys
from bot.storage.turns import open_store
from tests.fakes import message
from tests.storage.talk import exchange

async def main():
    async with open_store(sys.argv[1]) as store:
        n = 0
        while True:
            n += 1
            await exchange(store, message(f"q{n}", id=n, channel=n % 3), f"a{n}", posted=[10**9 + n])
            print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 23])
async def test_a_killed_process_loses_nothing_it_acknowledged(database_url, acknowledged):
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, database_url,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    lines = [await child.stdout.readline() for _ in range(acknowledged)]
    child.send_signal(signal.SIGKILL)
    lines += (await child.stdout.read()).splitlines()
    await child.wait()

    async with open_store(database_url) as store:
        standing = await rows(
            store,
            "SELECT q.message_id FROM turns q"
            " JOIN turns a ON a.id = q.answered_by JOIN parts p ON p.turn_id = a.id"
            " WHERE q.state = 'answered' AND a.state = 'standing' AND p.state = 'posted'",
        )
        left = await store.unfinished()

    assert {int(line) for line in lines} <= {message_id for (message_id,) in standing}
    assert len(left) <= 1
