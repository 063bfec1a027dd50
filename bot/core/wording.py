"""What we say ourselves around an answer: greeting, question above a /chat answer, lines below it."""

import math
import re

from bot.core.messages import Kind, Outcome, TakenUp

SECONDS_SAID_AS_SUCH = 90
QUESTION_SHOWN = 300  # characters of a /chat question above its answer

GREETING = (
    "Hi! Ask me anything: mention me with your question, reply to one of my messages, or use `/chat`. "
    "I remember what we talk about in this channel."
)
_FENCE = re.compile("`{3,}")
MISSED_ANSWER = "Discord couldn't show you my last answer any more. Please ask me again."
TOLD = "told"  # the code of a notice that is the whole answer, as a greeting is

_BELOW = {
    Outcome.COMPLETE: "",
    Outcome.CUT_OFF: "\n-# My answer was cut off here. {} and I'll continue.",
    Outcome.STOPPED: "\n-# Stopped here.",
    Outcome.LENGTH: "\n-# That's as much as I can write at once. {} and I'll continue.",
}
_GO_ON = "Say *go on*"
_GO_ON_BY_COMMAND = "Say *go on* with `/chat`"  # the channel may be one where nothing else is heard
_GO_ON_IN_PRIVATE = "Say *go on* with `/chat private:True`"  # anything else is another conversation


def waiting_sentence(ahead: int) -> str:
    """What somebody reads whose question waits behind so many others."""
    if ahead == 0:
        return "I've got your message, and you're next. My answer will appear here."
    come = "1 other comes" if ahead == 1 else f"{ahead} others come"
    return f"I've got your message. {come} first; my answer will appear here."


def rewriting_failed(sentence: str) -> str:
    return f"{sentence} My earlier answer stays."


def counted(number: int, thing: str) -> str:
    """`1 message`, `1,234 messages`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def messages_are(count: int, *, whose: str = "") -> str:
    return f"1 message{whose} is" if count == 1 else f"{count} messages{whose} are"


def seconds_in_words(seconds: float) -> str:
    """Rounded up: `1 second`, `45 seconds`, `2 minutes`."""
    whole = max(1, math.ceil(seconds))
    if whole <= SECONDS_SAID_AS_SUCH:
        return f"{whole} second{'s' if whole > 1 else ''}"
    return f"{math.ceil(whole / 60)} minutes"


def said_without_model(taken: TakenUp) -> str | None:
    """What to say when no question has words for the model: what we couldn't read, or a greeting."""
    if any(turn.text for turn in taken.questions):
        return None
    return _notes(taken) or GREETING


def question_head(taken: TakenUp) -> str:
    """The lines above a /chat answer: nobody in the channel sees the command's text otherwise."""
    question = taken.question
    if question.kind is not Kind.SLASH:
        return ""
    missed = f"-# {MISSED_ANSWER}\n" if taken.missed_answer else ""
    return f"> {question_shown(question.text)}\n{missed}"


def question_shown(text: str) -> str:
    """What everybody sees of a /chat question."""
    line = " ".join(text.split()).replace("```", "'''")
    return line if len(line) <= QUESTION_SHOWN else line[: QUESTION_SHOWN - 1].rstrip() + "…"


def shown_answer(taken: TakenUp, text: str, outcome: Outcome) -> str:
    """The whole of what stands in the channel for an answer."""
    below = f"{_line_below(taken, outcome)}{_notes_below(taken)}"
    return f"{question_head(taken)}{text}{_close_fence(text, below)}{below}"


def lines_below(taken: TakenUp, shown: str) -> str:
    """What `shown_answer` put below the answer's own words."""
    notes = _notes_below(taken)
    text = shown.removesuffix(notes)
    ends = [line for outcome in _BELOW if text.endswith(line := _line_below(taken, outcome))]
    return max(ends, key=len) + (notes if text != shown else "")


def _line_below(taken: TakenUp, outcome: Outcome) -> str:
    """How it ended, and what makes it go on where it was asked."""
    if taken.conversation.key.private_to:
        go_on = _GO_ON_IN_PRIVATE
    else:
        go_on = _GO_ON_BY_COMMAND if taken.question.kind is Kind.SLASH else _GO_ON
    return _BELOW[outcome].format(go_on)


def shown_notice(taken: TakenUp, sentence: str) -> str:
    if taken.conversation.key.private_to:
        # Without that, it is the channel's conversation that begins anew.
        sentence = sentence.replace("/reset", "/reset private:True")
    return f"{question_head(taken)}{sentence}"


def _close_fence(text: str, following: str) -> str:
    """What closes a code block left open, where a line of ours follows that must not end up inside.

    To Discord, any later run of at least as many backticks closes a block.
    """
    opened = ""
    for run in _FENCE.findall(text):
        if not opened:
            opened = run
        elif len(run) >= len(opened):
            opened = ""
    return f"\n{opened}" if opened and following else ""


def _notes_below(taken: TakenUp) -> str:
    notes = _notes(taken)
    return f"\n-# {notes}" if notes else ""


def _notes(taken: TakenUp) -> str:
    return " ".join(dict.fromkeys(turn.note for turn in taken.questions if turn.note))
