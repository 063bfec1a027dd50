"""Looking back at what is stored: so often a minute for each person, and one at a time for all."""

import asyncio

from bot.core.admission import Admission
from bot.core.archive import Archive
from bot.core.errors import NotTakenOn
from bot.core.messages import ConversationKey
from bot.core.recall import Found, recall


class LookUps:
    """Raises DatabaseUnavailable. One that runs leaves the store to others between its pages."""

    def __init__(self, archive: Archive, *, admission: Admission) -> None:
        self._archive = archive
        self._admission = admission
        self._one_at_a_time = asyncio.Lock()

    def refuse(self, person: int) -> NotTakenOn | None:
        """Why they may not look just now; None, and it is counted, if they may."""
        return self._admission.refuse_look_up(person)

    async def recall(self, key: ConversationKey, words: str) -> Found:
        async with self._one_at_a_time:
            return await recall(self._archive, key, words)
