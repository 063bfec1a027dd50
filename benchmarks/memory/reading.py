"""How long it takes to take a question up with its history, in channels and databases of all sizes."""

import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.database import AUTHOR_ID, fill
from bot.core.messages import ConversationKey, IncomingMessage, Kind, snowflake_at
from bot.storage.turns import open_store

QUESTIONS = 100  # in each channel
HISTORY_TOKENS = 8_000


@dataclass(frozen=True, kw_only=True)
class Reading:
    turns: int  # in the channel
    in_all: int
    median: float  # milliseconds
    p95: float


async def readings(folder: Path, *, channels: tuple[int, ...], elsewhere: tuple[int, ...]) -> list[Reading]:
    """A question is stored and taken up in one transaction; the answer to the one before stands by then."""
    found = []
    for others in elsewhere:
        path = folder / f"{others}.db"
        first = 10**6  # beyond the ids of the channels elsewhere
        await fill(path, {first + turns: turns for turns in channels}, turns_elsewhere=others)
        async with open_store(f"sqlite:///{path}") as store:
            samples: dict[int, list[float]] = {turns: [] for turns in channels}
            for n in range(QUESTIONS):
                for turns, times in samples.items():  # turn about: what else the machine does falls on all alike
                    asked = _question(first + turns, snowflake_at(datetime.now(UTC)) + n)
                    before = time.perf_counter()
                    received = await store.receive(asked, take_up=True, history_tokens=HISTORY_TOKENS)
                    times.append((time.perf_counter() - before) * 1000)
                    if received.taken_up is None or not received.taken_up.history:
                        raise RuntimeError("there was no history in it")
                    await store.write_notice(received.taken_up.answer_id, shown="", code="told")
                    await store.stand(received.taken_up.answer_id)
        path.unlink()
        found += [
            Reading(
                turns=turns,
                in_all=others + sum(channels),
                median=statistics.median(times),
                p95=statistics.quantiles(times, n=20)[-1],
            )
            for turns, times in samples.items()
        ]
    return found


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
