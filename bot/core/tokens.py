"""What a text costs, in tokens estimated high, and how many of them a prompt may have."""

import string
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

SHARE_KEPT = 0.5  # of what there is for turns, at most, for those that stay when the window moves: decision 0024
SHARE_OF_A_SUMMARY = 0.1  # of what there is for turns, at most
SHARE_OF_A_QUOTE = 0.2  # of the token budget, at most: what is quoted is not what is asked
CUT = " […]"
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


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenBudget:
    """How many tokens a prompt may have, and how many of the estimated ones the system prompt takes."""

    history_tokens: int
    system_tokens: int = 0
    rate: float = 1.0  # tokens an estimated one
    most_read: int | None = None  # by the models, where they refused more

    @property
    def most(self) -> int:
        """Of a whole prompt."""
        return self.history_tokens if self.most_read is None else min(self.history_tokens, self.most_read)

    @property
    def tokens(self) -> int:
        """The same, as they are estimated."""
        return int(self.most / self.rate)

    @property
    def for_turns(self) -> int:
        """Of history and question."""
        return self.tokens - self.system_tokens

    @property
    def kept(self) -> int:
        """Of history, when the window has moved."""
        return int(self.for_turns * SHARE_KEPT)

    @property
    def most_of_a_quote(self) -> int:
        """Whatever the rate and the models: else quotes in the history would change with these."""
        return int(self.history_tokens * SHARE_OF_A_QUOTE)

    @property
    def most_of_a_summary(self) -> int:
        """Of one that is made now."""
        tokens = int(self.most / max(self.rate, 1.0))  # or what is made at a low rate would be too much
        return int((tokens - self.system_tokens) * SHARE_OF_A_SUMMARY)

    def for_a_summary(self, former: str) -> int:
        """Of turns that one is made from, beside the former and itself, as if both took all they may.

        So it is the same for each piece of a long one, and how many there will be is known. 0: each request would
        read more of what is no turn than of turns, and is not worth its price.
        """
        most = self.most_of_a_summary
        if self.for_turns - 2 * most < self.system_tokens + most:
            return 0
        return max(self.for_turns - most - max(most, estimate_tokens(former)), 0)  # it may be of a lower rate

    def is_too_much(self, summary: str) -> bool:
        """It was made when there was more for turns. Whatever the rate: else it was made anew as that rises."""
        return estimate_tokens(summary) > replace(self, rate=1.0).most_of_a_summary


def estimate_tokens(text: str) -> int:
    """How many tokens a text costs, estimated high, without a tokenizer.

    High even for a small English vocabulary in Latin, Greek and Cyrillic scripts, in code and figures. A model
    that was not made for a script can need up to twice the estimate there, and so can keys and hashes.
    """
    data = text.encode("utf-8", "surrogatepass")
    rest = data.translate(None, _WORDS)
    return -(-((len(data) - len(rest)) * _WORDS_COST + sum(rest.translate(_COSTS))) // 24)


def system_tokens(system_prompt: str) -> int:
    return TOKENS_PER_MESSAGE + estimate_tokens(system_prompt)


def cut_to(text: str, *, tokens: int, cost: Callable[[str], int] = estimate_tokens) -> str:
    """*text*, or as much of its beginning as *tokens* pay for, with a mark; empty where not even that fits."""
    if cost(text) <= tokens:
        return text
    lengths = range(len(text))
    length = bisect_right(lengths, tokens, key=lambda length: cost(text[:length] + CUT)) - 1
    return text[:length].rstrip() + CUT if length > 0 else ""
