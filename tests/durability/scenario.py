"""What scenarios share: the line that each prints, its violations above it, and its exit status."""

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.durability.checker import Violation


@dataclass(frozen=True, kw_only=True)
class Played:
    """*figures* in the order in which they are told, each by its unit."""

    figures: Mapping[str, float]
    violations: Sequence[Violation]


Play = Callable[[random.Random, bool], Awaitable[Played]]  # *quick* or not


def run(name: str, play: Play) -> int:
    """Play it as the command line says."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.durability.{name}")
    parser.add_argument("--quick", action="store_true", help="small, in some seconds")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began = time.monotonic()
    played = asyncio.run(play(random.Random(wanted.seed), wanted.quick))
    for violation in played.violations:
        print(f"  {violation.invariant}: {violation.what}")
    print(told(name, played, seconds=time.monotonic() - began))
    return 1 if played.violations else 0


def told(name: str, played: Played, *, seconds: float) -> str:
    figures = ", ".join(f"{value:,.10g} {unit}" for unit, value in played.figures.items())
    return f"{name}: {figures}, {len(played.violations)} violations, {seconds:.0f} s"
