"""What the log says of a database that fails: what is wrong, and what to do about it."""

import os

import asyncpg
import pytest
from sqlalchemy import text

from bot.core.errors import DatabaseUnavailable
from bot.storage.faults import MOVED
from bot.storage.turns import open_store
from tests.fakes import message
from tests.storage.talk import exchange, history, rows, wait


@pytest.fixture
async def admin(postgresql):
    connection = await asyncpg.connect(postgresql)
    yield connection
    await connection.close()


async def fault(store):
    with pytest.raises(DatabaseUnavailable) as caught:
        await wait(store, message("refused", id=99))
    return str(caught.value)


class TestSqlite:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "bot.db"

    @pytest.fixture
    async def store(self, path):
        async with open_store(f"sqlite:///{path}") as store:
            await exchange(store, message("before", id=1), "a")
            yield store

    async def test_a_file_that_was_moved_away_takes_nothing_until_it_is_back(self, store, path) -> None:
        path.rename(path.with_name("moved.db"))

        assert await fault(store) == MOVED

        path.with_name("moved.db").rename(path)
        assert await history(store, message("?", id=2)) == ["before", "a"]

    async def test_a_file_that_was_replaced_takes_nothing(self, store, path) -> None:
        path.with_name("backup.db").write_bytes(path.read_bytes())
        path.with_name("backup.db").replace(path)

        assert await fault(store) == MOVED

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    async def test_a_folder_made_read_only_does_not_keep_a_bot_from_storing(self, store, path) -> None:
        path.parent.chmod(0o500)
        try:
            await exchange(store, message("meanwhile", id=2), "b")
        finally:
            path.parent.chmod(0o700)

        assert await history(store, message("?", id=3)) == ["before", "a", "meanwhile", "b"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestPostgresql:
    async def end_connections(self, store, admin):
        """But not the one that holds the lock."""
        (own,) = (await rows(store, "SELECT pg_backend_pid()"))[0]
        await admin.execute("SELECT pg_terminate_backend($1)", own)

    async def test_a_server_that_takes_no_changes_is_told_and_passes(self, store, admin) -> None:
        await admin.execute("ALTER DATABASE kept SET default_transaction_read_only = on")
        try:
            await self.end_connections(store, admin)
            told = await fault(store)
        finally:
            await admin.execute("ALTER DATABASE kept RESET default_transaction_read_only")
        await self.end_connections(store, admin)

        assert "(25006): the server takes no changes. Name the primary server" in told
        await wait(store, message("hello", id=1))

    async def test_a_database_that_was_closed_is_told_and_passes(self, store, admin) -> None:
        await admin.execute("ALTER DATABASE kept ALLOW_CONNECTIONS false")
        try:
            await self.end_connections(store, admin)
            told = await fault(store)
        finally:
            await admin.execute("ALTER DATABASE kept ALLOW_CONNECTIONS true")

        assert "(55000): the server lets nobody into the database." in told
        await wait(store, message("hello", id=1))

    async def test_a_connection_that_breaks_under_a_unit_of_work_is_told_and_passes(self, store) -> None:
        with pytest.raises(DatabaseUnavailable) as caught:
            await rows(store, "SELECT pg_terminate_backend(pg_backend_pid())")

        assert "(08003): the server cannot be reached. Check that it runs" in str(caught.value)
        await wait(store, message("hello", id=1))

    async def test_a_user_who_lost_a_right_is_told(self, store) -> None:
        def read_as_somebody_else(connection):
            connection.execute(text("SET LOCAL ROLE pg_monitor"))
            connection.execute(text("SELECT * FROM turns"))

        with pytest.raises(DatabaseUnavailable) as caught:
            await store._database.run(read_as_somebody_else)

        assert "(42501): the user may not do that any more. Make the user the owner" in str(caught.value)

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("28P01", "the server refused the user. Check name and password"),
            ("3D000", "the database is not there any more."),
            ("53100", "the server's disk is full. Make room"),
            ("53300", "the server has no connection left. Close other programs'"),
            ("57P01", "the server is being stopped or started."),
            ("57P03", "the server is being stopped or started."),
            ("58030", "the server's disk failed. Look at the server's log."),
            ("XX001", "the server found damage. Look at its log"),
        ],
    )
    async def test_what_the_server_says_comes_with_its_cure(self, store, code, words) -> None:
        with pytest.raises(DatabaseUnavailable) as caught:
            await store._database.run(
                lambda connection: connection.execute(
                    text(f"DO $$ BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = '{code}'; END $$")
                )
            )

        assert f"({code}): {words}" in str(caught.value)
        assert "canary" not in str(caught.value)
