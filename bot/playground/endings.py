"""How each question ended, for whoever waits to know."""

import asyncio
from collections import defaultdict

from bot.core.answer import GOES_ON
from bot.core.messages import Outcome, TakenUp
from bot.core.wording import TOLD

_GOOD = frozenset({Outcome.COMPLETE.value, Outcome.LENGTH.value, TOLD, "resumed"})


class Endings:
    def __init__(self) -> None:
        self._ends: defaultdict[int, asyncio.Future[bool]] = defaultdict(
            lambda: asyncio.get_running_loop().create_future()
        )

    def record(self, taken: TakenUp, outcome: str) -> None:
        """Implements the answerer's *ended*."""
        if outcome in GOES_ON:
            return
        for question in taken.questions:
            if question.message_id is not None and not (end := self._ends[question.message_id]).done():
                end.set_result(outcome in _GOOD)

    async def answered(self, message_id: int) -> bool:
        """Whether the question was answered; waits until it is known."""
        return await self._ends[message_id]
