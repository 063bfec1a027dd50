"""`python -m benchmarks`: measures everything in one run and prints one table. See README.md."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.conductor import Program, Stage, open_stage
from benchmarks.database import as_messages, fill, fsync_milliseconds
from benchmarks.imports import import_costs
from benchmarks.load import command as load
from benchmarks.measure import Channels, Effort, Figures, measure, measure_requests
from benchmarks.memory import command as memory
from benchmarks.table import NAIVE, NAIVE_TYPING, OURS, RAW, table

TURNS = (0, 20, 200)
BUSY = 0.5  # load average
FULL = Effort(requests=15, answers=5, rounds=2, starts=3)
QUICK = Effort(requests=5, answers=2, rounds=1, starts=1, turns_elsewhere=20_000)
# One person asks all the questions.
UNBOUNDED = {"MAX_WAITING_PER_PERSON": "0", "MESSAGES_PER_MINUTE_PER_PERSON": "0"}
COMMANDS = {
    RAW: ("-m", "benchmarks.programs.raw"),
    NAIVE: ("-m", "benchmarks.programs.naive"),
    NAIVE_TYPING: ("-m", "benchmarks.programs.naive"),
    OURS: ("-m", "bot", "run"),
}


async def main(arguments: argparse.Namespace) -> int:
    began, effort = time.monotonic(), QUICK if arguments.quick else FULL
    load = os.getloadavg()[0]
    figures: dict[str, Figures] = {}
    crowded = None
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as made:
        folder = Path(made)
        fsync = fsync_milliseconds(folder)
        async with open_stage() as stage:
            for name in arguments.only or COMMANDS:
                print(f"measuring {name} …", file=sys.stderr)
                program, channels = await _prepare(name, stage, effort, folder)
                figures[name] = await measure(program, stage, channels, effort, folder)
            if OURS in figures:
                print(f"measuring {OURS} with {effort.turns_elsewhere:,} turns elsewhere …", file=sys.stderr)
                alone = replace(effort, starts=0, answers=0, rounds=0)
                program, channels = await _prepare(OURS, stage, alone, folder, crowd=effort.turns_elsewhere)
                crowded = await measure_requests(program, stage, channels, folder)
    for line in table(figures, crowded=crowded, fsync=fsync):
        print(line)
    if load > BUSY:
        print(f"\nThe machine was busy when this began (load {load:.1f}): the programs were not measured alike.")
    print(f"\nfsync here: {fsync:.2f} ms. Crowded: {effort.turns_elsewhere:,} turns of other channels.")
    print("\nimport (the bot's order)       ms     MiB")
    for module, milliseconds, mebibytes in import_costs():
        print(f"{module:25} {milliseconds:8.0f} {mebibytes:7.1f}")
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 0


async def _prepare(
    name: str, stage: Stage, effort: Effort, folder: Path, *, crowd: int = 0
) -> tuple[Program, Channels]:
    """The program with its memory filled, and the channels to ask it in."""
    channels = Channels(
        fresh=await stage.call("channels", count=effort.fresh_channels),
        with_turns={turns: await stage.call("channels", count=effort.requests) for turns in TURNS},
    )
    histories = {channel: turns for turns, many in channels.with_turns.items() for channel in many if turns}
    environ = {"HISTORY_TOKENS": "200000", "MODEL_CONCURRENCY": str(effort.at_once), "OPENAI_API_KEY": "none"}
    environ |= UNBOUNDED
    if name == OURS:
        database = folder / f"crowd-of-{crowd}.db"
        await fill(database, histories, turns_elsewhere=crowd)
        environ["DATABASE_URL"] = f"sqlite:///{database}"
    else:
        remembered = folder / "histories.json"
        remembered.write_text(as_messages(histories))
        environ["HISTORIES"] = str(remembered)
    if name == NAIVE_TYPING:
        environ["TYPING"] = "1"
    return Program(name=name, command=COMMANDS[name], environ=environ), channels


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few samples: does it run, and is nothing far off")
    parser.add_argument("--only", action="append", choices=COMMANDS, help="measure this program; may be repeated")
    parser.add_argument("--folder", type=Path, help="where databases are made; its disk is the one measured")
    parser.set_defaults(main=main)
    commands = parser.add_subparsers(title="commands", metavar="")
    under_load = commands.add_parser("load", help="many people at once", description=load.__doc__)
    load.add_arguments(under_load)
    under_load.set_defaults(main=load.main)
    of_memory = commands.add_parser("memory", help="a long conversation, its cost", description=memory.__doc__)
    memory.add_arguments(of_memory)
    of_memory.set_defaults(main=memory.main)
    return parser.parse_args()


arguments = _arguments()
sys.exit(asyncio.run(arguments.main(arguments)))
