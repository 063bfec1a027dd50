"""`python -m benchmarks load`: plays the scenarios one after the other and prints a table for each."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.conductor import open_stage
from benchmarks.load.burst import burst, yardstick
from benchmarks.load.table import table

SHORT = {"burst": burst, "yardstick": yardstick}
LONG = {}
SCENARIOS = SHORT | LONG


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=SCENARIOS, help="play this scenario; may be repeated")
    parser.add_argument("--folder", type=Path, help="where databases are made")


async def main(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    for name in arguments.only or SHORT:
        print(f"playing {name} …", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as folder:
            async with open_stage("benchmarks.load.stage") as stage:
                lines = await SCENARIOS[name](stage, Path(folder))
        for line in table(name, lines):
            print(line)
        print()
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0
