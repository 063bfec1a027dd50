"""Turns become a prompt: one system message, the newest whole turns that fit, the question."""

import string
from collections.abc import Iterable, Iterator, Sequence

from bot.core.errors import QuestionTooLong
from bot.core.messages import Prompt, PromptMessage, Role, TakenUp, Turn
from bot.core.speakers import NOBODY, labelled_text

TOKENS_PER_MESSAGE = 6  # what chat templates put around each message, at most

# What a character costs, in 24ths of a token, by the first byte of its UTF-8, up to the next row. Measured with
# the vocabulary of a small English model, which is about the worst: tests/playground/test_tokens.py judges.
_WORDS = (string.ascii_letters + " ").encode()
_WORDS_COST = 9
_COST_FROM_FIRST_BYTE = (
    (0x00, 26),  # the rest of ASCII: many vocabularies take digits one by one
    (0x80, 0),  # not a first byte
    (0xC2, 72),  # accented Latin: it breaks up the word that it stands in
    (0xCA, 24),  # Greek, Cyrillic
    (0xD6, 32),  # Hebrew, Arabic
    (0xE0, 36),  # Indic scripts, Thai
    (0xE1, 72),  # Vietnamese vowels, Georgian, Ethiopic, Khmer
    (0xE2, 36),  # typographic signs, Chinese, Japanese, Korean
    (0xF0, 72),  # emoji
)
_COSTS = bytes(
    next(cost for first, cost in reversed(_COST_FROM_FIRST_BYTE) if byte >= first) for byte in range(256)
)


def estimate_tokens(text: str) -> int:
    """How many tokens a text costs, estimated high, without a tokenizer.

    High even for a small English vocabulary in Latin, Greek and Cyrillic scripts, in code and figures. A model
    that was not made for a script can need up to twice the estimate there, and so can keys and hashes.
    """
    data = text.encode("utf-8", "surrogatepass")
    rest = data.translate(None, _WORDS)
    return -(-((len(data) - len(rest)) * _WORDS_COST + sum(rest.translate(_COSTS))) // 24)


def turn_tokens(turn: Turn, *, labelled: bool) -> int:
    return TOKENS_PER_MESSAGE + estimate_tokens(_content(turn, labelled=labelled))


def newest_within(turns: Iterable[Turn], *, tokens: int, labelled: bool) -> Iterator[Turn]:
    """Of *turns*, newest first, those that fit into *tokens* without a gap."""
    for turn in turns:
        tokens -= turn_tokens(turn, labelled=labelled)
        if tokens < 0:
            return
        yield turn


def build_prompt(taken: TakenUp, *, system_prompt: str, history_tokens: int, max_answer_tokens: int) -> Prompt:
    """The prompt for what was taken up. Raises QuestionTooLong."""
    labelled = taken.conversation.labelled
    asked = [turn for turn in taken.questions if turn.text]
    fixed = TOKENS_PER_MESSAGE + estimate_tokens(system_prompt)
    fixed += sum(turn_tokens(turn, labelled=labelled) for turn in asked)
    if fixed > history_tokens:
        raise QuestionTooLong(f"about {fixed} tokens, {history_tokens} allowed")

    fitting = newest_within(reversed(taken.history), tokens=history_tokens - fixed, labelled=labelled)
    remembered = _from_first_question(list(fitting)[::-1])
    messages = (
        PromptMessage(role=Role.SYSTEM, content=system_prompt),
        *(_message(turn, labelled=labelled) for turn in (*remembered, *asked)),
    )
    tokens = fixed + sum(turn_tokens(turn, labelled=labelled) for turn in remembered)
    return Prompt(messages=messages, tokens=tokens, max_answer_tokens=max_answer_tokens)


def _from_first_question(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Without leading answers: their questions did not fit, and an answer alone misleads."""
    for first, turn in enumerate(turns):
        if turn.role is Role.USER:
            return turns[first:]
    return ()


def _message(turn: Turn, *, labelled: bool) -> PromptMessage:
    return PromptMessage(role=turn.role, content=_content(turn, labelled=labelled))


def _content(turn: Turn, *, labelled: bool) -> str:
    if labelled and turn.role is Role.USER:
        return labelled_text(turn.label or NOBODY, turn.text)
    return turn.text
