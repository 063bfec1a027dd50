"""Looking back at what is stored: so often a minute for each person, for all one search and one file at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.core.admission import Admission
from bot.core.archive import Archive, Memory
from bot.core.errors import NotTakenOn
from bot.core.export import Export, Title, export_conversation, export_own
from bot.core.history import TokenBudget
from bot.core.messages import ConversationKey
from bot.core.ports import Clock
from bot.core.recall import Found, recall
from bot.core.why import Made


class LookUps:
    """Raises DatabaseUnavailable. One that runs leaves the store to others between its pages."""

    def __init__(self, archive: Archive, *, budget: TokenBudget, admission: Admission, clock: Clock) -> None:
        self._archive = archive
        self._budget = budget  # of prompts
        self._admission = admission
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._one_file = asyncio.Lock()  # in memory, until it is handed over

    def refuse(self, person: int) -> NotTakenOn | None:
        """Why they may not look just now; None, and it is counted, if they may."""
        return self._admission.refuse_look_up(person)

    async def memory(self, key: ConversationKey) -> Memory:
        return await self._archive.memory(key, self._budget)

    async def made(self, message_id: int, *, channel_id: int) -> Made | None:
        return await self._archive.made(message_id, channel_id=channel_id)

    async def recall(self, person: int, key: ConversationKey, words: str) -> Found:
        async with self._one_at_a_time:
            return await recall(self._archive, key, words, reader=person)

    @asynccontextmanager
    async def exported_conversation(
        self, person: int, key: ConversationKey, *, place: str, bot: str, as_json: bool, most_bytes: int
    ) -> AsyncIterator[Export]:
        """The file; hand it over within the block."""
        title = Title(place=place, bot=bot, at=self._clock.now())
        async with self._one_file:
            yield await export_conversation(
                self._archive, key, title, reader=person, as_json=as_json, most_bytes=most_bytes
            )

    @asynccontextmanager
    async def exported_own(self, person: int, *, most_bytes: int) -> AsyncIterator[Export]:
        """The same for all that is stored of a person."""
        async with self._one_file:
            yield await export_own(self._archive, person, at=self._clock.now(), most_bytes=most_bytes)
