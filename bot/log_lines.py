"""A log record as text, or as one JSON object a line; neither tells what may not be told.

`record.exc_text` is another handler's work and not to be trusted.
"""

import json
import logging
import math
import re
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.redaction import codes, describe, redactor, safe_text, type_name

_LARGEST_EXACT = 2**53  # beyond it, JavaScript and jq round whole numbers, as Discord's ids are
_PLACEHOLDER = re.compile(r"%(?:%|[-+ #0]*\d*(?:\.\d+)?[a-zA-Z])")
_FIELD = re.compile(rf"\s*\b([a-z_]+)=({_PLACEHOLDER.pattern})")


class TextFormatter(logging.Formatter):
    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._redact = redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        line = f"{when}Z {record.levelname:7} {record.name}: {_message(record)}"
        if record.exc_info and record.exc_info[1]:
            line += "\n" + _traceback(record.exc_info[1], set())
        if record.stack_info:
            line += "\n" + record.stack_info
        return self._redact(line)


class JsonFormatter(logging.Formatter):
    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._redact = redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """What our own lines write as name=value are fields of the object; the event is the rest of the line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        event, fields = _event(record)
        line: dict[str, Any] = {
            "ts": when.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "event": event,
        }
        line |= {name: self._field(name, value) for name, value in fields.items() if name not in line}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = _exception(record.exc_info[1], set())
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(self._safe(line))

    def _field(self, name: str, value: Any) -> Any:
        """The value, redacted as it would be behind its name in a line of text."""
        text = self._redact(f"{name}={value}").removeprefix(f"{name}=")
        return value if text == str(value) else text

    def _safe(self, value: Any) -> Any:
        """Before it is encoded: a secret with a quotation mark in it looks different afterwards."""
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, dict):
            return {name: self._safe(each) for name, each in value.items()}
        return list(map(self._safe, value)) if isinstance(value, list) else value


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


def _exception(error: BaseException, told: set[int]) -> dict[str, Any]:
    """The same as a tree: type, codes, text where it is safe, places from the outermost in, and what led to it."""
    told.add(id(error))
    tree: dict[str, Any] = {"type": type_name(error), **dict(codes(error))}
    if text := safe_text(error):
        tree["text"] = text
    frames = traceback.extract_tb(error.__traceback__)
    tree["places"] = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in told:
        tree["cause" if error.__cause__ else "during"] = _exception(before, told)
    if isinstance(error, BaseExceptionGroup):
        tree["exceptions"] = [_exception(inner, told) for inner in error.exceptions]
    return tree


def _event(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """What a line of ours says without its name=value pairs, and these."""
    template, args = str(record.msg), record.args
    placeholders = [found.start() for found in _PLACEHOLDER.finditer(template) if found[0] != "%%"]
    ours = record.name.partition(".")[0] == "bot"
    if not ours or not args or not isinstance(args, tuple) or len(args) != len(placeholders):
        return _message(record), {}
    by_place = dict(zip(placeholders, args, strict=True))
    fields = {found[1]: _plain(found[2], by_place.pop(found.start(2))) for found in _FIELD.finditer(template)}
    rest = re.sub("::+", ":", _FIELD.sub("", template)).strip(" :")
    return rest % tuple(map(_safe, by_place.values())), fields


def _plain(placeholder: str, argument: Any) -> Any:
    """As JSON has it, and as exact as the line of text. Raises what that would, too."""
    text = placeholder % (_safe(argument),)
    if isinstance(argument, bool | None):
        return argument
    if isinstance(argument, int) and abs(argument) <= _LARGEST_EXACT:
        return int(argument)
    if isinstance(argument, float) and math.isfinite(argument):
        return float(text)
    return text


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
