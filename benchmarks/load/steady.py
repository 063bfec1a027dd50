"""Twenty turns a second for minutes: does the bot grow?"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.conductor import Stage
from benchmarks.load.judge import first_and_last_third, percentile
from benchmarks.load.script import Script
from benchmarks.load.table import Line, answers, at_most, refusals, shown
from benchmarks.load.under_load import Asked, confab
from benchmarks.load.watching import sampling

TURNS_PER_SECOND = 20
CHANNELS, PEOPLE = 100, 7  # seven and a hundred have no divisor in common: everybody speaks everywhere
MORE_MEMORY = 1.05  # than in the first third
MORE_FILES = 2  # connections come and go with the answers under way
SCRIPT = Script(pieces=2, gap_seconds=0.2)


async def steady(stage: Stage, folder: Path, *, minutes: float) -> list[Line]:
    channels = await stage.call("channels", count=CHANNELS)
    people = await stage.call("people", count=PEOPLE)
    schedule = [
        Asked(seconds=n / TURNS_PER_SECOND, channel=channels[n % CHANNELS], author=people[n % PEOPLE])
        for n in range(int(minutes * 60 * TURNS_PER_SECOND))
    ]
    async with (
        confab(stage, folder, MODEL_CONCURRENCY=str(2 * TURNS_PER_SECOND)) as bot,
        sampling(bot.pid, every_seconds=1.0) as usage,
    ):
        record = await bot.play(schedule, SCRIPT)
    ended_at = record.ended_at
    took = [ended_at[each.number] - each.sent_at for each in record.questions if each.number in ended_at]
    return [
        *answers(record, SCRIPT),
        refusals(record),
        *_flat("memory, median", usage.memory, statistics.median, lambda first: first * MORE_MEMORY, "MiB"),
        *_flat("open files, median", usage.files, statistics.median, lambda first: first + MORE_FILES, ""),
        *_compared("open files, most", usage.files, max, ""),
        *_compared("question → whole answer, p95", took, lambda values: percentile(values, 95), "s"),
        shown("CPU, of one core", usage.cpu_seconds / (minutes * 60) * 100, unit="%"),
    ]


def _flat(
    title: str,
    values: Sequence[float],
    of: Callable[[Sequence[float]], float],
    allowed: Callable[[float], float],
    unit: str,
) -> list[Line]:
    first, last = map(of, first_and_last_third(values))
    return [
        shown(f"{title} of the first third", first, unit=unit),
        at_most(f"{title} of the last third", last, allowed(first), unit=unit),
    ]


def _compared(
    title: str, values: Sequence[float], of: Callable[[Sequence[float]], float], unit: str
) -> list[Line]:
    first, last = map(of, first_and_last_third(values))
    return [shown(f"{title}, first third", first, unit=unit), shown(f"{title}, last third", last, unit=unit)]
