"""What may be told: texts without secrets, and exceptions without what they quote.

Libraries quote what they were given in their exceptions. So a foreign one is told by its type, place and codes,
never by its text.
"""

import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bot.core.errors import BotError

# A bot token is base64(application id).time.signature; Discord reference, "Authentication".
_BOT_TOKEN = r"[\w-]{18,}\.[\w-]{6}\.[\w-]{25,}"  # noqa: S105 - the shape of a token, not one
_API_KEY = r"\bsk-[\w-]{8,}"
_CREDENTIALS = re.compile(f"{_BOT_TOKEN}|{_API_KEY}")
_REDACTIONS = (
    (re.compile(r"(?i)\b(bearer|authorization\W+bot)\s+\S+"), r"\1 [secret]"),
    (re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/\s?'\"]+"), r"\1[secret]"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]*):\S*@"), r"\1:[secret]@"),
    (_CREDENTIALS, "[secret]"),
)
_SHORTEST_SECRET = 6  # a shorter one, such as a local server's key "x", would blot out ordinary words

# What may be told of a foreign exception: numbers and identifiers, where its class has them.
_CODES = ("status", "status_code", "code", "request_id", "sqlstate", "sqlite_errorname")
_IDENTIFIER = re.compile(r"[\w.:-]{1,40}")

_OUR_FILES = str(Path(__file__).parent) + os.sep


def holds_secret(text: str) -> bool:
    """Whether *text* contains what has the shape of a bot token or an API key."""
    return _CREDENTIALS.search(text) is not None


def redactor(secrets: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that replaces secrets in a text, by their shape and by these exact values."""
    long_enough = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    known = sorted(map(re.escape, long_enough), key=len, reverse=True)
    exact = re.compile("|".join(known)) if known else None

    def redact(text: str) -> str:
        if exact:
            text = exact.sub("[secret]", text)
        for shape, replacement in _REDACTIONS:
            text = shape.sub(replacement, text)
        return text

    return redact


def describe(error: BaseException) -> str:
    """An exception in one line: its type and codes, and its text only where that is ours or Python's own."""
    numbers = ", ".join(f"{code}={value}" for code, value in codes(error))
    numbers = f" ({numbers})" if numbers else ""
    text = safe_text(error)
    return type_name(error) + numbers + (f": {text}" if text else "")


def type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def safe_text(error: BaseException) -> str:
    """Of ours; or of a TypeError out of our code, by which Python names types and parameters but no values."""
    if type(error) is TypeError and error.__traceback__:
        *_, (innermost, _line) = traceback.walk_tb(error.__traceback__)
        return str(error) if innermost.f_code.co_filename.startswith(_OUR_FILES) else ""
    return str(error) if isinstance(error, BotError) else ""


def codes(error: BaseException) -> Iterator[tuple[str, int | str]]:
    """The numbers and identifiers of a foreign exception, by name."""
    if isinstance(error, BotError):
        return
    if isinstance(error, OSError) and isinstance(error.errno, int):
        yield "errno", f"{error.errno} {os.strerror(error.errno)}"
    if isinstance(error, AttributeError | NameError | ImportError) and error.name:
        yield "name", error.name
    for code in _CODES:
        value = getattr(error, code, None)
        if isinstance(value, int) or (isinstance(value, str) and _IDENTIFIER.fullmatch(value)):
            yield code, value
