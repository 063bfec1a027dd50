"""`python -m benchmarks memory`: what 300 turns in one channel cost, and how long reading a history takes."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.memory.cost import HISTORY_TOKENS, TURNS, Line, confab, naive, sliding
from benchmarks.memory.reading import readings

CHANNELS = (100, 1_000, 10_000)
ELSEWHERE = (10_000, 1_000_000)
ELSEWHERE_QUICK = (10_000, 100_000)
LEAST_SHARE = 0.9
FLAT = 1.3  # times the smallest
NOISE_MS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="100,000 turns elsewhere instead of a million")
    parser.add_argument("--folder", type=Path, help="where databases are made")


async def main(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as made:
        folder = Path(made)
        ours = [await confab(folder, summaries=summaries) for summaries in (True, False)]
        for line in cost_table([*ours, naive(), sliding()]):
            print(line)
        print("\nreading …", file=sys.stderr)
        elsewhere = ELSEWHERE_QUICK if arguments.quick else ELSEWHERE
        found = await readings(folder, channels=CHANNELS, elsewhere=elsewhere)
    least = min(reading.p95 for reading in found)
    print("\nturns in the channel   in the database   median ms   p95 ms")
    for reading in found:
        verdict = "ok" if reading.p95 <= least * FLAT + NOISE_MS else "OVER"
        print(f"{reading.turns:20,} {reading.in_all:17,} {reading.median:11.2f} {reading.p95:8.2f}  {verdict}")
    return 0


def cost_table(lines: list[Line]) -> list[str]:
    """Input tokens for each turn, as they are and as they are paid for."""
    rows = [
        f"{TURNS} turns, HISTORY_TOKENS={HISTORY_TOKENS}; input tokens a turn, summaries included",
        "",
        "                        tokens   cached   moves   paid, cached at 50 %   at 10 %   of it for summaries",
    ]
    for line in lines:
        answers, summaries = line.answers, line.summaries
        paid = {price: (answers.cost(price) + summaries.cost(price)) / TURNS for price in (0.5, 0.1)}
        tokens = (answers.tokens + summaries.tokens) / TURNS
        moves = "-" if line.moves is None else str(line.moves)
        rows.append(
            f"{line.name:22} {tokens:8,.0f} {answers.cached / answers.tokens:8.1%} {moves:>7} {paid[0.5]:22,.0f}"
            f" {paid[0.1]:9,.0f} {summaries.cost(0.1) / TURNS:21,.0f}"
        )
    share = lines[0].answers.cached / lines[0].answers.tokens
    rows += ["", f"cached share of confab's prompts: {'ok' if share >= LEAST_SHARE else 'UNDER'} (at least 90 %)"]
    return rows
