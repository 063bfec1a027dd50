"""Passed before prompts, summaries and looking back: they read as Discord told it, without what was deleted.

What is kept until the database takes it is carried out first. What the database alone refuses holds up nobody
but those who would read just that as it was: a message, or what was said in a channel or server that is gone.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from bot.core.changes import Changes
from bot.core.errors import SetAside
from bot.core.messages import ConversationKey


class MessagesHeld(Protocol):
    """Where the words of a message are, as the question, a quote or an answer. DatabaseUnavailable.

    An id is a message's, or stands for all that was said in a channel, in the threads below it, or in a server.
    """

    async def prompts_hold(self, key: ConversationKey, ids: Collection[int]) -> bool:
        """Whether any of these is in what prompts of the conversation are built from: since its last reset."""

    async def conversation_holds(self, key: ConversationKey, ids: Collection[int]) -> bool:
        """Whether any of these is in what was ever said there."""

    async def own_hold(self, person: int, ids: Collection[int]) -> bool:
        """Whether any of these is in what a person said anywhere, or in the answers to that."""


class AsTold:
    """Each method returns when what it names may be read. Raises DatabaseUnavailable, SetAside: not now."""

    def __init__(self, changes: Changes, store: MessagesHeld) -> None:
        self._changes = changes
        self._store = store

    async def prompt(self, key: ConversationKey) -> None:
        """What prompts and summaries of that conversation are built from."""
        await self._unless(lambda ids: self._store.prompts_hold(key, ids))

    async def conversation(self, key: ConversationKey) -> None:
        await self._unless(lambda ids: self._store.conversation_holds(key, ids))

    async def own(self, person: int) -> None:
        await self._unless(lambda ids: self._store.own_hold(person, ids))

    async def figures(self) -> None:
        """Of whatever answer: they tell nothing of what was said, so what is set aside is no matter."""
        await self._changes.carry_out()

    async def _unless(self, holds: Callable[[Collection[int]], Awaitable[bool]]) -> None:
        await self._changes.carry_out()
        aside = self._changes.set_aside
        if aside and await holds(aside):
            raise SetAside(
                f"it holds one of {len(aside)} messages, channels and servers whose edit or deletion is set aside"
            )
