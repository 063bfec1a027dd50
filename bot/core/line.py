"""Who waits, in memory: the rows are in the store, and this is what deciding about them takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.core.messages import ConversationKey, WaitingQuestion


@dataclass(slots=True, kw_only=True)
class Place:
    """A question's place in the line. *stored* is False while its row is being written."""

    question: WaitingQuestion
    since: float  # monotonic seconds
    stored: bool = False


class Line:
    def __init__(self) -> None:
        self._places: dict[ConversationKey, dict[int, Place]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def __iter__(self) -> Iterator[Place]:
        return (place for places in self._places.values() for place in places.values())

    def join(self, question: WaitingQuestion, *, since: float, stored: bool = False) -> Place:
        place = Place(question=question, since=since, stored=stored)
        return self._places.setdefault(question.key, {}).setdefault(question.address.message_id, place)

    def leave(self, key: ConversationKey, message_ids: Iterable[int]) -> None:
        places = self._places.get(key, {})
        for message_id in message_ids:
            places.pop(message_id, None)
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

    def ahead_of(self, question: WaitingQuestion) -> int:
        """How many questions come before it in its conversation."""
        return sum(1 for id_ in self._places.get(question.key, {}) if id_ < question.address.message_id)

    def of_person(self, author_id: int) -> int:
        return sum(1 for place in self if place.question.author_id == author_id)

    def in_channel(self, channel_id: int) -> int:
        return sum(len(places) for key, places in self._places.items() if key.channel_id == channel_id)

    def oldest(self) -> float | None:
        """Since when the one waits that waits longest."""
        return min((place.since for place in self), default=None)
