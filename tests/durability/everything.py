"""`python -m tests.durability.everything`: all scenarios, stories and kills, and one table of what was found.

Some are played at once, each in a process of its own: they mostly wait. The seed makes the same ones again.
"""

import argparse
import asyncio
import logging
import multiprocessing
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from tests.durability import refused_resumes, repeats, resumes, shutdown, soak, state_machine, storm
from tests.durability.checker import Violation
from tests.durability.databases import Databases
from tests.durability.scenario import Play, Played
from tests.durability.scene import scened_anew

COLUMNS = {"lost": "lost", "doubled": "doubled", "disorder": "out of order"}
CHANNELS, WAITING, QUICK_CHANNELS, QUICK_WAITING = 40, 100, 6, 15  # when it is stopped
STORIES_TOGETHER, STEPS = 20, 50
KILLS_TOGETHER, KILL_CHANNELS = 8, 20  # Discord lets a bot begin ten sessions in a row

Found = list[tuple[str, str]]  # invariants that did not hold, and what was seen


@dataclass(frozen=True, kw_only=True)
class Job:
    """*work* says how many times the fault happened, and what was found."""

    fault: str
    work: Callable[[], tuple[int, Found]]


@dataclass(kw_only=True)
class Row:
    """What a fault came to in all its jobs."""

    fault: str
    runs: int = 0
    found: Found = field(default_factory=list)
    seconds: float = 0.0  # of jobs that were at work at the same time: more than passed


def scenario(play: Play, runs: str, seed: int, *, quick: bool) -> tuple[int, Found]:
    """*runs*: the figure of its own that says how many times the fault happened."""

    async def whole() -> Played:
        return await play(random.Random(seed), quick)

    played = asyncio.run(whole())
    return int(played.figures[runs]), _found(played.violations)


def stop(*, quick: bool) -> tuple[int, Found]:
    async def whole() -> shutdown.Stopped:
        async with scened_anew(channels=QUICK_CHANNELS if quick else CHANNELS) as scene:
            return await shutdown.stop_under_load(scene, waiting=QUICK_WAITING if quick else WAITING)

    stopped = asyncio.run(whole())
    found = _found(stopped.violations)
    if stopped.status or stopped.begun:
        found.append(("outcome", f"exit code {stopped.status}, {stopped.begun} begun"))
    return 1, found


def stories(database: str, examples: int, seed: int) -> tuple[int, Found]:
    logging.getLogger().addHandler(logging.NullHandler())  # the bot's, which is in this process here
    with closing(Databases()) as databases:
        state_machine.live(databases, examples=examples, steps=STEPS, database=database, seed=seed)
    return examples, []


def kills(wanted: soak.Slice, count: int) -> tuple[int, Found]:
    done = soak.played(wanted, kills=count)
    return done.kills, [(invariant, what) for invariant, what in done.violations]


def _found(violations: Iterable[Violation]) -> Found:
    return [(violation.invariant, violation.what) for violation in violations]


def jobs(*, killed: int, told: int, seed: int, quick: bool) -> Iterator[Job]:
    """The longest first. *killed*: how many times; *told*: stories."""
    for fault, play, runs in (
        ("repeated, shuffled events (order not judged)", repeats.play, "events"),
        ("refused resumes, 5,000 messages in the last", refused_resumes.play, "refused resumes"),
        ("resumes: cut, closed, op 7, op 9, a zombie", resumes.play, "resumes"),
        ("429s of all kinds", storm.play, "of them 429"),
    ):
        yield Job(fault=fault, work=partial(scenario, play, runs, seed, quick=quick))
    for n, examples in enumerate(_shares(told, STORIES_TOGETHER)):
        database = "postgresql" if n % 3 == 1 else "sqlite"
        yield Job(
            fault=f"stories: edits, deletions, restarts ({database})",
            work=partial(stories, database, examples, seed + n),
        )
    for n, count in enumerate(_shares(killed, KILLS_TOGETHER)):
        database, nonces = "postgresql" if n % 3 == 1 else "sqlite", n % 2 == 0
        yield Job(
            fault=f"kill -9{'' if nonces else ', nonces forgotten'} ({database})",
            work=partial(
                kills, soak.Slice(seed=seed + n, channels=KILL_CHANNELS, nonces=nonces, database=database), count
            ),
        )
    yield Job(fault="SIGTERM, half of the answers never ending", work=partial(stop, quick=quick))


def _shares(whole: int, share: int) -> list[int]:
    return [min(share, whole - begun) for begun in range(0, whole, share)]


def done(job: Job) -> Row:
    began = time.monotonic()
    try:
        runs, found = job.work()
    except Exception as error:  # noqa: BLE001 - a scenario that breaks off has found something, too
        runs, found = 0, [("broke off", "".join(traceback.format_exception(error)))]
    return Row(fault=job.fault, runs=runs, found=found, seconds=time.monotonic() - began)


def done_at_once(wanted: Iterable[Job], *, at_once: int) -> Iterator[Row]:
    with ProcessPoolExecutor(at_once, mp_context=multiprocessing.get_context("spawn")) as processes:
        for ended in as_completed([processes.submit(done, job) for job in wanted]):
            yield ended.result()


def table(rows: Iterable[Row]) -> str:
    """A line for each fault, under a heading."""
    added: dict[str, Row] = {}
    for row in rows:
        whole = added.setdefault(row.fault, Row(fault=row.fault))
        whole.runs += row.runs
        whole.found += row.found
        whole.seconds += row.seconds
    lines = [f"{'fault':46}" + "".join(f"{each:>13}" for each in ("runs", *COLUMNS.values(), "else", "seconds"))]
    for row in added.values():
        counts = Counter(invariant for invariant, _ in row.found)
        figures = [row.runs, *(counts.pop(each, 0) for each in COLUMNS), counts.total(), round(row.seconds)]
        lines.append(f"{row.fault:46}" + "".join(f"{figure:>13,}" for figure in figures))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.durability.everything")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--stories", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="the other scenarios small")
    parser.add_argument("--at-once", type=int, default=3, metavar="N", help="jobs")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    wanted = parser.parse_args()
    print(f"seed {wanted.seed}", flush=True)
    began, rows = time.monotonic(), []
    todo = jobs(killed=wanted.kills, told=wanted.stories, seed=wanted.seed, quick=wanted.quick)
    for row in done_at_once(todo, at_once=wanted.at_once):
        rows.append(row)
        print(
            f"{time.monotonic() - began:6.0f} s  {row.fault}: {row.runs:,}, {len(row.found)} violations",
            flush=True,
        )
        for invariant, what in row.found:
            print(f"  {invariant}: {what}", flush=True)
    print(table(rows))
    return 1 if any(row.found for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
