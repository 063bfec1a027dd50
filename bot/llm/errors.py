"""What a provider's failure means. Reasons hold status, code and request id: messages may quote a prompt."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import httpx2
from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from bot.core.errors import (
    ContextTooLong,
    ModelBusy,
    ModelError,
    ModelKeyRefused,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    QuotaUsedUp,
    RequestRejected,
    WrongModel,
)

# The SDK lets through what its decoder raises on rubbish (JSONDecodeError, UnicodeDecodeError: ValueErrors), what
# httpx2 raises outside a read, and what aiohttp raises on what is no HTTP.
PROVIDER_FAILURES = (APIError, httpx2.HTTPError, httpx2.StreamError, aiohttp.ClientError, ValueError)

_IDENTIFIER = re.compile(r"[\w.:-]{1,64}")
_READ_AT_MOST = 10_000  # characters of an error's text

# Looked up in this order in the fields code and type: providers disagree on which is which.
_BY_CODE: dict[str, type[ModelError]] = {
    "insufficient_quota": QuotaUsedUp,
    "billing_hard_limit_reached": QuotaUsedUp,
    "billing_not_active": QuotaUsedUp,
    "content_filter": ModelRefused,
    "content_policy_violation": ModelRefused,
    "context_length_exceeded": ContextTooLong,
    "exceed_context_size_error": ContextTooLong,  # llama.cpp
    "model_not_found": WrongModel,
    "rate_limit_exceeded": ModelBusy,
    "overloaded_error": ModelBusy,
}
_BY_STATUS: dict[int, type[ModelError]] = {
    401: ModelKeyRefused,
    402: QuotaUsedUp,  # DeepSeek, OpenRouter
    403: ModelKeyRefused,
    404: WrongModel,
    408: ModelTimeout,
    413: ContextTooLong,
    429: ModelBusy,
    529: ModelBusy,  # Anthropic: overloaded
}
_SERVER_FAULTS = 500  # and above: RFC 9110, 15.6
_TOO_LONG_WORDS = re.compile(
    r"maximum context length"  # OpenAI, vLLM, DeepSeek, Mistral, OpenRouter
    r"|exceeds? the (available|model's) context|context size has been exceeded"  # llama.cpp
    r"|prompt is too long"  # Anthropic
    r"|exceeds the maximum number of tokens"  # Gemini
    r"|maximum prompt length"  # xAI
    r"|reached context length|context the overflows"  # LM Studio
    r"|reduce the length of the (messages|prompt|input)"  # Groq
)
_CONTEXT = re.compile(  # how many tokens it is, by those who name it beside such words
    r"(?:maximum (?:context|prompt) length is|reached context length of|number of tokens allowed \(|tokens >"
    r"|\"n_ctx\":) ?(\d{3,9})\b"
)


def translate(error: Exception) -> ModelError:
    """The core's error for one of PROVIDER_FAILURES."""
    match error:
        case APIStatusError():
            return _translate_refusal(error)
        case APITimeoutError() if not isinstance(error.__cause__, httpx2.ConnectTimeout):
            return ModelTimeout("no answer within the read timeout")
        case APIConnectionError():
            return ModelUnavailable(f"connection: {type(error.__cause__ or error).__name__}")
        case APIError():
            return _translate_event(error)
        case _:
            return ModelUnavailable(f"unreadable: {type(error).__name__}")


def error_text(error: APIError) -> str:
    """Whatever the provider wrote, in lower case, to look words up in; never to be shown or logged."""
    text = error.response.text if isinstance(error, APIStatusError) else json.dumps(error.body)
    return text[:_READ_AT_MOST].lower()


def _translate_refusal(error: APIStatusError) -> ModelError:
    codes = _codes(error)
    known_by = [f"request {error.request_id}"] if _IDENTIFIER.fullmatch(error.request_id or "") else []
    kind = _kind(error.status_code, codes, error_text(error))
    fault = kind(
        ", ".join((f"HTTP {error.status_code}", *codes, *known_by)),
        retry_after=retry_after(error.response.headers),
        unpaid=True,  # whatever it means elsewhere: no stream began
    )
    if isinstance(fault, ContextTooLong) and (named := _CONTEXT.search(error_text(error))):
        fault.reads = int(named[1])
    return fault


def _translate_event(error: APIError) -> ModelError:
    """An error in the middle of a stream: its HTTP status, if it has one, stands in its code."""
    codes = _codes(error)
    status = next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)), _SERVER_FAULTS)
    return _kind(status, codes, error_text(error))(", ".join(("error event", *codes)))


def _codes(error: APIError) -> list[str]:
    body = error.body if isinstance(error.body, Mapping) else {}
    values = (str(body.get(name) or "") for name in ("code", "type"))
    return [value for value in values if _IDENTIFIER.fullmatch(value)]


def _kind(status: int, codes: list[str], text: str) -> type[ModelError]:
    for code, kind in _BY_CODE.items():
        if code in codes:
            return kind
    if status in {400, 413, 422, 500} and _TOO_LONG_WORDS.search(text):
        return ContextTooLong
    return _BY_STATUS.get(status, ModelUnavailable if status >= _SERVER_FAULTS else RequestRejected)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: retry-after-ms, or Retry-After in seconds or as an HTTP date (RFC 9110, 10.2.3)."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is not None:
        return seconds
    until = _date(value)
    if until is None:
        return None
    # Measured against the server's own clock, where it tells the time: ours may be wrong.
    now = _date(headers.get("date", "")) or datetime.now(tz=UTC)
    return max(0.0, (until - now).total_seconds())


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
