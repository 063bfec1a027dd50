"""No secret and no message text reaches the log, at any level and from whichever library.

Libraries write whole requests, gateway events and SQL parameters at DEBUG, and quote what they were given in
their exceptions. So LOG_LEVEL moves our own loggers only, and a foreign exception is told by its type, place
and codes, never by its text.
"""

import contextlib
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from bot.core.errors import BotError

# At INFO these say something for every request, or every statement with its parameters.
_QUIET_LIBRARIES = frozenset(
    {
        "aiohttp",
        "aiosqlite",
        "alembic",
        "asyncpg",
        "httpcore",
        "httpcore2",
        "httpx",
        "httpx2",
        "openai",
        "sqlalchemy",
    }
)

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

_log = logging.getLogger("bot")


def configure_logging(level: str, *, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send the log, and what Python would print of uncaught exceptions, to *stream* (stderr), made safe.

    *secrets* are exact values that must not appear; what has the shape of a secret never does.
    """
    handler = _SafeHandler(stream or sys.stderr)
    handler.setFormatter(_SafeFormatter(secrets))
    handler.addFilter(_passes)

    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    _log.setLevel(level)
    # Loggers spare their libraries the work; the filter holds when a library sets its level itself.
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)

    logging.captureWarnings(capture=True)
    sys.excepthook = lambda _type, error, _place: _log_uncaught("the program", error)
    threading.excepthook = lambda args: _log_uncaught("a thread", args.exc_value)
    sys.unraisablehook = lambda args: _log_uncaught("a destructor or callback", args.exc_value)


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
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    codes = ", ".join(f"{code}={value}" for code, value in _codes(error))
    codes = f" ({codes})" if codes else ""
    text = f": {error}" if _has_safe_text(error) and str(error) else ""
    return name + codes + text


def _has_safe_text(error: BaseException) -> bool:
    """Ours; or a TypeError out of our code, by which Python names types and parameters but no values."""
    if type(error) is TypeError and error.__traceback__:
        *_, (innermost, _line) = traceback.walk_tb(error.__traceback__)
        return innermost.f_code.co_filename.startswith(_OUR_FILES)
    return isinstance(error, BotError)


def _codes(error: BaseException) -> Iterator[tuple[str, int | str]]:
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


def _traceback(error: BaseException, told: set[int]) -> str:
    """The traceback with places and lines of code, and `describe` in place of every exception's text."""
    told.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = ""
    if before is not None and id(before) not in told:
        led = "was the cause of" if error.__cause__ else "was being handled during"
        lines = f"{_traceback(before, told)}\n\nThe above {led}:\n\n"
    if error.__traceback__:
        lines += "Traceback (most recent call last):\n" + "".join(traceback.format_tb(error.__traceback__))
    lines += describe(error)
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            lines += "\n  | " + _traceback(inner, told).replace("\n", "\n  | ")
    return lines


class _SafeFormatter(logging.Formatter):
    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._redact = redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """The whole record as text. `record.exc_text` is another handler's work and not to be trusted."""
        when = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        line = f"{when}Z {record.levelname:7} {record.name}: {_message(record)}"
        if record.exc_info and record.exc_info[1]:
            line += "\n" + _traceback(record.exc_info[1], set())
        if record.stack_info:
            line += "\n" + record.stack_info
        return self._redact(line)


class _SafeHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a record could not be written; Python's own report would quote its arguments."""
        error = sys.exception()
        why = describe(error) if error else "unknown"
        with contextlib.suppress(OSError, ValueError):  # the stream itself is gone: nowhere left to say so
            self.stream.write(f"A log record from {record.name}:{record.lineno} was lost: {why}\n")


def _passes(record: logging.LogRecord) -> bool:
    library = record.name.partition(".")[0]
    if library == "bot":
        return True
    return record.levelno >= (logging.WARNING if library in _QUIET_LIBRARIES else logging.INFO)


def _message(record: logging.LogRecord) -> str:
    if not record.args:
        message = str(record.msg)
    elif isinstance(record.args, Mapping):
        message = str(record.msg) % _Payload((name, _safe(value)) for name, value in record.args.items())
    else:
        message = str(record.msg) % tuple(map(_safe, record.args))
    return _without_objects(message) if record.name.partition(".")[0] == "asyncio" else message


def _safe(argument: Any) -> Any:
    """A log argument without what it may quote: exceptions, and values that are payloads by their type."""
    if isinstance(argument, BaseException):
        return describe(argument)
    if isinstance(argument, dict | bytes | bytearray):
        return f"[{type(argument).__name__}]"
    return argument


class _Payload(dict[str, Any]):
    """A log call's only argument, if that is a mapping: "%(name)s" takes from it, "%s" does not show it."""

    def __repr__(self) -> str:
        return "[dict]"


def _without_objects(message: str) -> str:
    """What asyncio says, without the tasks, results and callback arguments that it prints along."""
    took = re.search(r"took [\d.]+ seconds$", message)
    words = re.split(r"[<({\['\"\n]", message, maxsplit=1)[0].rstrip(" :")
    return f"{words} … {took[0]}" if took else words


def _log_uncaught(where: str, error: BaseException | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        _log.info("Interrupted.")
    elif not isinstance(error, SystemExit | None):
        _log.critical("An exception was not caught in %s.", where, exc_info=error)
