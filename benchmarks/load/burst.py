"""1,000 messages at once over 200 channels, to confab and, as the yardstick, to a client without a pacer.

Confab is asked 100 more meanwhile, one after the other: the burst must not keep others from being heard.
"""

import asyncio
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.conductor import Stage
from benchmarks.load.judge import (
    DISCORD_PER_SECOND,
    judge,
    most_in_any_second,
    percentile,
    quantile_of_histogram,
)
from benchmarks.load.record import Record
from benchmarks.load.script import Script
from benchmarks.load.table import Line, answers, at_most, below, number, refusals, shown
from benchmarks.load.under_load import Asked, confab, naive, play
from benchmarks.load.watching import intakes, loop_lag, noting_stored, sampling, since

CHANNELS, AUTHORS = 200, 5
LATER, LATER_FROM_SECOND, SECONDS_BETWEEN_LATER = 100, 1.0, 0.15
IDLE_SECONDS = 10
LONGER = 1.05  # than Discord's limit makes it
MEMORY_RATIO = 1.5
SECONDS_AFTER_REFUSALS = 5.0  # without an answer that ended: the rest was given up
INTAKE_MILLISECONDS, LAG_MILLISECONDS = 50, 100
SCRIPT = Script(pieces=3, gap_seconds=0.25)


async def burst(stage: Stage, folder: Path) -> list[Line]:
    schedule = await _at_once(stage) + await _later(stage)
    async with confab(stage, folder, MODEL_CONCURRENCY=str(CHANNELS)) as bot:
        await asyncio.sleep(IDLE_SECONDS)
        idle = bot.memory
        lag_before = await loop_lag(bot.metrics_url)
        async with sampling(bot.pid, every_seconds=0.05) as usage:
            with noting_stored(bot.database) as stored:
                record = await bot.play(schedule, SCRIPT)
        lag = since(lag_before, await loop_lag(bot.metrics_url))
    return [
        *answers(record, SCRIPT),
        refusals(record),
        *_duration(record),
        below("peak memory ÷ memory when idle", max(usage.memory) / idle, MEMORY_RATIO),
        shown("memory when idle", idle, unit="MiB"),
        *_intake(record, stored),
        below("loop lag, p99", quantile_of_histogram(lag, 99) * 1000, LAG_MILLISECONDS, unit="ms"),
        shown("CPU", usage.cpu_seconds, unit="s"),
    ]


async def yardstick(stage: Stage, folder: Path) -> list[Line]:
    schedule = await _at_once(stage)
    async with naive(stage, folder):
        record = await play(stage, schedule, SCRIPT, quiet_seconds=SECONDS_AFTER_REFUSALS)
    answered = len(record.questions) - len(judge(record, SCRIPT.text_of).unanswered)
    return [
        Line(
            title="requests refused with 429: the limits are enforced",
            figure=number(record.refused, ""),
            allowed="> 0",
            kept=record.refused > 0,
        ),
        shown("questions with an answer, of 1,000", answered),
        shown("answers that ended", len(record.ended_at)),
    ]


async def _at_once(stage: Stage) -> list[Asked]:
    """Every channel's five people, one after the other: no two neighbours are by the same author."""
    channels = await stage.call("channels", count=CHANNELS)
    people = await stage.call("people", count=AUTHORS)
    return [Asked(seconds=0.0, channel=channel, author=author) for author in people for channel in channels]


async def _later(stage: Stage) -> list[Asked]:
    """Each in a channel of its own."""
    channels = await stage.call("channels", count=LATER)
    people = await stage.call("people", count=LATER)
    return [
        Asked(seconds=LATER_FROM_SECOND + n * SECONDS_BETWEEN_LATER, channel=channel, author=author)
        for n, (channel, author) in enumerate(zip(channels, people, strict=True))
    ]


def _duration(record: Record) -> Iterator[Line]:
    began, ended = record.questions[0].sent_at, max(record.ended_at.values(), default=math.nan)
    requests = [at for at in record.arrivals if at <= ended]
    seconds, least = ended - began, max(len(requests), 1) / DISCORD_PER_SECOND
    yield shown("requests until the last answer stood", len(requests))
    yield shown("requests for one answer", len(requests) / len(record.questions))
    yield shown("most requests in any second", most_in_any_second(requests))
    yield at_most("time until the last answer stood", seconds, least * LONGER, unit="s")
    yield shown("that ÷ (requests ÷ 50 a second)", seconds / least)


def _intake(record: Record, stored: Mapping[int, float]) -> Iterator[Line]:
    asked = record.questions[:-LATER]
    at_once, later = intakes(asked, stored), intakes(record.questions[-LATER:], stored)
    yield at_most("questions not stored", len(record.questions) - len(at_once) - len(later), 0)
    yield shown("the 1,000 were sent within", asked[-1].sent_at - asked[0].sent_at, unit="s")
    yield shown("their intake, median", percentile(at_once, 50), unit="ms")
    yield shown("their intake, p99", percentile(at_once, 99), unit="ms")
    yield shown("intake of the later ones, median", percentile(later, 50), unit="ms")
    yield below("intake of the later ones, p99", percentile(later, 99), INTAKE_MILLISECONDS, unit="ms")
