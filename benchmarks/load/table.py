"""One line a figure: what was measured, what is allowed, and whether that was kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.load.judge import judge
from benchmarks.load.record import Record
from benchmarks.load.script import Script


@dataclass(frozen=True, kw_only=True)
class Line:
    """*allowed* in words; *kept* None: shown, not judged."""

    title: str
    figure: str
    allowed: str = ""
    kept: bool | None = None

    @property
    def verdict(self) -> str:
        return "" if self.kept is None else "ok" if self.kept else "OVER"


def answers(record: Record, script: Script) -> Iterator[Line]:
    """Whether everybody got their answer."""
    verdict = judge(record, script.text_of)
    yield shown("questions", len(record.questions))
    yield at_most("not answered", len(verdict.unanswered), 0)
    yield at_most("answered twice", len(verdict.doubled), 0)
    yield at_most("messages that answer no question", len(verdict.stray), 0)
    yield at_most("out of order", len(verdict.out_of_order), 0)
    yield at_most("with another text than the model's", len(verdict.inexact), 0)


def refusals(record: Record) -> Line:
    return at_most("requests refused with 429", record.refused, 0)


def at_most(title: str, value: float, most: float, *, unit: str = "") -> Line:
    return Line(title=title, figure=number(value, unit), allowed=f"≤ {number(most, unit)}", kept=value <= most)


def below(title: str, value: float, limit: float, *, unit: str = "") -> Line:
    return Line(title=title, figure=number(value, unit), allowed=f"< {number(limit, unit)}", kept=value < limit)


def shown(title: str, value: float, *, unit: str = "") -> Line:
    return Line(title=title, figure=number(value, unit))


def all_within(lines: Iterable[Line]) -> bool:
    """Whether nothing was over what is allowed."""
    return all(line.kept is not False for line in lines)


def table(scenario: str, lines: Iterable[Line]) -> Iterator[str]:
    yield _row(scenario, "measured", "allowed", "")
    for line in lines:
        yield _row(f"  {line.title}", line.figure, line.allowed, line.verdict)


def number(value: float, unit: str) -> str:
    if value >= 100 or float(value).is_integer():
        short = f"{value:,.0f}"
    else:
        short = f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{short} {unit}".rstrip()


def _row(title: str, *cells: str) -> str:
    return f"{title:60}" + "".join(f"{cell:>14}" for cell in cells)
