"""Looking back at what is stored: so often a minute for each person, for all one search and one file at a time.

Of those who wait, whoever was served longest ago comes first, and each person has one that waits: nobody holds
up the others.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bot.core.admission import Admission
from bot.core.archive import Archive, Memory
from bot.core.as_told import AsTold
from bot.core.errors import DiscordUnavailable, NotTakenOn, TooManyWaiting
from bot.core.export import Export, Title, export_conversation, export_own
from bot.core.fair_slots import NOWHERE, FairSlots
from bot.core.messages import ConversationKey
from bot.core.ports import Clock
from bot.core.recall import Found, recall
from bot.core.tokens import TokenBudget
from bot.core.why import Made

SECONDS_TO_HAND_OVER = 60.0  # a file, which others wait for
ONE_WAITS = "I haven't come to what you asked me for just before. Please wait for that, then ask me again."


class _OneAtATime:
    def __init__(self) -> None:
        self._slots = FairSlots(1)
        self._waiting: set[int] = set()

    @asynccontextmanager
    async def of(self, person: int, key: ConversationKey) -> AsyncIterator[None]:
        if person in self._waiting:
            raise TooManyWaiting(ONE_WAITS)
        self._waiting.add(person)
        try:
            slot = await self._slots.take(key, person)
        finally:
            self._waiting.discard(person)
        try:
            yield
        finally:
            slot.give_back()


class LookUps:
    """Raises DatabaseUnavailable; searches and files, one of which may wait for each person, TooManyWaiting too.

    What runs leaves the store to others between its pages.
    """

    def __init__(
        self,
        archive: Archive,
        *,
        as_told: AsTold,
        budget: Callable[[], TokenBudget],
        admission: Admission,
        clock: Clock,
    ) -> None:
        self._archive = archive
        self._as_told = as_told
        self._budget = budget  # of prompts
        self._admission = admission
        self._clock = clock
        self._searches = _OneAtATime()
        self._files = _OneAtATime()  # in memory, until they are handed over

    def admit(self, person: int) -> NotTakenOn | None:
        """Count it, or say why they may not look just now."""
        return self._admission.admit_look_up(person)

    async def memory(self, key: ConversationKey) -> Memory:
        await self._as_told.prompt(key)
        return await self._archive.memory(key, self._budget())

    async def made(self, message_id: int, *, channel_id: int) -> Made | None:
        await self._as_told.figures()
        return await self._archive.made(message_id, channel_id=channel_id)

    async def recall(self, person: int, key: ConversationKey, words: str) -> Found:
        async with self._searches.of(person, key):
            await self._as_told.conversation(key)
            return await recall(self._archive, key, words, reader=person)

    @asynccontextmanager
    async def exported_conversation(
        self, person: int, key: ConversationKey, *, place: str, bot: str, as_json: bool, most_bytes: int
    ) -> AsyncIterator[Export]:
        """The file; hand it over within the block. Raises DiscordUnavailable where that takes too long."""
        title = Title(place=place, bot=bot, at=self._clock.now())
        async with self._files.of(person, key):
            await self._as_told.conversation(key)
            made = await export_conversation(
                self._archive, key, title, reader=person, as_json=as_json, most_bytes=most_bytes
            )
            async with self._handing_over():
                yield made

    @asynccontextmanager
    async def exported_own(self, person: int, *, most_bytes: int) -> AsyncIterator[Export]:
        """A file of all that is stored of a person; hand it over within the block. Raises DiscordUnavailable."""
        async with self._files.of(person, NOWHERE):
            await self._as_told.own(person)
            made = await export_own(self._archive, person, at=self._clock.now(), most_bytes=most_bytes)
            async with self._handing_over():
                yield made

    @asynccontextmanager
    async def _handing_over(self) -> AsyncIterator[None]:
        try:
            async with self._clock.deadline(SECONDS_TO_HAND_OVER):
                yield
        except TimeoutError as error:
            raise DiscordUnavailable("a file was not taken in time") from error
