"""A disk that fails under a bot at work: people are told, the operator reads a cure, and it passes by itself."""

import asyncio
import logging
import resource
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.discord import catch_up
from bot.playground.loopback import LoopbackDiscord
from bot.storage import sqlite
from tests.logged import caught_up
from tests.model_server import Answer, Gate, ModelServer
from tests.whole_bot import Stage

LONG = "The sky is blue because air scatters short waves of light far more than long ones."
TOLD = DatabaseUnavailable.user_message


class FullDisk:
    """The bot's folder is a small disk that nobody else sees; others reach it through the process."""

    words = ("SQLITE_FULL", "the disk that holds the database is full. Make room")

    def __init__(self, folder: Path) -> None:
        mount = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'
        self.under = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)]
        if subprocess.run([*self.under, "true"], capture_output=True, check=False).returncode:  # noqa: S603 - ours
            pytest.skip("no disk of its own can be made here: unshare and mount are not allowed")
        self._folder = folder

    def begin(self, pid: int) -> None:
        try:
            with self._filling(pid).open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            return

    def end(self, pid: int) -> None:
        self._filling(pid).unlink()

    def _filling(self, pid: int) -> Path:
        return Path(f"/proc/{pid}/root{self._folder}/filling")


class FailingDisk:
    """No file may grow any more: each write beyond its end fails, which SQLite sees as a disk that fails."""

    words = ("SQLITE_IOERR_WRITE", "the disk refused to read or write the database's file")
    under = ()

    def __init__(self, folder: Path) -> None:
        self._wal = folder / "bot.db-wal"

    def begin(self, pid: int) -> None:
        self._limit(pid, self._wal.stat().st_size)

    def end(self, pid: int) -> None:
        self._limit(pid, resource.RLIM_INFINITY)

    def _limit(self, pid: int, size: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


@pytest.fixture
async def stage(folder):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{folder}/bot.db")


@pytest.fixture(params=[FullDisk, FailingDisk])
def disk(request, folder):
    return request.param(folder)


@pytest.fixture
async def bot(stage, disk):
    """A program on the disk, which ends well."""
    program = await stage.start(under=disk.under)
    await stage.discord.until(lambda: stage.connected)
    yield program
    program.terminate()
    async with asyncio.timeout(30):
        _, log = await program.communicate()
    assert program.returncode == 0, log.decode()


async def logged(program, *words):
    """Wait for a line of the log with all of *words*."""
    async with asyncio.timeout(30):
        while line := (await program.stderr.readline()).decode():
            if all(word in line for word in words):
                return
    raise AssertionError(f"the program ended without a line with {words}")


async def asked(stage, text, answer, **how):
    stage.model.script(Answer(text=answer))
    message = await stage.ask(text, **how)
    await stage.settled(message, answer)


def remembered(stage):
    """What the model was told last."""
    return [text for _, text in stage.prompts()[-1]][1:]


async def test_a_disk_that_takes_nothing_is_told_and_passes(stage, disk, bot) -> None:
    await asked(stage, "one", "One.")

    disk.begin(bot.pid)
    refused = [(await stage.ask(text)).content for text in ("two", "three")]
    await logged(bot, "not stored: channel=", *disk.words)
    disk.end(bot.pid)

    assert refused == [TOLD, TOLD]
    await asked(stage, "four", "Four.")
    assert remembered(stage) == ["one", "One.", "four"]


async def test_an_answer_that_finds_the_disk_full_is_brought_to_its_end_when_there_is_room(
    stage, disk, bot
) -> None:
    gate = Gate()
    stage.model.answer(LONG, gate=gate)
    asking = asyncio.create_task(stage.ask("Why is the sky blue?"))
    gate.let_out(10)
    draft = await asking

    disk.begin(bot.pid)
    gate.open()
    await logged(bot, "waits for the store: ", *disk.words)
    disk.end(bot.pid)

    await stage.settled(draft, LONG)
    await asked(stage, "And at night?", "Black.")
    assert remembered(stage) == ["Why is the sky blue?", LONG, "And at night?"]
    assert len(stage.prompts()) == 2  # the answer that was lost to the disk was not asked for again
    assert [each.content for each in stage.discord.messages(stage.general) if each.author.bot] == [
        LONG,
        DatabaseUnavailable.waiting_message,
        "Black.",
    ]


LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def locked(folder):
    """Another program keeps the database's file to itself."""
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOCK, folder / "bot.db",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert await other.stdout.readline() == b"locked\n"
    yield
    other.stdin.close()
    await other.wait()


def never_patient(monkeypatch):
    """Whoever finds the file locked waits for 50 ms."""
    soon = "busy_timeout = 50"
    monkeypatch.setattr(sqlite, "_PATIENT", soon)
    monkeypatch.setattr(sqlite, "_ON_CONNECT", (soon, *sqlite._ON_CONNECT[1:]))


async def test_a_question_of_which_nobody_could_say_that_it_was_not_stored_is_answered_afterwards(
    stage, folder, monkeypatch, caplog
) -> None:
    never_patient(monkeypatch)
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.1)
    caplog.set_level(logging.INFO)
    async with stage.bot():
        await asked(stage, "one", "One.")
        stage.model.script(Answer(text="Two."))

        async with locked(folder):
            told = await stage.ask("told")
            refusal = stage.discord.faults.add("POST", r"/messages$", status=400, code=50035, times=99)
            untold = await stage.discord.post(stage.general, stage.you, "two")
            await stage.discord.until(lambda: refusal.times < 99)
            async with asyncio.timeout(10):
                while "a sentence could not be said" not in caplog.text:
                    await asyncio.sleep(0)
            refusal.times = 0
        answer = await stage.discord.until(lambda: stage.reply_to(untold))
        await stage.settled(answer, "Two.")

        await asked(stage, "three", "Three.")

    assert told.content == TOLD
    assert remembered(stage) == ["one", "One.", "two", "Two.", "three"]


async def test_a_file_that_another_program_keeps_locked_is_told_and_passes(
    stage, folder, monkeypatch, caplog
) -> None:
    never_patient(monkeypatch)
    async with stage.bot():
        await asked(stage, "one", "One.")

        async with locked(folder):
            refused = [(await stage.ask(text)).content for text in ("two", "three")]

        await asked(stage, "four", "Four.")

    assert refused == [TOLD, TOLD]
    assert remembered(stage) == ["one", "One.", "four"]
    assert "(SQLITE_BUSY): another program has the database's file locked. Close it" in caplog.text


async def test_damage_met_in_one_conversation_is_told_there_and_others_go_on(
    stage, folder, monkeypatch, caplog
) -> None:
    mention = stage.discord.bot_user.mention
    async with stage.bot():
        for n in range(4):
            await asked(stage, f"{mention} question {n} " + "random " * 200, LONG * 15, channel=stage.random)
        await asked(stage, f"{mention} xylophone", LONG * 15, channel=stage.random)
        for n in range(4):
            await asked(stage, f"question {n} " + "general " * 200, LONG * 15)
    damage(folder / "bot.db", b"xylophone")
    monkeypatch.setattr(sqlite, "CHECKED_BYTES", 0)  # as if it were too long to be read through at the start
    caplog.set_level(logging.INFO)

    async with stage.bot():
        await caught_up(caplog)
        told = await stage.ask(f"{mention} and now?", channel=stage.random)
        await asked(stage, "and here?", "All is well.")

    # Where the database has other things to do, the question is stored before its history is read.
    assert told.content in {TOLD, DatabaseUnavailable.waiting_message}
    assert (
        "(SQLITE_CORRUPT): the database's file is damaged. Stop the bot, check the disk and restore" in caplog.text
    )


def damage(path, word):
    """Overwrite the page that has *word*, as a failing disk would."""
    with sqlite3.connect(path) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    page = path.read_bytes().index(word) // size
    with path.open("r+b") as file:
        file.seek(page * size)
        file.write(bytes(size))
