"""One request to a language model: what it is sent, what comes back, and what it cost."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from bot.core.messages import Role


class PromptMessage(NamedTuple):
    role: Role
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """How many turns from before the question a prompt holds, sums up, and leaves out; None: nobody counted."""

    turns_sent: int | None = None
    turns_summarised: int | None = None
    turns_left_out: int | None = None  # of those since the last reset


class Purpose(StrEnum):
    """What a model is asked for."""

    ANSWER = "answer"
    SUMMARY = "summary"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What the model is sent: one system message, then turns. *tokens* is an estimate, high at first."""

    messages: tuple[PromptMessage, ...]
    tokens: int
    max_answer_tokens: int
    purpose: Purpose = Purpose.ANSWER
    past: Past = Past()
    cache_key: str = ""  # the same for prompts that begin alike, so that a provider can send them to one machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens as the provider reported them; None is "not reported", which is not 0."""

    input_tokens: int | None = None  # those from the provider's cache included
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"  # a content filter, or the model's own refusal field


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """A piece of the answer, as it arrives."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """The last thing a stream says. A stream that ends without it is a fault."""

    reason: FinishReason
    usage: Usage = Usage()


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCall:
    """One request to the model, for the record of what it cost: no text."""

    request_id: str | None  # given before it is made; None: one of before there were such
    answer_id: int | None
    channel_id: int
    guild_id: int | None
    author_id: int | None
    purpose: str
    model: str
    attempt: int
    reserved_at: datetime | None  # it counts to this moment's day and month; None: to those in which it started
    started_at: datetime
    first_token_at: datetime | None
    ended_at: datetime
    outcome: str  # "complete", "length", … or the error's code, after "cut_off:" where words of it stay
    estimated_tokens: int | None = None  # what we took the prompt for
    past: Past = Past()
    usage: Usage = Usage()
    cost_nanodollars: int | None = None  # as of now: later prices change nothing; None: unknown
    counted_tokens: int | None = None  # in the budgets: what is reserved until it ends; None: there are none
    counted_nanodollars: int | None = None
