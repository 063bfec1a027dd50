"""Forty answers of 30 s at once: do they grow within Discord's limit, and end as the model wrote them?"""

from pathlib import Path

from benchmarks.conductor import Stage
from benchmarks.load.judge import most_in_any_second, percentile
from benchmarks.load.script import Script
from benchmarks.load.table import Line, answers, at_most, refusals, shown
from benchmarks.load.under_load import Asked, confab

ANSWERS, SECONDS = 40, 30
MOST_REQUESTS = 48  # in any second
SCRIPT = Script(pieces=61, gap_seconds=SECONDS / 60)  # 2,600 characters: each goes on in a second message


async def long_answers(stage: Stage, folder: Path) -> list[Line]:
    channels = await stage.call("channels", count=ANSWERS)
    people = await stage.call("people", count=ANSWERS)
    schedule = [Asked(seconds=0.0, channel=each, author=who) for each, who in zip(channels, people, strict=True)]
    async with confab(stage, folder, MODEL_CONCURRENCY=str(ANSWERS)) as bot:
        record = await bot.play(schedule, SCRIPT)
    ended_at = record.ended_at
    took = [ended_at[number] - at - SECONDS for number, at in record.model_asked.items() if number in ended_at]
    return [
        *answers(record, SCRIPT),
        at_most("most requests in any second", most_in_any_second(record.arrivals), MOST_REQUESTS),
        refusals(record),
        shown("requests for one answer", len(record.requests) / ANSWERS),
        shown("last token → whole text, p95", percentile(took, 95) * 1000, unit="ms"),
    ]
