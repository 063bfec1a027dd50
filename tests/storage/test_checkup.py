"""What `doctor` says of the database, and that it leaves it as it was."""

import fcntl
import hashlib
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.core.findings import State
from bot.storage import sqlite, sqlite_checkup
from bot.storage.checkup import check_database
from bot.storage.database import open_database
from bot.storage.sqlite import lock_of
from bot.storage.turns import open_store
from tests.conftest import execute
from tests.fakes import message
from tests.storage.talk import exchange


async def examine(url):
    return {finding.check: finding for finding in await check_database(url)}


def contents(folder: Path):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


async def test_a_database_at_rest_is_sound(database_url):
    found = (await examine(database_url))["database"]

    assert found.state is State.OK
    assert "newest tables" in found.detail
    assert "in use" not in found.detail


async def test_a_running_bots_database_is_in_use_which_is_no_fault(database_url):
    async with open_store(database_url) as store:
        await exchange(store, message("hello", id=1), "hi")

        found = (await examine(database_url))["database"]

        await exchange(store, message("still there", id=3), "yes")
    assert (found.state, "in use by a running bot" in found.detail) == (State.OK, True)


async def test_an_empty_database_is_no_fault_and_stays_empty(empty_url):
    first = await examine(empty_url)

    assert await examine(empty_url) == first
    assert first["database"].state is State.OK
    assert "the next start makes" in first["database"].detail or "first start makes it" in first["database"].detail


async def test_a_newer_versions_database_is_refused_as_the_bot_would(empty_url):
    async with open_database(empty_url) as database:
        await database.run(lambda c: c.execute(text("UPDATE confab_version SET version_num = '9999'")).rowcount)

    found = (await examine(empty_url))["database"]

    assert found.state is State.WRONG
    assert found.detail.startswith("The database was written by a newer version of the bot (its revision 9999")
    assert found.cure.startswith("Update the bot")


class TestSqlite:
    @pytest.fixture
    async def path(self, tmp_path):
        """A database with something in it."""
        path = tmp_path / "data" / "bot.db"
        async with open_store(f"sqlite:///{path}") as store:
            for n in range(1, 40, 2):
                await exchange(store, message("question " * 30, id=n), "answer " * 30)
        return path

    async def test_looking_leaves_no_trace(self, path):
        before = contents(path.parent)

        await examine(f"sqlite:///{path}")

        assert contents(path.parent) == before

    async def test_what_a_kill_left_in_the_wal_is_read_and_left_there(self, path, tmp_path):
        killed = tmp_path / "bot.db"
        async with open_store(f"sqlite:///{path}") as store:
            await exchange(store, message("hello", id=101), "hi")
            for suffix in ("", "-wal"):
                (tmp_path / f"bot.db{suffix}").write_bytes(path.with_name(f"bot.db{suffix}").read_bytes())
        files = [killed, tmp_path / "bot.db-wal"]
        before = [file.read_bytes() for file in files]

        found = (await examine(f"sqlite:///{killed}"))["database"]

        assert found.detail == "sound, with the newest tables"
        assert [file.read_bytes() for file in files] == before

    async def test_a_look_at_the_lock_does_not_keep_a_bot_from_starting(self, path, monkeypatch):
        monkeypatch.setattr(sqlite, "SECONDS_FOR_A_LOOK", 30)
        look = lock_of(path).open("rb")
        fcntl.flock(look, fcntl.LOCK_SH)
        threading.Timer(0.05, look.close).start()

        async with open_store(f"sqlite:///{path}"):
            pass

    async def test_damage_is_found(self, path):
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2 // 4096 * 4096)
            file.write(os.urandom(4096))

        found = (await examine(f"sqlite:///{path}"))["database"]

        assert (found.state, found.detail) == (State.WRONG, "is damaged")
        assert found.cure.startswith("Restore a backup")

    async def test_another_programs_file_is_refused(self, tmp_path):
        path = tmp_path / "other.db"
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE turns (id)")
        other.close()

        assert "another program's tables" in (await examine(f"sqlite:///{path}"))["database"].detail

    async def test_a_folder_that_cannot_be_made_is_wrong_and_the_disk_is_measured_all_the_same(self, tmp_path):
        (tmp_path / "file").touch()

        found = await examine(f"sqlite:///{tmp_path}/file/bot.db")

        assert found["database"].detail == "cannot be written"
        assert found["disk"].state is not State.WRONG

    @pytest.mark.parametrize(
        ("most", "state"), [("TOO_LITTLE_BYTES", State.WRONG), ("LITTLE_BYTES", State.WARNING)]
    )
    async def test_little_room_is_told(self, path, monkeypatch, most, state):
        monkeypatch.setattr(sqlite_checkup, most, 2**60)

        assert (await examine(f"sqlite:///{path}"))["disk"].state is state


class TestPostgresql:
    async def test_a_user_who_may_create_no_tables_is_refused_only_where_there_are_none(self, postgresql):
        await execute(postgresql, "CREATE DATABASE small", "CREATE ROLE guest LOGIN")
        url = postgresql.replace("/postgres?", "/small?")
        guest = url.replace("://postgres:@", "://guest:@")
        assert guest != url
        try:
            without = (await examine(guest))["database"]
            async with open_database(url):
                pass
            await execute(url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest")

            with_tables = (await examine(guest))["database"]
        finally:
            await execute(postgresql, "DROP DATABASE small WITH (FORCE)", "DROP ROLE guest")

        assert (without.state, "create no tables" in without.detail) == (State.WRONG, True)
        assert with_tables.state is State.OK

    async def test_a_server_that_is_not_there_is_told_without_the_password(self):
        found = (await examine("postgresql://confab:pa55-w0rd@127.0.0.1:1/confab"))["database"]

        assert found.state is State.WRONG
        assert "cannot be reached" in found.detail
        assert "pa55-w0rd" not in found.detail + found.cure
