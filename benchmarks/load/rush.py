"""500 questions within a second over 100 channels: is each on the disk at once?"""

from pathlib import Path

from benchmarks.conductor import Stage
from benchmarks.load.judge import percentile, quantile_of_histogram
from benchmarks.load.script import Script
from benchmarks.load.table import Line, answers, at_most, below, refusals, shown
from benchmarks.load.under_load import Asked, confab
from benchmarks.load.watching import intakes, loop_lag, noting_stored, since

QUESTIONS, CHANNELS, AUTHORS = 500, 100, 5
INTAKE_MILLISECONDS, LAG_MILLISECONDS = 50, 100
SCRIPT = Script(pieces=3, gap_seconds=1.0)


async def rush(stage: Stage, folder: Path) -> list[Line]:
    channels = await stage.call("channels", count=CHANNELS)
    people = await stage.call("people", count=AUTHORS)
    schedule = [
        Asked(seconds=n / QUESTIONS, channel=channels[n % CHANNELS], author=people[n // CHANNELS])
        for n in range(QUESTIONS)
    ]
    async with confab(stage, folder, MODEL_CONCURRENCY=str(CHANNELS)) as bot:
        await bot.play(schedule[:1], SCRIPT)  # a bot's first answer takes longer: libraries set themselves up
        before = await loop_lag(bot.metrics_url)
        with noting_stored(bot.database) as stored:
            record = await bot.play(schedule, SCRIPT)
        lag = since(before, await loop_lag(bot.metrics_url))
    took = intakes(record.questions, stored)
    return [
        *answers(record, SCRIPT),
        refusals(record),
        at_most("not stored", len(record.questions) - len(took), 0),
        shown("sent within", record.questions[-1].sent_at - record.questions[0].sent_at, unit="s"),
        shown("intake, median", percentile(took, 50), unit="ms"),
        below("intake, p99", percentile(took, 99), INTAKE_MILLISECONDS, unit="ms"),
        below("loop lag, p99", quantile_of_histogram(lag, 99) * 1000, LAG_MILLISECONDS, unit="ms"),
    ]
