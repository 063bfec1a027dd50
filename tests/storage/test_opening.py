"""Opening the database: created where there is none, refused in a plain sentence where that is wiser."""

import asyncio
import os
import stat
import sys
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from bot.core.errors import DatabaseAway, StartupRefused
from bot.storage.postgresql import refusal as why_refused
from bot.storage.turns import open_store
from tests.fakes import message
from tests.storage.talk import exchange, history, rows

ROOT = Path(__file__).parents[2]
SECRET = "pa55-w0rd"

HOLD = """
import asyncio, sys
from bot.storage.turns import open_store

async def main():
    async with open_store(sys.argv[1]):
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def refusal(url, **options):
    with pytest.raises(StartupRefused) as caught:
        async with open_store(url, **options):
            pass
    return str(caught.value)


@contextmanager
def asking_for_passwords(rules, *, role):
    path = Path(rules)
    before = path.read_text()
    path.write_text(f"local all {role} scram-sha-256\n{before}")
    try:
        yield
    finally:
        path.write_text(before)


@pytest.fixture
async def held(database_url):
    """The database, open in another process until its input ends."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, database_url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert await child.stdout.readline() == b"open\n"
    yield child
    await let_go(child)


async def let_go(child):
    child.stdin.close()
    await child.wait()


async def test_a_second_bot_is_refused_until_the_first_has_gone(database_url, held):
    assert "Another bot is using" in await refusal(database_url, wait_seconds=0.01)

    await let_go(held)

    async with open_store(database_url) as store:
        assert await store.unfinished() == []


async def test_a_second_store_in_the_same_process_is_refused_too(store, database_url):
    assert "Another bot is using" in await refusal(database_url, wait_seconds=0.01)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_successor_waits_for_its_predecessor(database_url):
    async with open_store(database_url):
        successor = asyncio.create_task(open_store(database_url, wait_seconds=30).__aenter__())
        await _until_somebody_waits(database_url)
    store = await successor

    assert await store.unfinished() == []
    await store._database.close()


async def _until_somebody_waits(url):
    admin = await asyncpg.connect(url)
    try:
        while not await admin.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ):
            await asyncio.sleep(0)
    finally:
        await admin.close()


async def test_everything_is_there_after_a_restart(empty_url):
    async with open_store(empty_url) as store:
        await exchange(store, message("How is it going?", id=1), "All good, how may I help you?")

    async with open_store(empty_url) as store:
        assert await history(store, message("?", id=2)) == ["How is it going?", "All good, how may I help you?"]


@pytest.mark.parametrize(
    "url",
    ["", "bot.db", "mysql://root:pa55-w0rd@host/db", "sqlite://", "sqlite:///:memory:", "sqlite:///bot.db?mode=ro",
     "postgresql://user:pa55-w0rd@host:port/db", "postgresql://user:pa55-w0rd@[/db"],
)  # fmt: skip
async def test_what_names_no_database_is_refused_with_an_example(url):
    sentence = await refusal(url)

    assert "DATABASE_URL" in sentence
    assert "sqlite:///" in sentence or "postgresql://user:password@" in sentence
    assert SECRET not in sentence


class TestSqlite:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "data" / "bot.db"

    async def test_the_file_and_its_folder_are_made_for_nobody_else_to_read(self, path):
        async with open_store(f"sqlite:///{path}") as store:
            await exchange(store, message("hello", id=1), "hi")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

        assert modes == dict.fromkeys(["bot.db", "bot.db-wal", "bot.db-shm", "bot.db.lock"], 0o600)

    async def test_a_relative_path_starts_at_the_working_directory(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        async with open_store("sqlite:///data/bot.db"):
            assert (tmp_path / "data" / "bot.db").exists()

    async def test_it_is_open_as_the_promises_need_it(self, path):
        async with open_store(f"sqlite:///{path}") as store:
            found = {
                pragma: (await rows(store, f"PRAGMA {pragma}"))[0][0]
                for pragma in ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "temp_store")
            }

        assert found == {
            "journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1, "temp_store": 2,
        }  # fmt: skip

    async def test_two_names_of_one_file_are_one_database(self, path):
        path.parent.mkdir()
        other = path.with_name("other.db")
        other.symlink_to(path)

        async with open_store(f"sqlite:///{path}"):
            assert "Another bot is using" in await refusal(f"sqlite:///{other}")

    async def test_the_wal_is_empty_after_the_end(self, path):
        async with open_store(f"sqlite:///{path}") as store:
            await exchange(store, message("hello", id=1), "hi")

        assert sorted(file.name for file in path.parent.iterdir()) == ["bot.db", "bot.db.lock"]

    async def test_erased_text_that_a_kill_left_in_the_wal_goes_at_the_next_start(self, path, tmp_path):
        async with open_store(f"sqlite:///{path}") as store:
            await exchange(store, message("xylophone-quartz", id=1), "hi")
            killed = tmp_path / "bot.db"
            for suffix in ("", "-wal"):
                (tmp_path / f"bot.db{suffix}").write_bytes(path.with_name(f"bot.db{suffix}").read_bytes())
        assert killed.with_name("bot.db-wal").stat().st_size > 0

        async with open_store(f"sqlite:///{killed}"):
            assert killed.with_name("bot.db-wal").stat().st_size == 0

    async def test_what_is_no_database_is_refused(self, path):
        path.parent.mkdir()
        path.write_text("These are my notes, not a database. " * 100)

        assert "is not a database" in await refusal(f"sqlite:///{path}")

    @pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
    async def test_a_damaged_file_is_refused(self, path, where):
        async with open_store(f"sqlite:///{path}") as store:
            for n in range(1, 40):
                await exchange(store, message("question " * 30, id=n), "answer " * 30)
        with path.open("r+b") as file:
            file.seek(int(path.stat().st_size * where) // 4096 * 4096)
            file.write(os.urandom(4096))

        assert "is damaged" in await refusal(f"sqlite:///{path}")

    async def test_a_cut_off_file_is_refused(self, path):
        async with open_store(f"sqlite:///{path}") as store:
            await exchange(store, message("question " * 3000, id=1), "answer " * 3000)
        os.truncate(path, path.stat().st_size // 2)

        assert "is damaged" in await refusal(f"sqlite:///{path}")

    async def test_a_start_does_not_read_through_a_long_file(self, path, monkeypatch):
        async with open_store(f"sqlite:///{path}") as store:
            await exchange(store, message("question " * 3000, id=1), "answer " * 3000)
        with path.open("r+b") as file:
            file.seek(-4096, os.SEEK_END)
            file.write(os.urandom(4096))
        assert "is damaged" in await refusal(f"sqlite:///{path}")
        monkeypatch.setattr("bot.storage.sqlite.CHECKED_BYTES", 4096)

        async with open_store(f"sqlite:///{path}") as store:
            assert await store.unfinished() == []

    @pytest.mark.parametrize("place", ["folder", "below a file", "/dev/null/bot.db", "/proc/bot.db"])
    async def test_what_cannot_be_written_is_refused(self, tmp_path, place):
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").touch()
        path = {"folder": tmp_path / "folder", "below a file": tmp_path / "file" / "bot.db"}.get(place, place)

        assert "cannot be written" in await refusal(f"sqlite:///{path}")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    async def test_a_read_only_folder_is_refused(self, tmp_path):
        (tmp_path / "locked").mkdir(mode=0o500)

        assert "cannot be written" in await refusal(f"sqlite:///{tmp_path}/locked/bot.db")


class TestPostgresql:
    @pytest.fixture
    async def admin(self, postgresql):
        connection = await asyncpg.connect(postgresql)
        yield connection
        await connection.close()

    async def test_a_server_that_does_not_run_is_refused(self):
        sentence = await refusal(f"postgresql://ada:{SECRET}@127.0.0.1:1/memory")

        assert "PostgreSQL at 127.0.0.1:1, database memory cannot be reached" in sentence
        assert SECRET not in sentence

    async def test_a_missing_database_is_refused(self, postgresql):
        sentence = await refusal(postgresql.replace("/postgres?", "/missing?"))

        assert "database missing has no such database. Create it" in sentence

    async def test_a_wrong_password_is_refused(self, postgresql, admin):
        await admin.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
        with asking_for_passwords(await admin.fetchval("SHOW hba_file"), role="locked"):
            await admin.execute("SELECT pg_reload_conf()")
            sentence = await refusal(postgresql.replace("postgres:@", f"locked:{SECRET}@"))
        await admin.execute("SELECT pg_reload_conf()")
        await admin.execute("DROP ROLE locked")

        assert "refused the user name or password" in sentence
        assert SECRET not in sentence

    async def test_a_user_who_may_create_no_tables_is_refused(self, postgresql, admin):
        await admin.execute("CREATE ROLE guest LOGIN")
        await admin.execute("CREATE DATABASE theirs")
        try:
            sentence = await refusal(postgresql.replace("postgres:@/postgres?", "guest:@/theirs?"))
        finally:
            await admin.execute("DROP DATABASE theirs WITH (FORCE)")
            await admin.execute("DROP ROLE guest")

        assert "create no tables" in sentence

    async def test_a_database_that_cannot_hold_every_text_is_refused(self, postgresql, admin):
        await admin.execute("CREATE DATABASE narrow ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            sentence = await refusal(postgresql.replace("/postgres?", "/narrow?"))
        finally:
            await admin.execute("DROP DATABASE narrow WITH (FORCE)")

        assert "encoded as LATIN1" in sentence

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql+asyncpg"])
    async def test_other_spellings_of_the_url_are_understood(self, postgresql_with_tables, scheme):
        async with open_store(postgresql_with_tables.replace("postgresql", scheme, 1)) as store:
            assert isinstance(await store.unfinished(), list)

    @pytest.mark.parametrize(
        ("error", "passing"),
        [
            (asyncpg.CannotConnectNowError("starting up"), True),
            (asyncpg.TooManyConnectionsError("full"), True),
            (asyncpg.ConnectionDoesNotExistError("cut off"), True),
            (asyncpg.InterfaceError("cut off"), True),
            (TimeoutError(), True),
            (asyncpg.InvalidPasswordError("wrong"), False),
            (asyncpg.InvalidCatalogNameError("missing"), False),
        ],
    )
    def test_what_may_pass_is_told_from_what_will_not(self, error, passing):
        told = why_refused(error, make_url("postgresql://ada@db/memory"))

        assert isinstance(told, DatabaseAway) == passing
