"""What is read off the bot's process, its database and its /metrics while it works."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.load.record import Question

SECONDS_BETWEEN_LOOKS = 0.002  # at the database: what is stored is noticed so much too late
MEBIBYTE = 2**20


@dataclass(kw_only=True)
class Usage:
    """Samples of a process: MiB of memory, open files; and the seconds of CPU between the first and the last."""

    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    cpu_seconds: float = 0.0


@asynccontextmanager
async def sampling(pid: int, *, every_seconds: float) -> AsyncIterator[Usage]:
    process, usage = psutil.Process(pid), Usage()
    before = sum(process.cpu_times()[:2])

    async def sample() -> None:
        while True:
            usage.memory.append(process.memory_info().rss / MEBIBYTE)
            usage.files.append(process.num_fds())
            await asyncio.sleep(every_seconds)

    task = asyncio.create_task(sample())
    try:
        yield usage
    finally:
        task.cancel()
        usage.cpu_seconds = sum(process.cpu_times()[:2]) - before


@contextmanager
def noting_stored(database: Path) -> Iterator[dict[int, float]]:
    """When each question was there for another process to read: `time.monotonic()` by message id.

    The connection only reads, so that it does not meet the fault for which the bot lets nobody else write.
    """
    stored: dict[int, float] = {}
    over = threading.Event()

    def look() -> None:
        last = 0
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)) as connection:
            while not over.wait(SECONDS_BETWEEN_LOOKS):
                rows = connection.execute(
                    "SELECT id, message_id FROM turns WHERE id > ? AND role = 'user'", [last]
                ).fetchall()
                now = time.monotonic()
                stored.update((message_id, now) for _, message_id in rows)
                last = max((row_id for row_id, _ in rows), default=last)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield stored
    finally:
        over.set()
        looking.join()


def intakes(questions: Sequence[Question], stored: Mapping[int, float]) -> list[float]:
    """Milliseconds from sending each question to its being stored, of those that were."""
    return [
        (stored[question.message_id] - question.sent_at) * 1000
        for question in questions
        if question.message_id in stored
    ]


async def loop_lag(metrics_url: str) -> dict[float, float]:
    """How often the bot's loop was late by no more than so many seconds, since it started."""
    async with aiohttp.ClientSession() as http, http.get(metrics_url) as response:
        families = text_string_to_metric_families(await response.text())
    return {
        float(sample.labels["le"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "confab_loop_lag_seconds_bucket"
    }


def since(before: Mapping[float, float], after: Mapping[float, float]) -> dict[float, float]:
    return {bound: count - before[bound] for bound, count in after.items()}
