"""No secret and no message text reaches the log, at any level and from whichever library.

Libraries write whole requests, gateway events and SQL parameters at DEBUG, and quote what they were given in
their exceptions. So LOG_LEVEL moves our own loggers only, and a foreign exception is told by its type, place
and codes, never by its text.
"""

import contextlib
import logging
import sys
import threading
from collections.abc import Iterable
from typing import Literal, TextIO

from bot.log_lines import JsonFormatter, TextFormatter

LogFormat = Literal["text", "json"]

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

_log = logging.getLogger("bot")


def configure_logging(
    level: str, *, secrets: Iterable[str] = (), lines: LogFormat = "text", stream: TextIO | None = None
) -> None:
    """Send the log, and what Python would print of uncaught exceptions, to *stream* (stderr), made safe.

    *secrets* are exact values that must not appear; what has the shape of a secret never does.
    """
    handler = _SafeHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(secrets) if lines == "json" else TextFormatter(secrets))
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


class _SafeHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a record could not be written; Python's own report would quote its arguments."""
        error = sys.exception()
        lost = logging.LogRecord(
            name=__name__,
            level=logging.ERROR,
            pathname=__file__,
            lineno=0,
            msg="A log record from %s:%d was lost: %s",
            args=(record.name, record.lineno, error or "unknown"),
            exc_info=None,
        )
        with contextlib.suppress(OSError, ValueError):  # the stream itself is gone: nowhere left to say so
            self.stream.write(self.format(lost) + self.terminator)


def _passes(record: logging.LogRecord) -> bool:
    library = record.name.partition(".")[0]
    if library == "bot":
        return True
    return record.levelno >= (logging.WARNING if library in _QUIET_LIBRARIES else logging.INFO)


def _log_uncaught(where: str, error: BaseException | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        _log.info("Interrupted.")
    elif not isinstance(error, SystemExit | None):
        _log.critical("An exception was not caught in %s.", where, exc_info=error)
