"""What a check-up finds: how one thing stands, and the cure where it does not stand well."""

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.core.errors import StartupRefused

_BETWEEN_SENTENCES = re.compile(r"\. (?=[A-Z])")


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"  # the bot works, and something that was asked for or is usual does not
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """*check* is the kind of examination, *subject* what was examined, a channel behind its server and " / "."""

    check: str
    subject: str
    state: State
    detail: str
    cure: str = ""


def ok(check: str, subject: str, detail: str) -> Finding:
    return Finding(check=check, subject=subject, state=State.OK, detail=detail)


def warning(check: str, subject: str, detail: str, cure: str) -> Finding:
    return Finding(check=check, subject=subject, state=State.WARNING, detail=detail, cure=cure)


def wrong(check: str, subject: str, detail: str, cure: str) -> Finding:
    return Finding(check=check, subject=subject, state=State.WRONG, detail=detail, cure=cure)


def refused(check: str, subject: str, refusal: StartupRefused) -> Finding:
    """What the bot would not start with: the refusal's first sentence is the fault, the rest is the cure."""
    fault, *cure = _BETWEEN_SENTENCES.split(str(refusal), maxsplit=1)
    return wrong(check, subject, fault.removeprefix(subject).strip(" ."), "".join(cure))
