"""`python -m benchmarks load`: plays the scenarios one after the other and prints a table for each.

Its exit status is 1 if anything was OVER what is allowed.
"""

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
from benchmarks.load.table import Line, all_within, table

SHORT = ("burst", "yardstick", "rush", "long", "budget")
LONG = ("catch-up", "flood", "steady")
MINUTES = 10.0
Scenario = Callable[[Stage, Path], Awaitable[list[Line]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        action="append",
        choices=SHORT + LONG,
        help=f"play this scenario; may be repeated (default: {', '.join(SHORT)})",
    )
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help="how long steady lasts (default: %(default)g)"
    )
    parser.add_argument("--folder", type=Path, help="where databases are made")


async def main(arguments: argparse.Namespace) -> int:
    began, all_kept = time.monotonic(), True
    scenarios: dict[str, Scenario] = {
        "burst": burst,
        "yardstick": yardstick,
        "rush": rush,
        "long": long_answers,
        "budget": budget,
        "catch-up": catch_up,
        "flood": flood,
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
        all_kept = all_kept and all_within(lines)
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if all_kept else 1
