"""500 questions at once against a budget for 50: how many are paid for, and what the others hear."""

import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.conductor import Stage
from benchmarks.load.script import Script
from benchmarks.load.table import Line, at_most, number, refusals, shown
from benchmarks.load.under_load import Asked, confab

CHANNELS, AUTHORS = 100, 5
PAID, AT_LEAST = 50, 45
TOKENS_EACH = 180  # as the model server reports them
LONGEST_ANSWER = 160  # with its prompt, a little more is reserved than is used
SCRIPT = Script(pieces=3, gap_seconds=0.25)


async def budget(stage: Stage, folder: Path) -> list[Line]:
    channels = await stage.call("channels", count=CHANNELS)
    people = await stage.call("people", count=AUTHORS)
    schedule = [Asked(seconds=0.0, channel=channel, author=author) for author in people for channel in channels]
    limits = {"BUDGET_TOTAL_PER_DAY": str(PAID * TOKENS_EACH), "MAX_ANSWER_TOKENS": str(LONGEST_ANSWER)}
    async with confab(stage, folder, **limits) as bot:
        record = await bot.play(schedule, SCRIPT)
        with closing(sqlite3.connect(f"file:{bot.database}?mode=ro", uri=True)) as database:
            (paid,) = database.execute("SELECT count(*) FROM model_calls").fetchone()
    told = [each for each in record.standing if "is used up" in each.text]
    return [
        shown("questions", len(record.questions)),
        at_most("paid for", paid, PAID),
        Line(title="paid for, of 50", figure=number(paid, ""), allowed=f"≥ {AT_LEAST}", kept=paid >= AT_LEAST),
        at_most("neither answered nor told why not", len(record.questions) - paid - len(told), 0),
        refusals(record),
    ]
