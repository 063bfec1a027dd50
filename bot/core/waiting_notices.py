"""Nobody waits unknowing: who has waited for some seconds is told how many come first.

The notice is a message in the place where the answer will stand; the answer replaces it.
"""

import asyncio
import logging
from collections.abc import Callable

from bot.core.errors import BotError
from bot.core.line import Line, Place
from bot.core.messages import Kind, WaitingQuestion
from bot.core.ports import Clock, Replies
from bot.core.wording import waiting_sentence

log = logging.getLogger(__name__)

SECONDS_BEFORE_NOTICE = 5.0
SECONDS_BETWEEN_LOOKS = 0.25


class WaitingNotices:
    """*ahead_of*: how many questions are answered before this one, as it stands now."""

    def __init__(
        self, line: Line, *, replies: Replies, clock: Clock, ahead_of: Callable[[WaitingQuestion], int]
    ) -> None:
        self._line = line
        self._replies = replies
        self._clock = clock
        self._ahead_of = ahead_of
        self._telling: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                self._line.joined.clear()
                seconds = self._tell_all_due()
                if seconds is None:
                    await self._line.joined.wait()
                else:
                    await self._clock.sleep(max(seconds, SECONDS_BETWEEN_LOOKS))
        finally:
            for task in self._telling:
                task.cancel()
            await asyncio.gather(*self._telling, return_exceptions=True)

    def _tell_all_due(self) -> float | None:
        """Tell everybody who has waited long enough; seconds until the next will have, None if nobody waits."""
        now = self._clock.monotonic()
        untold = [place for place in self._line if not place.noticed]
        for place in untold:
            if self._seconds_left(place, now) <= 0 and place.stored and not self._is_told_with_another(place):
                place.noticed = True
                self._tell(place)
        waits = [self._seconds_left(place, now) for place in untold if not place.noticed]
        # Who is told with another may be left alone by them.
        return min((wait if wait > 0 else SECONDS_BEFORE_NOTICE for wait in waits), default=None)

    @staticmethod
    def _seconds_left(place: Place, now: float) -> float:
        return place.since + SECONDS_BEFORE_NOTICE - now

    def _is_told_with_another(self, place: Place) -> bool:
        """Neighbours of one author are answered together, and told of together."""
        for before in reversed(self._line.ahead_of(place.question)):
            if not _alike(before.question, place.question):
                return False
            if before.noticed:
                return True
        return False

    def _tell(self, place: Place) -> None:
        sentence = waiting_sentence(self._ahead_of(place.question))
        task = asyncio.create_task(self._say(place, sentence), name="waiting notice")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _say(self, place: Place, sentence: str) -> None:
        try:
            await self._replies.say_waiting(place.question, sentence, unless=place.left)
        except BotError as error:
            log.info("a notice was not shown: channel=%d: %s", place.question.key.channel_id, error)
        except Exception:
            log.exception("a notice was not shown by a fault of ours")


def _alike(one: WaitingQuestion, other: WaitingQuestion) -> bool:
    return one.author_id == other.author_id and Kind.SLASH not in (one.kind, other.kind)
