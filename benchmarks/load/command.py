"""`python -m benchmarks load`: plays the scenarios one after the other and prints a table for each."""

import argparse
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from benchmarks.conductor import Stage, open_stage
from benchmarks.load.budget import budget
from benchmarks.load.burst import burst, yardstick
from benchmarks.load.catch_up import catch_up
from benchmarks.load.flood import flood
from benchmarks.load.long_answers import long_answers
from benchmarks.load.rush import rush
from benchmarks.load.steady import steady
from benchmarks.load.table import Line, table

SHORT = ("burst", "yardstick", "rush", "long")
LONG = ("catch-up", "flood", "budget", "steady")
MINUTES = 10.0
Scenario = Callable[[Stage, Path], Awaitable[list[Line]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only", action="append", choices=SHORT + LONG, help="play this scenario; may be repeated"
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long steady lasts")
    parser.add_argument("--folder", type=Path, help="where databases are made")


async def main(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    scenarios: dict[str, Scenario] = {
        "burst": burst,
        "yardstick": yardstick,
        "rush": rush,
        "long": long_answers,
        "catch-up": catch_up,
        "flood": flood,
        "budget": budget,
        "steady": partial(steady, minutes=arguments.minutes),
    }
    for name in arguments.only or SHORT:
        print(f"playing {name} …", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as folder:
            async with open_stage("benchmarks.load.stage") as stage:
                lines = await scenarios[name](stage, Path(folder))
        for line in table(name, lines):
            print(line)
        print()
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0
