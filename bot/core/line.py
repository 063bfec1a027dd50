"""Who waits, in memory: the rows are in the store, and this is what deciding about them takes."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bot.core.messages import ConversationKey, WaitingQuestion


@dataclass(slots=True, kw_only=True, eq=False)
class Place:
    """A question's place in the line."""

    question: WaitingQuestion
    since: float  # monotonic seconds
    stored: bool = False  # its row is written
    noticed: bool = False  # its author was told that it waits
    left: asyncio.Event = field(default_factory=asyncio.Event)


class Line:
    def __init__(self) -> None:
        self._places: dict[ConversationKey, dict[int, Place]] = {}
        self._of_person: Counter[int] = Counter()
        self._in_channel: Counter[int] = Counter()
        self.joined = asyncio.Event()  # set whenever somebody joins

    def __len__(self) -> int:
        return self._of_person.total()

    def __iter__(self) -> Iterator[Place]:
        return (place for places in self._places.values() for place in places.values())

    def join(self, question: WaitingQuestion, *, since: float, stored: bool = False) -> Place:
        """Its place: a new one, or the one that it has already."""
        places = self._places.setdefault(question.key, {})
        place = places.get(question.address.message_id)
        if place is None:
            place = Place(question=question, since=since, stored=stored)
            places[question.address.message_id] = place
            self._count(place, 1)
            self.joined.set()
        return place

    def leave(self, key: ConversationKey, message_ids: Iterable[int]) -> None:
        places = self._places.get(key, {})
        for message_id in message_ids:
            place = places.pop(message_id, None)
            if place is not None:
                self._count(place, -1)
                place.left.set()
        if not places:
            self._places.pop(key, None)

    def leave_everywhere(self, message_ids: Iterable[int]) -> None:
        ids = set(message_ids)
        for key in list(self._places):
            self.leave(key, ids)

    def nothing_stored(self, key: ConversationKey) -> None:
        """The store says that nothing waits there."""
        self.leave(key, [id_ for id_, place in self._places.get(key, {}).items() if place.stored])

    def first(self, key: ConversationKey) -> WaitingQuestion | None:
        """The question with the lowest Discord id."""
        places = self._places.get(key)
        return places[min(places)].question if places else None

    def first_stored(self, key: ConversationKey) -> WaitingQuestion | None:
        """The lowest of those that are stored, and so sure to be answered."""
        places = self._places.get(key, {})
        stored = min((id_ for id_, place in places.items() if place.stored), default=None)
        return None if stored is None else places[stored].question

    def ahead_of(self, question: WaitingQuestion) -> list[Place]:
        """The places before it in its conversation, the next one last."""
        places = self._places.get(question.key, {})
        return [places[id_] for id_ in sorted(places) if id_ < question.address.message_id]

    def of_person(self, author_id: int) -> int:
        return self._of_person[author_id]

    def in_channel(self, channel_id: int) -> int:
        return self._in_channel[channel_id]

    def oldest(self) -> float | None:
        """Since when the one waits that waits longest."""
        return min((place.since for place in self), default=None)

    def _count(self, place: Place, change: int) -> None:
        for counter, id_ in (
            (self._of_person, place.question.author_id),
            (self._in_channel, place.question.key.channel_id),
        ):
            counter[id_] += change
            if not counter[id_]:
                del counter[id_]
