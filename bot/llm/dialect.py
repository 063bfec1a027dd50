"""The body of a request in the dialect of the server that gets it, learned from what the server refuses."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from openai import APIStatusError

from bot.core.completions import Prompt, PromptMessage
from bot.core.messages import Role
from bot.llm.errors import error_text

_ROLES = {role: role.value for role in Role}  # plain strings
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    limit: str = "max_completion_tokens"  # or "max_tokens", as most servers but OpenAI's named it first
    reports_usage: bool = True  # understands stream_options
    joins_turns: bool = False  # its chat template wants user and assistant by turns
    cache_key: bool = True  # understands prompt_cache_key
    cache_retention: bool = False  # keeps what it has cached for a day, if asked to

    def body(self, prompt: Prompt, *, model: str) -> dict[str, Any]:
        messages = _joined(prompt.messages) if self.joins_turns else prompt.messages
        body: dict[str, Any] = {
            "model": model,
            "messages": [
                {"role": _ROLES[message.role], "content": _text(message.content)} for message in messages
            ],
            "stream": True,
            self.limit: prompt.max_answer_tokens,
        }
        if self.reports_usage:
            body["stream_options"] = {"include_usage": True}
        if self.cache_key and prompt.cache_key:
            body["prompt_cache_key"] = prompt.cache_key
        if self.cache_retention:
            body["prompt_cache_retention"] = "24h"
        return body

    def after(self, refusal: APIStatusError) -> "Dialect":
        """The dialect to try next, or this one if the refusal was about something else."""
        text = error_text(refusal)
        if "stream_options" in text or "include_usage" in text:
            return replace(self, reports_usage=False)
        if "max_completion_tokens" in text:
            return replace(self, limit="max_tokens")
        if "roles must alternate" in text:
            return replace(self, joins_turns=True)
        if "prompt_cache_retention" in text:
            return replace(self, cache_retention=False)
        if "prompt_cache_key" in text:
            return replace(self, cache_key=False)
        return self

    def without_extras(self) -> "Dialect":
        """For a server that refuses a field and does not say which: what it can do without is left out."""
        return replace(self, cache_key=False, cache_retention=False)


def _text(content: str) -> str:
    if content.isascii():
        return content
    # Discord's JSON can carry half a surrogate pair; UTF-8 cannot.
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", content)


def _joined(messages: Iterable[PromptMessage]) -> Iterator[PromptMessage]:
    for role, neighbours in groupby(messages, key=_role):
        content = "\n\n".join(message.content for message in neighbours)
        yield PromptMessage(role, content)


def _role(message: PromptMessage) -> Role:
    return message.role
