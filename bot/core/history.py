"""Turns become a prompt: one system message, the newest whole turns that fit, the question."""

from collections.abc import Iterable, Iterator, Sequence

from bot.core.errors import QuestionTooLong
from bot.core.messages import Prompt, PromptMessage, Role, TakenUp, Turn
from bot.core.speakers import labelled_text

TOKENS_PER_MESSAGE = 4  # what chat templates put around each message


def estimate_tokens(text: str) -> int:
    """How many tokens a text costs, estimated high, without a tokenizer.

    English runs at about four characters a token and code at three; scripts that a model's vocabulary knows
    badly come near a token for every two bytes of UTF-8.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    ascii_characters = size if size == len(text) else sum(character < "\x80" for character in text)
    return -(-ascii_characters // 3) + -(-(size - ascii_characters) // 2)


def turn_tokens(turn: Turn, *, labelled: bool) -> int:
    label = estimate_tokens(turn.label or "") + 1 if labelled else 0
    return TOKENS_PER_MESSAGE + label + estimate_tokens(turn.text)


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
    if labelled and turn.role is Role.USER:
        return PromptMessage(role=turn.role, content=labelled_text(turn.label or "Someone", turn.text))
    return PromptMessage(role=turn.role, content=turn.text)
