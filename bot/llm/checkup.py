"""What `doctor` finds of a language model: it is asked once, as the bot asks it."""

from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bot.core.completions import Delta, Finished, FinishReason, Prompt, PromptMessage
from bot.core.errors import (
    ContextTooLong,
    ModelBusy,
    ModelError,
    ModelKeyRefused,
    ModelTimeout,
    ModelUnavailable,
    QuotaUsedUp,
    RequestRejected,
    WrongModel,
)
from bot.core.findings import Finding, ok, warning, wrong
from bot.core.generation import Patience
from bot.core.messages import Role
from bot.core.ports import Clock
from bot.core.unreachable import why_unreachable
from bot.llm.chat_model import OPENAI_URL, OpenAIChatModel
from bot.llm.dialect import Dialect

# Two messages of one person in a row, as the bot sends them: some servers' templates refuse that.
_MESSAGES = (
    PromptMessage(Role.SYSTEM, "You are a friendly assistant!"),
    PromptMessage(Role.USER, "Hello!"),
    PromptMessage(Role.USER, "Count from one to ten in words, and say nothing else."),
)
_TOKENS = 50  # the messages, estimated high

_CURES: dict[type[ModelError], str] = {
    ModelKeyRefused: "Check OPENAI_API_KEY, and that it belongs to this provider.",
    WrongModel: "Check {setting}, letter by letter, and the path of OPENAI_BASE_URL, such as /v1.",
    QuotaUsedUp: "The account at the provider has no credit left: top it up.",
    ModelTimeout: "Try again. If the model is always this slow, raise FIRST_TOKEN_SECONDS or STALL_SECONDS.",
    ContextTooLong: "Lower MAX_ANSWER_TOKENS and HISTORY_TOKENS: together they must fit what the model can read.",
    RequestRejected: "The server refuses what the bot asks for: see the server's log, or lower MAX_ANSWER_TOKENS.",
}
_UNREACHABLE = (
    "Check that a server of streamed chat completions runs there, OPENAI_BASE_URL if it is set, and whether a "
    "firewall or a proxy is in the way."
)


@dataclass(kw_only=True)
class _Heard:
    """Seconds are from the request on."""

    pieces: list[str] = field(default_factory=list)
    first_seconds: float = 0.0
    seconds: float = 0.0
    finished: Finished | None = None


async def check_model(
    *,
    model: str,
    setting: str,
    api_key: str | None,
    base_url: str | None,
    max_answer_tokens: int,
    patience: Patience,
    clock: Clock,
) -> list[Finding]:
    """*setting*: that names the model. Costs about fifty tokens."""
    subject = f"{model} at {urlsplit(base_url or OPENAI_URL).netloc}"
    prompt = Prompt(messages=_MESSAGES, tokens=_TOKENS, max_answer_tokens=max_answer_tokens, cache_key="doctor")
    async with OpenAIChatModel(model=model, api_key=api_key, base_url=base_url) as chat:
        try:
            heard = await _ask(chat, prompt, patience=patience, clock=clock)
        except ModelBusy as error:
            return [warning("model", subject, f"is busy ({error})", "Try again in a minute.")]
        except ModelError as error:
            cure = _CURES.get(type(error), _UNREACHABLE).format(setting=setting)
            return [wrong("model", subject, f"does not answer ({_in_words(error)})", cure)]
        return list(_findings(subject, heard, chat.dialect, setting=setting))


async def _ask(chat: OpenAIChatModel, prompt: Prompt, *, patience: Patience, clock: Clock) -> _Heard:
    """Raises ModelError."""
    heard = _Heard()
    began = clock.monotonic()
    try:
        async with (
            clock.deadline(min(patience.first_token, patience.total)) as deadline,
            aclosing(chat.stream(prompt)) as events,
        ):
            async for event in events:
                heard.seconds = clock.monotonic() - began
                if isinstance(event, Delta):
                    heard.first_seconds = heard.first_seconds or heard.seconds
                    heard.pieces.append(event.text)
                    deadline.move(min(patience.stall, patience.total - heard.seconds))
                else:
                    heard.finished = event
    except TimeoutError as error:
        raise ModelTimeout(f"no word for {clock.monotonic() - began - heard.seconds:.0f} s") from error
    return heard


def _findings(subject: str, heard: _Heard, dialect: Dialect, *, setting: str) -> Iterator[Finding]:
    reason = heard.finished.reason if heard.finished else None
    if not heard.pieces:
        if reason is FinishReason.LENGTH:
            detail = "used up MAX_ANSWER_TOKENS before its first word"
            yield wrong("model", subject, detail, "Raise MAX_ANSWER_TOKENS: a model's own thinking counts in it.")
        else:
            yield wrong("model", subject, "answers without a word", f"Try again, or name another {setting}.")
        return
    yield ok(
        "model",
        subject,
        f"answers, first word after {heard.first_seconds:.1f} s, the last after {heard.seconds:.1f} s",
    )
    if len(heard.pieces) > 1:
        yield ok("streaming", subject, f"in {len(heard.pieces)} pieces")
    else:
        detail = "the answer came in one piece, so people will not see it grow"
        yield warning("streaming", subject, detail, "Switch on streaming at the server, or leave it at that.")
    yield _usage(subject, heard, dialect)
    yield ok("parameters", subject, _departures(dialect))


def _usage(subject: str, heard: _Heard, dialect: Dialect) -> Finding:
    usage = heard.finished.usage if heard.finished else None
    if usage is not None and usage.input_tokens is not None and usage.output_tokens is not None:
        return ok("usage", subject, f"reported: {usage.input_tokens} tokens in, {usage.output_tokens} out")
    refused = "" if dialect.reports_usage else ", stream_options was refused"
    return warning(
        "usage",
        subject,
        f"not reported{refused}: what answers cost is not known here",
        "Switch on usage in streams at the server, or look at the provider's own account of it.",
    )


def _departures(dialect: Dialect) -> str:
    """What the server refused, and what it gets instead."""
    departures = {
        "max_completion_tokens is refused, max_tokens is sent": dialect.limit == "max_tokens",
        "stream_options is refused and left out": not dialect.reports_usage,
        "one person's messages in a row are refused, and joined": dialect.joins_turns,
        "prompt_cache_key is refused and left out": not dialect.cache_key,
    }
    return "; ".join(each for each, found in departures.items() if found) or "none was refused"


def _in_words(error: ModelError) -> str:
    """Why there is no connection, or status and codes as the log has them; never a provider's own words."""
    return why_unreachable(error) if isinstance(error, ModelUnavailable) else str(error) or type(error).__name__
