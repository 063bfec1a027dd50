"""How long it takes to take a question up with its history, in channels and databases of all sizes."""

import os
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.database import AUTHOR_ID, fill
from bot.core.messages import ConversationKey, IncomingMessage, Kind, snowflake_at
from bot.core.tokens import TokenBudget
from bot.storage.turns import SqlTurnStore, open_store

QUESTIONS = 400  # in each channel: of fewer, single waits for the disk make the 95th percentile
WARM_UP = 20  # before these
HISTORY_TOKENS = 8_000


@dataclass(frozen=True, kw_only=True)
class Reading:
    turns: int  # in the channel
    in_all: int
    median: float  # milliseconds
    p95: float


async def readings(folder: Path, *, channels: tuple[int, ...], elsewhere: tuple[int, ...]) -> list[Reading]:
    """A question is stored and taken up in one transaction; the answer to the one before stands by then.

    All databases and channels are asked turn about: what else the machine does falls on all alike.
    """
    first = 10**6  # beyond the ids of the channels elsewhere
    paths = {others: folder / f"{others}.db" for others in elsewhere}
    for others, path in paths.items():
        await fill(path, {first + turns: turns for turns in channels}, turns_elsewhere=others)
    os.sync()  # else the system writes a gigabyte of them down in between, and every commit waits for that
    samples: dict[tuple[int, int], list[float]] = {
        (turns, others): [] for others in elsewhere for turns in channels
    }
    async with AsyncExitStack() as stack:
        stores = {
            others: await stack.enter_async_context(open_store(f"sqlite:///{path}"))
            for others, path in paths.items()
        }
        for n in range(WARM_UP + QUESTIONS):
            for (turns, others), times in samples.items():
                asked = _question(first + turns, snowflake_at(datetime.now(UTC)) + n)
                seconds = await _take_up(stores[others], asked)
                if n >= WARM_UP:
                    times.append(seconds * 1000)
    return [
        Reading(
            turns=turns,
            in_all=others + sum(channels),
            median=statistics.median(times),
            p95=statistics.quantiles(times, n=20)[-1],
        )
        for (turns, others), times in samples.items()
    ]


async def _take_up(store: SqlTurnStore, asked: IncomingMessage) -> float:
    """How many seconds it took."""
    before = time.perf_counter()
    received = await store.receive(asked, take_up=True, budget=TokenBudget(history_tokens=HISTORY_TOKENS))
    seconds = time.perf_counter() - before
    if received.taken_up is None or not received.taken_up.history:
        raise RuntimeError("there was no history in it")
    await store.write_notice(received.taken_up.answer_id, shown="", code="told")
    await store.stand(received.taken_up.answer_id)
    return seconds


def _question(channel_id: int, message_id: int) -> IncomingMessage:
    return IncomingMessage(
        message_id=message_id + channel_id,
        kind=Kind.MESSAGE,
        key=ConversationKey(channel_id=channel_id),
        guild_id=1,
        parent_id=None,
        author_id=AUTHOR_ID,
        author_name="you",
        text="And why is that?",
        raw_text="And why is that?",
    )
