"""What an estimated token turned out to be is learned from what providers report, never from one report alone."""

from collections import OrderedDict
from statistics import median

from bot.core.messages import Conversation

# How many tokens one estimated token is: below are what large vocabularies need of code, above are single bytes.
LOWEST_RATE, HIGHEST_RATE = 0.2, 3.5
RATE_IS_KNOWN = 0.01  # a difference so small is not worth a write
REPORTS_KEPT = 10_000  # conversations; one that is forgotten learns a turn later


class TokenRates:
    """The report before, by conversation: one report alone moves nothing, however wrong it is."""

    def __init__(self) -> None:
        self._before: OrderedDict[int, float] = OrderedDict()

    def learned(self, conversation: Conversation, *, estimated: int | None, reported: int | None) -> float | None:
        """The conversation's rate after a request of which *reported* tokens were counted; None: as it was.

        It goes halfway to the middle one of what was known and the last two reports, so that another model that
        stands in for a while is no more than that.
        """
        if not reported or not estimated:
            return None
        known = conversation.token_rate
        found = min(max(known * reported / estimated, LOWEST_RATE), HIGHEST_RATE)
        before = self._before.pop(conversation.id, known)
        self._before[conversation.id] = found
        if len(self._before) > REPORTS_KEPT:
            self._before.popitem(last=False)
        likely = median((known, before, found))
        return (known + likely) / 2 if abs(likely - known) > RATE_IS_KNOWN * known else None
