"""One person sends 500 messages in a minute: do others notice?"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.conductor import Stage
from benchmarks.load.judge import percentile
from benchmarks.load.record import Record
from benchmarks.load.script import Script
from benchmarks.load.table import Line, answers, at_most, refusals, shown
from benchmarks.load.under_load import Asked, confab

SECONDS, WARM_UP_SECONDS = 60.0, 10.0
FLOOD = 500
OTHERS = 20  # people, each in a channel of their own
QUESTIONS_PER_SECOND = 2.0  # of all others together
SLOWER = 1.10
SCRIPT = Script(pieces=5, gap_seconds=0.5)


async def flood(stage: Stage, folder: Path) -> list[Line]:
    channels = await stage.call("channels", count=OTHERS)
    people = await stage.call("people", count=OTHERS)
    (flooded,) = await stage.call("channels", count=1)
    (flooder,) = await stage.call("people", count=1)
    others = list(zip(channels, people, strict=True))
    flooding = [
        Asked(seconds=n * SECONDS / FLOOD, channel=flooded, author=flooder, awaited=False) for n in range(FLOOD)
    ]
    async with confab(stage, folder) as bot:
        await bot.play(_steadily(others, WARM_UP_SECONDS), SCRIPT)
        without = await bot.play(_steadily(others, SECONDS), SCRIPT)
        schedule = sorted(_steadily(others, SECONDS) + flooding, key=lambda asked: asked.seconds)
        beside = await bot.play(schedule, SCRIPT)
    theirs, its = beside.in_channels(channels), beside.in_channels([flooded])
    ordinary, slowed = _seconds_to_the_end(without), _seconds_to_the_end(theirs)
    return [
        *answers(theirs, SCRIPT),
        refusals(beside),
        shown("question → whole answer without, median", percentile(ordinary, 50), unit="s"),
        shown("question → whole answer beside, median", percentile(slowed, 50), unit="s"),
        shown("question → whole answer without, p95", percentile(ordinary, 95), unit="s"),
        at_most(
            "question → whole answer beside, p95",
            percentile(slowed, 95),
            percentile(ordinary, 95) * SLOWER,
            unit="s",
        ),
        shown("messages of the flood", len(its.questions)),
        shown("answers to it until the others had theirs", len(its.ended_at)),
    ]


def _steadily(others: Sequence[tuple[int, int]], seconds: float) -> list[Asked]:
    """Everybody in turn."""
    return [
        Asked(seconds=n / QUESTIONS_PER_SECOND, channel=others[n % OTHERS][0], author=others[n % OTHERS][1])
        for n in range(int(seconds * QUESTIONS_PER_SECOND))
    ]


def _seconds_to_the_end(record: Record) -> list[float]:
    ended_at = record.ended_at
    return [
        ended_at[question.number] - question.sent_at
        for question in record.questions
        if question.number in ended_at
    ]
