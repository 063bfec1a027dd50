"""What one chunk of a streamed completion says, read without trusting its shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.completions import FinishReason, Usage
from bot.core.errors import ModelUnavailable

_LENGTH = frozenset({"length", "max_tokens", "model_length"})
_MOST_TOKENS = 2**30 - 1  # of which two fit into a database's integer together; no model reads or writes as many
_FAULTS = frozenset({"error", "abort", "insufficient_system_resource"})  # OpenRouter, vLLM, DeepSeek


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    text: str = ""
    refused: bool = False  # a piece of the model's own refusal; its words are not the answer's
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


def read_chunk(data: object) -> Chunk:
    """Raises ModelUnavailable for what is no chunk at all. Reasoning, tool calls and the like are passed over."""
    if not isinstance(data, Mapping):
        raise ModelUnavailable(f"a chunk that is a {type(data).__name__}")
    choices = data.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    delta = _mapping(choice.get("delta"))
    content = delta.get("content")
    usage = data.get("usage")
    return Chunk(
        text=content if isinstance(content, str) else "",
        refused=bool(delta.get("refusal")),
        finish_reason=_finish_reason(choice.get("finish_reason")),
        usage=_usage(usage) if isinstance(usage, Mapping) else None,
    )


def _finish_reason(value: object) -> FinishReason | None:
    if not isinstance(value, str) or not value:
        return None
    if value in _FAULTS:
        raise ModelUnavailable(f"finish_reason {value}")
    if value in _LENGTH:
        return FinishReason.LENGTH
    return FinishReason.REFUSED if value == "content_filter" else FinishReason.STOP


def _usage(usage: Mapping[str, Any]) -> Usage:
    read = _count(usage.get("prompt_tokens"))
    cached = _count(_mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))
    if read is not None and (cached or 0) > read:  # some providers leave them out
        read = _count(read + (cached or 0))
    return Usage(
        input_tokens=read or None,  # no prompt is empty
        cached_tokens=cached,
        output_tokens=_count(usage.get("completion_tokens")),
        reasoning_tokens=_count(_mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int | None:
    """None, "not reported", for what cannot be true: a budget would grow by it, or a row could not be stored."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None
