"""What was used, in lines for the operator's terminal and programs."""

import csv
import io
from collections.abc import Iterator, Sequence
from decimal import Decimal

from bot.core.costs import NANODOLLARS, dollars_in_words
from bot.core.usage import SUMMARIES, By, Used, together

_COLUMNS = ("requests", "answers", "read", "cached", "written", "dollars", "unknown")
_NONE = {By.PERSON: "forgotten", By.SERVER: "direct messages"}


def usage_csv(by: By, used: Sequence[Used]) -> Iterator[str]:
    """Dollars are exact; empty where the cost of no request is known."""
    yield _csv_line(
        [by, "requests", "answers", "input_tokens", "cached_tokens", "output_tokens", "dollars", "unknown"]
    )
    for each in used:
        cost = each.cost_nanodollars
        dollars = "" if cost is None else f"{Decimal(cost) / NANODOLLARS:.9f}"
        yield _csv_line([_name(by, each), *_counts(each), dollars, each.unknown])


def usage_table(by: By, used: Sequence[Used]) -> Iterator[str]:
    """*unknown*: requests of unknown cost."""
    rows = [
        [by.value, *_COLUMNS],
        *([_name(by, each), *_cells(each)] for each in used),
        ["in all", *_cells(together(used))],
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        yield "  ".join(
            [name.ljust(widths[0]), *(cell.rjust(n) for cell, n in zip(cells, widths[1:], strict=True))]
        )


def _cells(used: Used) -> list[str]:
    known = used.cost_nanodollars is not None or not used.requests
    cost = dollars_in_words(used.cost_nanodollars or 0) if known else "?"
    return [*(f"{count:,}" for count in _counts(used)), cost, f"{used.unknown:,}"]


def _counts(used: Used) -> list[int]:
    return [used.requests, used.answers, used.input_tokens, used.cached_tokens, used.output_tokens]


def _name(by: By, used: Used) -> str:
    if by is By.PERSON and used.of == SUMMARIES:
        return "summaries"
    return _NONE.get(by, "") if used.of is None else str(used.of)


def _csv_line(cells: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
