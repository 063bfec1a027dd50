"""The right to ask the model, shared fairly: who has least goes first.

Conversations wait for it, each on behalf of the person whose question is next there. Of those that wait, the
person with the fewest answers under way comes first, then the one who was served longest ago, then whoever
waits longest. So a person who floods many channels waits behind everybody who asked once.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from bot.core.messages import ConversationKey

NOWHERE = ConversationKey(channel_id=0)  # instead of a conversation, which others may share
BACKGROUND = -1  # instead of a person: comes after everybody
PEOPLE_REMEMBERED = 10_000  # before who was served when is forgotten: it only parts those who wait


@dataclass(slots=True, eq=False)
class _Waiting:
    key: ConversationKey
    person: int
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Slot:
    """One answer's place at the model. Between two attempts it is given back and taken again."""

    __slots__ = ("_held", "_slots", "key", "person")

    def __init__(self, slots: "FairSlots", key: ConversationKey, person: int) -> None:
        self._slots = slots
        self._held = True
        self.key = key
        self.person = person

    async def take(self) -> None:
        """Wait for it, if it was given back."""
        if not self._held:
            await self._slots._wait(self.key, self.person)  # noqa: SLF001 - they are one thing
            self._held = True

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._slots._give_back(self.person)  # noqa: SLF001


class FairSlots:
    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: list[_Waiting] = []
        self._under_way: Counter[int] = Counter()
        self._served: dict[int, int] = {}
        self._turns = 0

    @property
    def waiting(self) -> int:
        """How many conversations wait."""
        return len(self._waiting)

    def ahead_of(self, key: ConversationKey) -> int:
        """How many conversations that wait come before this one, as it stands now."""
        order = sorted(self._waiting, key=self._rank)
        return next((n for n, waiting in enumerate(order) if waiting.key == key), 0)

    def take_at_once(self, key: ConversationKey, person: int) -> Slot | None:
        """A slot, if one is free and nobody waits."""
        if self._free == 0 or self._waiting:
            return None
        self._serve(person)
        return Slot(self, key, person)

    async def take(self, key: ConversationKey, person: int) -> Slot:
        await self._wait(key, person)
        return Slot(self, key, person)

    async def _wait(self, key: ConversationKey, person: int) -> None:
        if self._free and not self._waiting:
            self._serve(person)
            return
        waiting = _Waiting(key, person)
        self._waiting.append(waiting)
        try:
            await waiting.granted
        except asyncio.CancelledError:
            if waiting.granted.cancelled():
                self._waiting = [one for one in self._waiting if one is not waiting]
            else:
                self._give_back(person)
            raise

    def _serve(self, person: int) -> None:
        self._free -= 1
        self._under_way[person] += 1
        if len(self._served) >= PEOPLE_REMEMBERED:
            self._served.clear()
        self._turns += 1
        self._served[person] = self._turns

    def _give_back(self, person: int) -> None:
        self._free += 1
        self._under_way[person] -= 1
        if not self._under_way[person]:
            del self._under_way[person]
        while self._free and self._waiting:
            first = min(self._waiting, key=self._rank)
            self._waiting.remove(first)
            if first.granted.cancelled():
                continue
            self._serve(first.person)
            first.granted.set_result(None)

    def _rank(self, waiting: _Waiting) -> tuple[bool, int, int]:
        return waiting.person == BACKGROUND, self._under_way[waiting.person], self._served.get(waiting.person, 0)
