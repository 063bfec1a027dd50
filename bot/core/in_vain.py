"""Who was told to ask again is not answered, even where the question was stored and nobody learnt of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from bot.core.errors import DatabaseUnavailable

log = logging.getLogger(__name__)


class InVain:
    """Erases their questions together: an outage in which many ask keeps one deletion and not thousands."""

    def __init__(self, erase: Callable[[Sequence[int]], Awaitable[None]]) -> None:
        self._erase = erase
        self._asked: set[int] = set()  # message ids
        self._erasing: asyncio.Task[None] | None = None

    def asked(self, message_id: int) -> None:
        """Returns at once: who reads on, or is told next, does not wait for the database."""
        self._asked.add(message_id)
        if self._erasing is None:
            self._erasing = asyncio.create_task(self._erase_all(), name="asked in vain")

    async def _erase_all(self) -> None:
        try:
            while self._asked:
                ids = sorted(self._asked)
                await self._erase(ids)
                self._asked.difference_update(ids)
        except DatabaseUnavailable as error:
            log.warning("who was told to ask again may be answered all the same: %s", error)
        finally:
            self._erasing = None
