"""What is older than the operator keeps is erased: at the start, and then every hour."""

import logging
from datetime import timedelta
from typing import Protocol

from bot.core.errors import DatabaseUnavailable
from bot.core.messages import snowflake_at
from bot.core.ports import Clock
from bot.core.rights import Expired, Retention, Servers

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 3600.0
TURNS_AT_ONCE = 200  # questions looked at in one transaction: others wait behind it
# What was said while the bot was away is stored late, up to a day: so far back is looked at again.
STORED_LATE = timedelta(days=1)


class RetentionStore(Protocol):
    """What letting go of old turns needs of the store. As for TurnStore: one transaction each."""

    async def erase_expired(self, where: Servers, *, after: int, before: int, most: int) -> Expired:
        """Erase the questions between these ids that are done with, with what they brought and their answers.

        No more than *most* are looked at, lowest first.
        """


class Expiry:
    def __init__(self, retention: Retention, *, store: RetentionStore, clock: Clock) -> None:
        self._terms = retention.terms
        self._store = store
        self._clock = clock
        self._after = dict.fromkeys(self._terms, 0)  # what is not beyond this id was looked at

    async def run(self) -> None:
        """Until it is cancelled, or at once where everything is kept."""
        while self._terms:
            try:
                for days, where in self._terms.items():
                    await self._erase(days, where)
            except DatabaseUnavailable as error:
                log.warning("what is too old to be kept waits for the database: %s", error)
            except Exception:
                log.exception("what is too old to be kept waits after a fault of ours")
            await self._clock.sleep(SECONDS_BETWEEN)

    async def _erase(self, days: int, where: Servers) -> None:
        """Everything that is so old there, some turns at a time."""
        over = self._clock.now() - timedelta(days=days)
        before, again = snowflake_at(over), snowflake_at(over - STORED_LATE)
        after: int | None = self._after[days]
        questions = answers = 0
        try:
            while after is not None:
                expired = await self._store.erase_expired(where, after=after, before=before, most=TURNS_AT_ONCE)
                questions, answers = questions + expired.questions, answers + expired.answers
                after = expired.go_on_after
                if expired.unfinished is not None:
                    again = min(again, expired.unfinished - 1)
            self._after[days] = again
        finally:
            if questions:
                log.info("too old to be kept: days=%d questions=%d answers=%d", days, questions, answers)
