"""A backup is whole or not there, leaves the database as it was, and holds nothing that was erased."""

import asyncio
import os
import shlex
import sqlite3
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.core.errors import StartupRefused
from bot.storage import backup
from bot.storage.backup import back_up
from bot.storage.turns import open_store
from tests.conftest import execute
from tests.fakes import message
from tests.storage.talk import exchange, history, rows, take, wait


@pytest.fixture
def path(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "bot.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@pytest.fixture
def target(tmp_path):
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "bot.db"


def refusal(url, target):
    with pytest.raises(StartupRefused) as caught:
        back_up(url, target)
    return str(caught.value)


def folder_of(path):
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


async def test_a_running_bots_memory_is_copied_into_one_private_file(url, target) -> None:
    async with open_store(url) as store:
        await exchange(store, message("How is it going?", id=1), "All good.")

        done = await asyncio.to_thread(back_up, url, target)

    assert (done.turns, done.size) == (2, target.stat().st_size)
    assert list(folder_of(target)) == ["bot.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    async with open_store(f"sqlite:///{target}") as restored:
        assert await history(restored, message("?", id=2)) == ["How is it going?", "All good."]


async def test_the_copy_can_be_read_where_nothing_can_be_written_beside_it(url, target) -> None:
    async with open_store(url) as store:
        await exchange(store, message("hello", id=1), "hi")
        await asyncio.to_thread(back_up, url, target)

    with sqlite3.connect(target) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_what_the_bot_stores_meanwhile_neither_waits_nor_makes_it_begin_anew(
    url, target, monkeypatch
) -> None:
    monkeypatch.setattr(backup, "PAGES_AT_ONCE", 1)
    loop, connect, stored = asyncio.get_running_loop(), sqlite3.connect, []

    class Copied(sqlite3.Connection):
        def backup(self, copy, *, pages, progress):
            def between_two_pieces(*_):
                progress()
                if len(stored) < 5:
                    question = wait(store, message("meanwhile", id=100 + len(stored)))
                    stored.append(asyncio.run_coroutine_threadsafe(question, loop).result(10))

            super().backup(copy, pages=pages, progress=between_two_pieces)

    monkeypatch.setattr(backup.sqlite3, "connect", lambda *a, **k: connect(*a, **{"factory": Copied, **k}))
    async with open_store(url) as store:
        await exchange(store, message("before", id=1), "a")

        done = await asyncio.to_thread(back_up, url, target)

        assert len(stored) == 5
        assert await rows(store, "SELECT count(*) FROM turns") == [(7,)]
    assert done.turns == 2
    with sqlite3.connect(target) as connection:
        assert connection.execute("SELECT count(*) FROM turns").fetchone() == (2,)


async def test_what_was_erased_is_not_in_the_copy(url, target) -> None:
    async with open_store(url) as store:
        await exchange(store, message("rutabaga " * 2000, id=1, author=7), "xylophone " * 2000)
        await exchange(store, message("kept", id=2), "kept, too")
        await store.forget_user(7)

        await asyncio.to_thread(back_up, url, target)

    copied = target.read_bytes()
    assert b"kept, too" in copied
    assert b"rutabaga" not in copied
    assert b"xylophone" not in copied


async def test_a_stopped_bots_folder_is_left_as_it_was(url, path, target) -> None:
    async with open_store(url) as store:
        await exchange(store, message("hello", id=1), "hi")
    before = folder_of(path)

    assert back_up(url, target).turns == 2

    assert folder_of(path) == before


async def test_what_a_killed_bot_left_in_its_wal_is_in_the_copy(url, path, target, tmp_path) -> None:
    (tmp_path / "killed").mkdir()
    async with open_store(url) as store:
        await exchange(store, message("How is it going?", id=1), "All good.")
        for suffix in ("", "-wal"):
            (tmp_path / "killed" / f"bot.db{suffix}").write_bytes(path.with_name(f"bot.db{suffix}").read_bytes())

    assert back_up(f"sqlite:///{tmp_path}/killed/bot.db", target).turns == 2


async def test_a_bot_that_starts_meanwhile_costs_another_look(url, path, target, monkeypatch) -> None:
    async with open_store(url) as store:
        await exchange(store, message("before", id=1), "a")
    real, looks = backup._copy_through, []

    def start_a_bot(address, draft):
        looks.append(address.rpartition("?")[2])
        turns = real(address, draft)
        if len(looks) == 1:
            asyncio.run(talk())
        return turns

    async def talk():
        async with open_store(url) as store:
            await exchange(store, message("meanwhile", id=3), "b")

    monkeypatch.setattr(backup, "_copy_through", start_a_bot)
    done = await asyncio.to_thread(back_up, url, target)

    assert looks == ["immutable=1", "mode=ro"]
    assert done.turns == 4


class TestRefusals:
    @pytest.fixture
    async def filled(self, url):
        async with open_store(url) as store:
            for n in range(1, 20):
                await exchange(store, message("question " * 30, id=n), "answer " * 30)

    @pytest.mark.usefixtures("filled")
    def test_nothing_is_overwritten(self, url, target) -> None:
        target.write_text("mine")

        assert "is there already. Name a new file" in refusal(url, target)
        assert folder_of(target) == {"bot.db": b"mine"}

    @pytest.mark.usefixtures("filled")
    @pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", ".lock"])
    def test_the_databases_own_files_are_no_place_for_a_copy(self, url, path, suffix) -> None:
        before = folder_of(path)

        assert "belongs to the database itself" in refusal(url, path.with_name(path.name + suffix))
        assert folder_of(path) == before

    @pytest.mark.usefixtures("filled")
    def test_a_missing_folder_is_named(self, url, tmp_path) -> None:
        assert f"There is no folder {tmp_path}/nowhere." in refusal(url, tmp_path / "nowhere" / "bot.db")

    @pytest.mark.usefixtures("filled")
    def test_two_at_once_do_not_write_into_each_other(self, url, target) -> None:
        target.with_name("bot.db.tmp").write_text("half")

        assert "is being written just now, or was cut short" in refusal(url, target)
        assert folder_of(target) == {"bot.db.tmp": b"half"}

    @pytest.mark.usefixtures("filled")
    def test_a_disk_without_room_is_left_to_the_bot(self, url, target, monkeypatch) -> None:
        monkeypatch.setattr(backup.shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))

        assert "has no room for a copy" in refusal(url, target)
        assert folder_of(target) == {}

    @pytest.mark.usefixtures("filled")
    def test_ctrl_c_leaves_nothing(self, url, target, monkeypatch) -> None:
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(backup, "_make_plain", interrupt)
        with pytest.raises(KeyboardInterrupt):
            back_up(url, target)

        assert folder_of(target) == {}

    def test_without_a_database_there_is_nothing_to_back_up(self, url, path, target) -> None:
        assert f"There is no {path} to back up" in refusal(url, target)
        assert folder_of(path) == folder_of(target) == {}

    @pytest.mark.parametrize("kind", ["text", "another program's"])
    def test_what_is_no_database_of_the_bots_is_refused(self, url, path, target, kind) -> None:
        if kind == "text":
            path.write_text("These are my notes, not a database. " * 100)
        else:
            with sqlite3.connect(path) as connection:
                connection.execute("CREATE TABLE notes (text)")

        assert "is not a database of the bot" in refusal(url, target)
        assert folder_of(target) == {}

    @pytest.mark.usefixtures("filled")
    @pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
    def test_a_damaged_database_gives_no_backup(self, url, path, target, where) -> None:
        with path.open("r+b") as file:
            file.seek(int(path.stat().st_size * where) // 4096 * 4096)
            file.write(os.urandom(4096))

        assert "is damaged" in refusal(url, target)
        assert folder_of(target) == {}

    @pytest.mark.parametrize(
        "given", ["ada:pa55-w0rd@db.example:5432/memory?", "ada@db.example:5432/memory?password=pa55-w0rd&"]
    )
    def test_for_postgresql_its_own_tool_is_named_without_the_password(self, given) -> None:
        sentence = refusal(f"postgresql://{given}sslmode=require", Path("a b.dump"))

        assert sentence.endswith(
            "pg_dump --format=custom --file='a b.dump' 'postgresql://ada@db.example:5432/memory?sslmode=require'"
        )
        assert "pa55-w0rd" not in sentence


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_command_that_is_named_for_postgresql_copies_a_running_bots_memory(
    store, database_url, postgresql, tmp_path
) -> None:
    await exchange(store, message("How is it going?", id=1), "All good.")
    target = tmp_path / "bot.dump"
    sentence = refusal(database_url, target)
    (tools,) = (await rows(store, "SELECT setting FROM pg_config WHERE name = 'BINDIR'"))[0]
    await run(tools, *shlex.split(sentence[sentence.index("pg_dump ") :]))

    await execute(postgresql, "CREATE DATABASE restored")
    try:
        url = postgresql.replace("/postgres?", "/restored?")
        await run(tools, "pg_restore", f"--dbname={url}", str(target))
        async with open_store(url) as restored:
            assert await history(restored, message("?", id=2)) == ["How is it going?", "All good."]
    finally:
        await execute(postgresql, "DROP DATABASE restored WITH (FORCE)")


async def run(tools, program, *arguments):
    process = await asyncio.create_subprocess_exec(Path(tools) / program, *arguments)
    assert await process.wait() == 0


async def test_a_restored_bot_carries_on_with_what_was_under_way(url, target) -> None:
    async with open_store(url) as store:
        await take(store, message("half answered", id=1))
        await asyncio.to_thread(back_up, url, target)

    async with open_store(f"sqlite:///{target}") as restored:
        assert len(await restored.unfinished()) == 1
