"""The table: one line a claim, each program's median, what is allowed, and whether ours keeps to it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.measure import Figures
from benchmarks.model_stream import LATENCY_SECONDS

RAW, NAIVE, NAIVE_TYPING, OURS = "raw", "naive", "naive, typing", "confab"
FSYNCS_ALLOWED = 8
MORE_MS_TO_THE_MODEL = 5.0
MORE_MS_TO_THE_CHANNEL = 10.0
LONG_HISTORY_RATIO = 1.3


@dataclass(frozen=True, kw_only=True)
class Line:
    """*allowed* says the most that ours may take, from everything measured; None: shown, not judged."""

    title: str
    figure: str
    allowed: Callable[[Mapping[str, Figures], float], float] | None = None


def _request(turns: str) -> Callable[[Mapping[str, Figures], float], float]:
    def allowed(figures: Mapping[str, Figures], fsync: float) -> float:
        most = figures[RAW].medians[f"request {turns}"] + FSYNCS_ALLOWED * fsync + MORE_MS_TO_THE_MODEL
        if turns == "200":
            most = min(most, LONG_HISTORY_RATIO * figures[OURS].medians["request 0"])
        return most

    return allowed


def _shown(figure: str, more: float) -> Callable[[Mapping[str, Figures], float], float]:
    return lambda figures, _fsync: figures[RAW].medians[figure] + more


_TO_FIRST = MORE_MS_TO_THE_CHANNEL
_TO_FINAL = MORE_MS_TO_THE_CHANNEL + LATENCY_SECONDS * 1000  # the round trip of an edit under way
LINES = (
    Line(title="event → model request, 0 turns", figure="request 0", allowed=_request("0")),
    Line(title="event → model request, 20 turns", figure="request 20", allowed=_request("20")),
    Line(title="event → model request, 200 turns", figure="request 200", allowed=_request("200")),
    Line(title="token → first text, 1 answer", figure="first 1", allowed=_shown("first 1", _TO_FIRST)),
    Line(title="token → first text, 20 answers", figure="first many", allowed=_shown("first many", _TO_FIRST)),
    Line(
        title="token → first text, 20 in a burst", figure="first burst", allowed=_shown("first burst", _TO_FIRST)
    ),
    Line(title="last token → final text, 1 answer", figure="final 1", allowed=_shown("final 1", _TO_FINAL)),
    Line(
        title="last token → final text, 20 answers", figure="final many", allowed=_shown("final many", _TO_FINAL)
    ),
    Line(
        title="last token → final text, 20 in a burst",
        figure="final burst",
        allowed=_shown("final burst", _TO_FINAL),
    ),
    Line(title="writes for one answer", figure="writes 1"),
    Line(title="start → first model request", figure="start"),
    Line(title="memory when idle, MiB", figure="memory"),
)


def table(figures: Mapping[str, Figures], *, crowded: Figures | None, fsync: float) -> Iterator[str]:
    """Lines of text. *crowded*: ours with many turns elsewhere in its database."""
    programs = [name for name in (RAW, NAIVE, NAIVE_TYPING, OURS) if name in figures]
    yield _row("median, milliseconds", *programs, "allowed", "", f"{OURS}/{RAW}")
    for line in LINES:
        values = [figures[name].medians[line.figure] for name in programs]
        allowed = line.allowed(figures, fsync) if line.allowed and OURS in figures else None
        yield _row(line.title, *map(_number, values), *_judged(figures, line.figure, allowed))
    if crowded and OURS in figures:
        for turns in ("0", "20", "200"):
            value = crowded.medians[f"request {turns}"]
            allowed = _request(turns)({**figures, OURS: crowded}, fsync)
            cells = ["" for name in programs if name != OURS]
            title = f"event → model request, {turns} turns, crowded"
            yield _row(title, *cells, _number(value), *_verdict(value, allowed), "")
    yield _row("requests refused with 429", *(str(figures[name].refused) for name in programs), "", "", "")


def _judged(figures: Mapping[str, Figures], figure: str, allowed: float | None) -> tuple[str, str, str]:
    if OURS not in figures:
        return ("", "", "")
    ours = figures[OURS].medians[figure]
    ratio = f"{ours / figures[RAW].medians[figure]:.2f}" if figures[RAW].medians[figure] > 0 else ""
    return (*(_verdict(ours, allowed) if allowed is not None else ("", "")), ratio)


def _verdict(value: float, allowed: float) -> tuple[str, str]:
    return _number(allowed), "ok" if value <= allowed else "OVER"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _row(title: str, *cells: str) -> str:
    return f"{title:45}" + "".join(f"{cell:>15}" for cell in cells)
