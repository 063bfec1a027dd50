"""What is asked of each program, and how often."""

import asyncio
import statistics
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.conductor import Program, Stage, running

IDLE_SECONDS = 3
PAUSE_SECONDS = (
    1.2  # before many answers at once: Discord counts 50 requests in a second, and speed is the subject
)
SECONDS_APART = 0.05  # of the questions for answers at once: the twentieth comes while the first is answered
MEBIBYTE = 2**20


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How many samples: of the way to the model, of single answers, and of rounds of answers at once."""

    requests: int
    answers: int
    rounds: int
    starts: int
    at_once: int = 20
    turns_elsewhere: int = 1_000_000

    @property
    def fresh_channels(self) -> int:
        """How many channels one program needs without history: a channel is asked once."""
        return self.starts + 1 + self.answers + 2 * self.rounds * self.at_once


@dataclass(kw_only=True)
class Figures:
    """One program's medians, by the line of the table; milliseconds, but "memory" in MiB."""

    medians: dict[str, float] = field(default_factory=dict)
    refused: int = 0

    def add(self, line: str, samples: list[float]) -> None:
        self.medians[line] = statistics.median(samples)


@dataclass(frozen=True, kw_only=True)
class Channels:
    """The channels one program will be asked in: without history, and with so many turns of it."""

    fresh: list[int]
    with_turns: dict[int, list[int]]


async def measure(program: Program, stage: Stage, channels: Channels, effort: Effort, folder: Path) -> Figures:
    """Everything in the table, for one program."""
    figures, fresh = Figures(), iter(channels.fresh)
    starts = []
    for _ in range(effort.starts):
        async with running(program, stage, folder) as started:
            starts.append(await _first_request(stage, next(fresh), started.started_at))
    figures.add("start", starts)
    async with running(program, stage, folder) as started:
        await asyncio.sleep(IDLE_SECONDS)
        figures.add("memory", [psutil.Process(started.pid).memory_info().rss / MEBIBYTE])
        await stage.ask([next(fresh)], text="brief")
        await _requests(stage, channels, figures)
        single = [await stage.ask([next(fresh)], text="long") for _ in range(effort.answers)]
        _answers(figures, "1", single)
        for line, seconds_apart in (("many", SECONDS_APART), ("burst", 0.0)):
            rounds = []
            for _ in range(effort.rounds):
                await asyncio.sleep(PAUSE_SECONDS)
                channels_at_once = [next(fresh) for _ in range(effort.at_once)]
                rounds.append(await stage.ask(channels_at_once, text="long", seconds_apart=seconds_apart))
            _answers(figures, line, rounds)
    return figures


async def measure_requests(program: Program, stage: Stage, channels: Channels, folder: Path) -> Figures:
    """The way to the model only."""
    figures = Figures()
    async with running(program, stage, folder):
        await stage.ask([channels.fresh[0]], text="brief")
        await _requests(stage, channels, figures)
    return figures


async def _first_request(stage: Stage, channel: int, started_at: float) -> float:
    (asked,) = await stage.ask([channel], text="brief")
    return (asked["request_at"] - started_at) * 1000


async def _requests(stage: Stage, channels: Channels, figures: Figures) -> None:
    # Turn about, so that whatever else the machine does falls on all alike.
    samples: dict[int, list[float]] = {turns: [] for turns in channels.with_turns}
    for each in zip(*channels.with_turns.values(), strict=True):
        for turns, channel in zip(channels.with_turns, each, strict=True):
            (asked,) = await stage.ask([channel], text="brief")
            history = asked["messages"] - 1  # without the question; some send a system message, too
            if history not in (turns, turns + 1):
                raise RuntimeError(f"{turns} turns were to be sent as history, and {history} were")
            samples[turns].append(asked["request"])
            await asyncio.sleep(0.05)  # the answer is stored after it stands
    for turns, found in samples.items():
        figures.add(f"request {turns}", found)


def _answers(figures: Figures, line: str, rounds: list[list[dict[str, float]]]) -> None:
    answers = [answer for together in rounds for answer in together]
    figures.add(f"first {line}", [answer["first"] for answer in answers])
    figures.add(f"final {line}", [answer["final"] for answer in answers])
    figures.add(f"writes {line}", [answer["writes"] for answer in answers])
    figures.refused += sum(together[0]["refused"] for together in rounds)
