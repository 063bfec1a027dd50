"""How long a prompt the models read, as far as they refused a longer one.

In memory: a start finds it out anew, as the model may be another one, or its server be given a larger context.
"""

import logging
from collections.abc import Sequence

from bot.core.completions import Prompt
from bot.core.errors import ContextTooLong

log = logging.getLogger(__name__)

SHARE_OF_A_REFUSED = 0.75  # of a prompt that was too long, where the provider doesn't say how long one may be


class Contexts:
    def __init__(self, models: Sequence[str]) -> None:
        self._models = models
        self._most: dict[str, int] = {}

    @property
    def most_read(self) -> int | None:
        """Tokens of a prompt that some model may read. None: there is one that refused none so far."""
        if all(model in self._most for model in self._models):
            return max(self._most.values(), default=None)
        return None

    def refused(self, model: str, prompt: Prompt, error: ContextTooLong) -> None:
        """*prompt* was too long for it, and something of the history was in it."""
        known = model in self._most
        self._most[model] = most = min(_most_after(prompt, error), self._most.get(model, prompt.tokens))
        log.log(
            logging.INFO if known else logging.WARNING,  # told once
            "model=%s reads less than HISTORY_TOKENS: a prompt of some %d tokens was too long for it. Until the "
            "next start it is taken to read %d. Set HISTORY_TOKENS to what it reads, less MAX_ANSWER_TOKENS.",
            model,
            prompt.tokens,
            most,
        )


def _most_after(prompt: Prompt, error: ContextTooLong) -> int:
    if error.reads is not None:
        # Most servers want the longest answer to fit behind the prompt.
        most = max(error.reads - prompt.max_answer_tokens, error.reads // 2)
        if most < prompt.tokens:  # else the prompt has more tokens than estimated
            return most
    return int(prompt.tokens * SHARE_OF_A_REFUSED)
