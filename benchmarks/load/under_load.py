"""A program at work on the load stage, and a scenario played to it."""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.conductor import Program, Stage, running
from benchmarks.load.record import Record
from benchmarks.load.script import Script
from benchmarks.load.watching import MEBIBYTE
from bot.storage.turns import open_store

QUIET_SECONDS = 20.0  # longer than an answer takes, and without one that ended: no more will come
UNBOUNDED = dict.fromkeys(
    (
        "MAX_WAITING",
        "MAX_WAITING_PER_PERSON",
        "MAX_WAITING_PER_CHANNEL",
        "MESSAGES_PER_MINUTE_PER_PERSON",
        "MESSAGES_PER_MINUTE_PER_CHANNEL",
    ),
    "0",
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question to be asked so many seconds after the beginning."""

    seconds: float
    channel: int
    author: int
    awaited: bool = True


@dataclass(frozen=True, kw_only=True)
class UnderLoad:
    stage: Stage
    pid: int
    database: Path
    metrics_url: str

    @property
    def memory(self) -> float:
        """MiB at this moment."""
        return psutil.Process(self.pid).memory_info().rss / MEBIBYTE

    async def play(self, schedule: Sequence[Asked], script: Script) -> Record:
        return await play(self.stage, schedule, script)


@asynccontextmanager
async def confab(stage: Stage, folder: Path, **settings: str) -> AsyncIterator[UnderLoad]:
    """The bot with a new database in *folder*, connected; its bounds are off."""
    database = folder / "load.db"
    url = f"sqlite:///{database}"
    async with open_store(url):
        pass  # created, as `running` expects it to be
    port = _free_port()
    environ = UNBOUNDED | {"DATABASE_URL": url, "METRICS_PORT": str(port), "OPENAI_API_KEY": "none"} | settings
    program = Program(name="confab", command=("-m", "bot", "run"), environ=environ)
    async with running(program, stage, folder) as started:
        yield UnderLoad(
            stage=stage, pid=started.pid, database=database, metrics_url=f"http://127.0.0.1:{port}/metrics"
        )


@asynccontextmanager
async def naive(stage: Stage, folder: Path) -> AsyncIterator[None]:
    """The bot of the tutorials, connected."""
    remembered = folder / "histories.json"
    remembered.write_text("{}")
    environ: Mapping[str, str] = {"HISTORIES": str(remembered)}
    program = Program(name="naive", command=("-m", "benchmarks.programs.naive"), environ=environ)
    async with running(program, stage, folder):
        yield


async def play(
    stage: Stage, schedule: Sequence[Asked], script: Script, *, quiet_seconds: float = QUIET_SECONDS
) -> Record:
    """Ask, wait for the answers, and give what the stage saw."""
    entries = [(asked.seconds, asked.channel, asked.author, asked.awaited) for asked in schedule]
    quiet = quiet_seconds + script.seconds
    seen = await stage.call("play", schedule=entries, script=asdict(script), quiet_seconds=quiet)
    return Record.from_json(seen)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
