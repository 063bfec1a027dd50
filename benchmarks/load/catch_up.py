"""5,000 questions over 500 channels while no session is there: the next one is told of none of them."""

import math
from pathlib import Path

from benchmarks.conductor import Stage
from benchmarks.load.judge import DISCORD_PER_SECOND, most_in_any_second
from benchmarks.load.script import Script
from benchmarks.load.table import Line, answers, at_most, refusals, shown
from benchmarks.load.under_load import Asked, confab

MISSED, CHANNELS, AUTHORS = 5_000, 500, 5
MODEL_CONCURRENCY = 200
LONGER = 1.05  # than Discord's limit makes it
READ = "/channels/{channel_id}/messages"
SCRIPT = Script(pieces=1, gap_seconds=0.0)


async def catch_up(stage: Stage, folder: Path) -> list[Line]:
    channels = await stage.call("channels", count=CHANNELS)
    people = await stage.call("people", count=AUTHORS)
    schedule = [  # no two neighbours in a channel are by the same author
        Asked(seconds=0.0, channel=channels[n % CHANNELS], author=people[n // CHANNELS % AUTHORS])
        for n in range(MISSED)
    ]
    async with confab(stage, folder, MODEL_CONCURRENCY=str(MODEL_CONCURRENCY)) as bot:
        await stage.call("end_sessions")  # the next one begins five seconds later
        record = await bot.play(schedule, SCRIPT)
    reads = [each.arrived_at for each in record.requests if (each.method, each.route) == ("GET", READ)]
    ended = max(record.ended_at.values(), default=math.nan)
    requests = [at for at in record.arrivals if at <= ended]
    seconds, least = ended - min(reads, default=math.nan), max(len(requests), 1) / DISCORD_PER_SECOND
    return [
        *answers(record, SCRIPT),
        refusals(record),
        shown("requests that read what was missed", len(reads)),
        shown(
            "first of them → last of them", max(reads, default=math.nan) - min(reads, default=math.nan), unit="s"
        ),
        shown("requests until the last answer stood", len(requests)),
        at_most("first read → the last answer stood", seconds, least * LONGER, unit="s"),
        shown("requests a second", len(requests) / seconds),
        at_most("most requests in any second", most_in_any_second(requests), DISCORD_PER_SECOND),
    ]
