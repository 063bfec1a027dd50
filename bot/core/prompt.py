"""Turns become a prompt: one system message, the turns in the window, the question."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from bot.core.completions import Past, Prompt, PromptMessage
from bot.core.errors import QuestionTooLong
from bot.core.messages import Kind, PastTurn, Role, TakenUp, Turn
from bot.core.speakers import SOMEONE, labelled_text
from bot.core.tokens import TOKENS_PER_MESSAGE, TokenBudget, cut_to, estimate_tokens, system_tokens

# No person's label is so long: nobody can speak in its name.
SUMMARY_LABEL = "Summary of the earlier conversation"


def content(turn: Turn | PastTurn, *, labelled: bool) -> str:
    """What the model reads of a turn."""
    if labelled and turn.role is Role.USER:
        return labelled_text(turn.label or SOMEONE, turn.text)
    return turn.text


def turn_tokens(turn: Turn | PastTurn, *, labelled: bool) -> int:
    return TOKENS_PER_MESSAGE + estimate_tokens(content(turn, labelled=labelled))


def cache_key(bot_id: int, conversation_id: int) -> str:
    """Nothing about channel or person can be read from it."""
    return hashlib.sha256(f"{bot_id}|{conversation_id}".encode()).hexdigest()[:32]


def summary_message(summary: str | None) -> list[PromptMessage]:
    """As something said and nothing ordered: it is made of what people wrote."""
    return [PromptMessage(Role.USER, labelled_text(SUMMARY_LABEL, summary))] if summary else []


def summary_tokens(summary: str | None) -> int:
    return sum(TOKENS_PER_MESSAGE + estimate_tokens(message.content) for message in summary_message(summary))


def build_prompt(
    taken: TakenUp,
    *,
    system_prompt: str,
    history_tokens: int,
    max_answer_tokens: int,
    bot_id: int = 0,
    most_read: int | None = None,
) -> Prompt:
    """The prompt for what was taken up. Raises QuestionTooLong.

    What is too long by the rate alone, or by *most_read*, is asked by itself: else nothing would ever correct one
    that is wrong.
    """
    labelled, rate = taken.conversation.labelled, taken.conversation.token_rate
    budget = TokenBudget(
        history_tokens=history_tokens, system_tokens=system_tokens(system_prompt), rate=rate, most_read=most_read
    )
    fixed = budget.system_tokens + sum(
        turn_tokens(turn, labelled=labelled)
        for turn in taken.questions
        if turn.text and turn.kind is not Kind.QUOTE
    )
    if fixed > max(budget.tokens, history_tokens):
        raise QuestionTooLong(f"about {ceil(fixed * rate)} tokens, {history_tokens} allowed")
    # Rather without a summary than without an answer.
    summary = taken.summary if fixed + summary_tokens(taken.summary) <= budget.tokens else None
    fixed += summary_tokens(summary) + taken.history_tokens
    asked = _with_quotes_cut(
        taken.questions, tokens=max(budget.tokens - fixed, 0), most=budget.most_of_a_quote, labelled=labelled
    )
    fixed += sum(turn_tokens(turn, labelled=labelled) for turn in asked if turn.kind is Kind.QUOTE and turn.text)
    turns: list[Turn | PastTurn] = [*taken.history, *(turn for turn in asked if turn.text)]
    messages = [PromptMessage(Role.SYSTEM, system_prompt), *summary_message(summary)]
    messages += [PromptMessage(turn.role, content(turn, labelled=labelled)) for turn in turns]
    return Prompt(
        messages=tuple(messages),
        tokens=ceil(fixed * rate),
        max_answer_tokens=max_answer_tokens,
        past=_past(taken),
        cache_key=cache_key(bot_id, taken.conversation.id),
    )


def with_half_the_history(prompt: Prompt, taken: TakenUp) -> Prompt | None:
    """*prompt*, which was built for *taken*, with the newer half of the history that it has.

    At last without its summary. None: there is nothing to leave out.
    """
    sent = prompt.past.turns_sent or 0
    history = taken.history[len(taken.history) - sent :]
    costs = [turn_tokens(turn, labelled=taken.conversation.labelled) for turn in history]
    summary = summary_message(taken.summary)
    begins = 2 if summary and list(prompt.messages[1:2]) == summary else 1
    if not costs:
        return _without_summary(prompt, taken) if begins > 1 else None
    first, left = 0, sum(costs)
    half = left // 2
    # An answer without its question would mislead.
    while first < len(costs) and (left > half or history[first].role is not Role.USER):
        first, left = first + 1, left - costs[first]
    return replace(
        prompt,
        messages=prompt.messages[:begins] + prompt.messages[begins + first :],
        tokens=prompt.tokens - int(sum(costs[:first]) * taken.conversation.token_rate),
        past=_past(taken, dropped=len(taken.history) - sent + first),
    )


def _without_summary(prompt: Prompt, taken: TakenUp) -> Prompt:
    past = prompt.past
    return replace(
        prompt,
        messages=prompt.messages[:1] + prompt.messages[2:],
        tokens=prompt.tokens - int(summary_tokens(taken.summary) * taken.conversation.token_rate),
        past=replace(past, turns_summarised=0, turns_left_out=(past.turns_left_out or 0) + taken.summarised),
    )


def _past(taken: TakenUp, *, dropped: int = 0) -> Past:
    return Past(
        turns_sent=len(taken.history) - dropped,
        turns_summarised=taken.summarised,
        turns_left_out=taken.left_out + dropped,
    )


def _with_quotes_cut(questions: Sequence[Turn], *, tokens: int, most: int, labelled: bool) -> list[Turn]:
    """*questions* with the quotes among them cut: to *most* tokens each, and to *tokens* together."""
    used, cut = 0, list(questions)
    quotes = [n for n, turn in enumerate(cut) if turn.kind is Kind.QUOTE and turn.text]
    # The short ones first: what they leave, the long ones share.
    quotes.sort(key=lambda n: turn_tokens(cut[n], labelled=labelled))
    for n, sharing in zip(quotes, range(len(quotes), 0, -1), strict=True):
        cut[n] = _cut_turn(cut[n], tokens=(tokens - used) // sharing, most=most, labelled=labelled)
        used += turn_tokens(cut[n], labelled=labelled) if cut[n].text else 0
    return cut


def _cut_turn(turn: Turn, *, tokens: int, most: int, labelled: bool) -> Turn:
    def cost(text: str) -> int:
        return turn_tokens(replace(turn, text=text), labelled=labelled)

    # To *most* as it will be when it is history. Where it gets less, the question fills the budget, and is none.
    text = cut_to(turn.text, tokens=most)
    return replace(turn, text=text if cost(text) <= tokens else cut_to(turn.text, tokens=tokens, cost=cost))
