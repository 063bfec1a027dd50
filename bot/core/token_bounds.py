"""How many tokens a prompt takes at most: what is reserved for it.

Of a model that reported nothing yet, a token for each byte: no vocabulary takes more. Then as much beyond the
estimate as it lately turned out to be at worst, and a margin.
"""

from collections import deque
from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

from bot.core.completions import Past, Prompt, Purpose
from bot.core.tokens import TOKENS_PER_MESSAGE

REPORTS_HEEDED = 100  # the last of a model, for conversations of either kind
MARGIN = 1.1  # for the next one
TURNS_UNTIL_SETTLED = 6  # from then on what is estimated has been corrected three times


class Report(NamedTuple):
    """Of one request: what its prompt was estimated to take, and what the provider counted."""

    model: str
    purpose: str
    past: Past
    estimated: int
    counted: int


class TokenBounds:
    def __init__(self) -> None:
        self._taken: dict[tuple[str, bool], deque[float]] = {}  # tokens an estimated one

    def learn(self, reports: Iterable[Report]) -> None:
        """The newest last."""
        for model, purpose, past, estimated, counted in reports:
            taken = self._taken.setdefault((model, _is_settled(purpose, past)), deque(maxlen=REPORTS_HEEDED))
            taken.append(counted / estimated)

    def most(self, prompt: Prompt, model: str) -> int:
        bytes_ = sum(
            TOKENS_PER_MESSAGE + len(message.content.encode("utf-8", "surrogatepass"))
            for message in prompt.messages
        )
        most = max(bytes_, prompt.tokens)
        taken = self._taken.get((model, _is_settled(prompt.purpose, prompt.past)))
        return min(most, ceil(prompt.tokens * max(max(taken) * MARGIN, 1.0))) if taken else most


def _is_settled(purpose: str, past: Past) -> bool:
    """Conversations begin with an estimate for all scripts and models, and correct it: decision 0024."""
    before = sum(turns or 0 for turns in (past.turns_sent, past.turns_summarised, past.turns_left_out))
    return purpose == Purpose.SUMMARY or before >= TURNS_UNTIL_SETTLED
