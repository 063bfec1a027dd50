"""`python -m tests.durability.soak`: kills at random moments under load, and what the checker says to each slice.

A slice is a new Discord and a new database: its bot is killed so many times while people go on asking, and is
left alone at the end. Slices are made from their seed, and their totals are appended to a file, so that a soak
can be stopped and gone on with. 0 failures in n kills bound the chance of one at 3/n, with 95 % confidence.
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import count, islice
from pathlib import Path

from tests.durability.databases import Databases
from tests.durability.scene import ended, scened, stopped

LONGEST_LIFE = 2.0  # seconds between a bot's start and its kill: most die at work, some while they start
FORGETFUL_SECONDS = 0.5  # shorter than any start; two requests under way at once are still made one message
RULE_OF_THREE = 3.0


@dataclass(kw_only=True)
class Slice:
    seed: int
    channels: int
    nonces: bool  # Discord knows them again after a kill
    database: str = "sqlite"
    kills: int = 0
    questions: int = 0
    violations: list[Sequence[str]] = field(default_factory=list)  # invariant, and what was seen
    seconds: float = 0.0


async def play(done: Slice, database_url: str, *, kills: int) -> None:
    """Kill a new bot so many times; *done* is told how it went."""
    chance = random.Random(done.seed)
    began = time.monotonic()
    async with scened(database_url, channels=done.channels) as scene:
        scene.gap = 0.01
        if not done.nonces:
            scene.stage.discord.nonce_seconds = FORGETFUL_SECONDS
        program = await scene.start()
        await scene.connected(program)  # what is said before a bot's first run is none of its business
        asking = asyncio.create_task(scene.keep_asking(chance))
        for n in range(kills):
            if n > 0:
                program = await scene.start()
            await asyncio.sleep(chance.uniform(0.3, LONGEST_LIFE))
            program.kill()
            await ended(program)
            done.kills += 1
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        program = await scene.start()
        await scene.connected(program)
        await scene.closed_with_a_question()  # which waits for what was missed before it
        await scene.at_rest()
        await stopped(program)
        done.questions = scene.asked
        done.violations = [(found.invariant, found.what) for found in await scene.violations()]
    done.seconds = round(time.monotonic() - began, 1)


def played(wanted: Slice, *, kills: int) -> Slice:
    """The same with how it went, on a database of its own."""
    with closing(Databases()) as databases, databases.new(wanted.database) as database_url:
        asyncio.run(play(wanted, database_url, kills=kills))
    return wanted


def report(slices: list[Slice]) -> str:
    kills, questions = sum(each.kills for each in slices), sum(each.questions for each in slices)
    failures = Counter(invariant for each in slices for invariant, _ in each.violations)
    words = f"{len(slices)} slices, {kills} kills, {questions} questions: "
    if failures:
        return words + ", ".join(f"{count} {invariant}" for invariant, count in sorted(failures.items()))
    return words + f"0 violations; less than {RULE_OF_THREE / max(kills, 1):.2%} of kills at 95 %"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.durability.soak")
    parser.add_argument("--kills", type=int, default=300, help="in all")
    parser.add_argument("--per-slice", type=int, default=8, help="Discord lets a bot begin 10 sessions in a row")
    parser.add_argument("--at-once", type=int, default=3, metavar="N", help="slices")
    parser.add_argument("--channels", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the first slice")
    parser.add_argument(
        "--postgresql-every", type=int, default=3, metavar="N", help="slices; the others are on SQLite. 0: none"
    )
    parser.add_argument("--totals", type=Path, help="a file of slices, to go on with and to append to")
    wanted = parser.parse_args()
    slices = []
    if wanted.totals and wanted.totals.exists():
        slices = [Slice(**json.loads(line)) for line in wanted.totals.read_text().splitlines()]
    known = {each.seed for each in slices}
    new_seeds = (seed for seed in count(wanted.seed) if seed not in known)
    seeds = list(islice(new_seeds, math.ceil(wanted.kills / wanted.per_slice)))
    for done in _played_at_once([_slice(seed, wanted) for seed in seeds], wanted):
        slices.append(done)
        if wanted.totals:
            with wanted.totals.open("a") as totals:
                totals.write(json.dumps(asdict(done)) + "\n")
        for invariant, what in done.violations:
            print(f"  {invariant}: {what}")
        print(
            f"slice {done.seed}, {done.database}: {done.kills} kills, {done.questions} questions, "
            f"{len(done.violations)} violations, {done.seconds} s",
            flush=True,
        )
    print(report(slices))
    return 1 if any(each.violations for each in slices) else 0


def _played_at_once(slices: list[Slice], wanted: argparse.Namespace) -> Iterator[Slice]:
    """A slice mostly waits, for a bot to start or for everything to come to rest: each has its own process."""
    anew = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(wanted.at_once, mp_context=anew) as processes:
        for done in as_completed([processes.submit(played, each, kills=wanted.per_slice) for each in slices]):
            yield done.result()


def _slice(seed: int, wanted: argparse.Namespace) -> Slice:
    on_postgresql = wanted.postgresql_every > 0 and seed % wanted.postgresql_every == 0
    return Slice(
        seed=seed,
        channels=wanted.channels,
        nonces=seed % 2 == 0,
        database="postgresql" if on_postgresql else "sqlite",
    )


if __name__ == "__main__":
    raise SystemExit(main())
