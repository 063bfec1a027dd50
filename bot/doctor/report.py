"""Findings as people and programs read them: lines of a terminal, or one JSON object. Never a secret."""

import json
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from bot.core.findings import Finding, State

WIDTH = 80
_STATE_WIDTH, _CHECK_WIDTH = 9, 13
_INDENT = " " * (_STATE_WIDTH + _CHECK_WIDTH)
_MOST_NAMES = 12

Redact = Callable[[str], str]


def as_json(findings: Sequence[Finding], redact: Redact) -> str:
    return json.dumps({"findings": [asdict(_redacted(each, redact)) for each in findings]}, indent=2)


def as_lines(alike: Sequence[Finding], redact: Redact) -> list[str]:
    """The lines that findings of one likeness share."""
    first = _redacted(alike[0], redact)
    label = f"{first.state:{_STATE_WIDTH}}{first.check:{_CHECK_WIDTH}}"
    lines = _wrapped(f"{redact(_subjects(alike))}: {first.detail}", begin=label, go_on=_INDENT)
    return lines + (_wrapped(first.cure, begin=f"{_INDENT}→ ", go_on=f"{_INDENT}  ") if first.cure else [])


def likeness(finding: Finding) -> tuple[str, ...]:
    """The same for channels of one server in which the same was found."""
    server, parted, _ = finding.subject.rpartition(" / ")
    return finding.check, finding.state, finding.detail, finding.cure, server if parted else finding.subject


def summary(findings: Sequence[Finding]) -> str:
    counted = Counter(finding.state for finding in findings)
    if not counted[State.WRONG] and not counted[State.WARNING]:
        return "All is well."
    warnings = f"{counted[State.WARNING]} warning" + "s" * (counted[State.WARNING] != 1)
    return f"{counted[State.WRONG]} wrong, {warnings}."


def _redacted(finding: Finding, redact: Redact) -> Finding:
    return replace(
        finding, subject=redact(finding.subject), detail=redact(finding.detail), cure=redact(finding.cure)
    )


def _subjects(alike: Sequence[Finding]) -> str:
    names = [alike[0].subject, *(each.subject.rpartition(" / ")[2] for each in alike[1:])]
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _wrapped(text: str, *, begin: str, go_on: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=begin,
        subsequent_indent=go_on,
        break_long_words=False,  # an address must stay whole
        break_on_hyphens=False,
    )
