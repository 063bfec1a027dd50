"""How an answer came about, and how that is told to whoever may know it."""

from dataclasses import dataclass

from bot.core.completions import ModelCall, Past, Usage
from bot.core.costs import dollars_in_words
from bot.core.messages import Kind, Outcome, TurnState
from bot.core.wording import counted

UNKNOWN = "I know nothing of that message: it is no answer of mine, or one that was deleted or forgotten."
NOT_THEIRS = "Only whoever asked, or somebody who manages messages or the server, can see that."
UNDER_WAY = "I'm still writing that answer. Please look again when it's done."
NO_MODEL = "No model wrote that: it is a sentence of my own."
NO_RECORD = "I have no record of how that answer came about: it is older than such records."

_LONGEST_NAME = 60
_ENDED: dict[str | None, str] = {
    Outcome.COMPLETE: "complete",
    Outcome.LENGTH: "ended at the most that I may write at once",
    Outcome.STOPPED: "stopped by somebody",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """An answer, and the request that brought its text."""

    asker: int | None
    private_to: int
    kind: Kind
    state: TurnState
    outcome: str | None = None
    call: ModelCall | None = None


def why_words(made: Made | None, *, person: int, manages: bool) -> str:
    """*manages*: they may manage messages or the server where the answer is."""
    if made is None or made.private_to not in (0, person):
        return UNKNOWN
    if person != made.asker and not manages:
        return NOT_THEIRS
    if made.state is TurnState.DRAFTING:
        return UNDER_WAY
    if made.kind is Kind.NOTICE:
        return NO_MODEL
    return _words(made.call, made.outcome) if made.call else NO_RECORD


def _words(call: ModelCall, outcome: str | None) -> str:
    failed = call.attempt - 1
    after = f", after {counted(failed, 'request')} that brought nothing" if failed else ""
    cost = "unknown" if call.cost_nanodollars is None else dollars_in_words(call.cost_nanodollars)
    lines = [
        "**Why this answer?**",
        *_past(call.past),
        f"Model: `{call.model.replace('`', '')[:_LONGEST_NAME]}`{after}",
        f"Tokens: {_tokens(call.usage)}",
        f"Cost: {cost}",
        f"Time: {_times(call)}",
        f"Outcome: {_ENDED.get(outcome) or _cut_off(call, outcome)}",
    ]
    return "\n".join(lines)


def _past(past: Past) -> list[str]:
    if past.turns_sent is None:
        return []
    before = f"and the {counted(past.turns_sent, 'message')} before it" if past.turns_sent else "alone"
    lines = [f"Sent: the question {before}"]
    if past.turns_summarised:
        lines.append(f"Summarised: {counted(past.turns_summarised, 'earlier message')}")
    if past.turns_left_out:
        lines.append(f"Left out: {counted(past.turns_left_out, 'earlier message')}")
    return lines


def _tokens(usage: Usage) -> str:
    """As far as the provider reported them."""
    told = []
    if (read := usage.input_tokens) is not None:
        cached = usage.cached_tokens
        share = f" ({cached / read:.0%} from the provider's cache)" if cached is not None and read else ""
        told.append(f"{read:,} read{share}")
    if usage.output_tokens is not None:
        thought = f" ({usage.reasoning_tokens:,} of them to think)" if usage.reasoning_tokens else ""
        told.append(f"{usage.output_tokens:,} written{thought}")
    return ", ".join(told) or "not reported"


def _times(call: ModelCall) -> str:
    end = f"the end after {(call.ended_at - call.started_at).total_seconds():.1f} s"
    if call.first_token_at is None:
        return end
    return f"first words after {(call.first_token_at - call.started_at).total_seconds():.1f} s, {end}"


def _cut_off(call: ModelCall, outcome: str | None) -> str:
    if outcome == Outcome.CUT_OFF:
        return f"cut off (`{call.outcome}`)"
    return f"complete, but Discord did not take all of it (`{outcome}`)"
