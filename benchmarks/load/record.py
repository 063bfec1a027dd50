"""What the stage saw of a scenario. Times are `time.monotonic()`, which all processes of a machine share."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

REFUSED = 429


@dataclass(frozen=True, kw_only=True)
class Question:
    number: int
    channel: int
    author: int
    message_id: int
    sent_at: float  # the loopback begins to send MESSAGE_CREATE


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of the program's to Discord. *ends* is the number of the answer whose last words it held."""

    method: str
    route: str
    arrived_at: float
    status: int | None  # None: it was not answered before the record was read
    ends: int | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A message of the program's that stands in a channel. Only a message that begins an answer is a reply."""

    channel: int
    message_id: int
    reply_to: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Record:
    questions: Sequence[Question]
    requests: Sequence[Request]
    standing: Sequence[Standing]
    model_asked: Mapping[int, float]  # when the request for an answer arrived at the model server

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            questions=[Question(**each) for each in data["questions"]],
            requests=[Request(**each) for each in data["requests"]],
            standing=[Standing(**each) for each in data["standing"]],
            model_asked={int(number): at for number, at in data["model_asked"].items()},
        )

    def in_channels(self, channels: Collection[int]) -> "Record":
        """What was asked there, and what came of it; *requests* is left with those that ended an answer."""
        questions = [question for question in self.questions if question.channel in channels]
        numbers = {question.number for question in questions}
        return replace(
            self,
            questions=questions,
            requests=[request for request in self.requests if request.ends in numbers],
            standing=[message for message in self.standing if message.channel in channels],
            model_asked={number: at for number, at in self.model_asked.items() if number in numbers},
        )

    @property
    def refused(self) -> int:
        return sum(request.status == REFUSED for request in self.requests)

    @property
    def arrivals(self) -> list[float]:
        return [request.arrived_at for request in self.requests]

    @property
    def ended_at(self) -> dict[int, float]:
        """When the last words of each answer first arrived at Discord, refusals aside."""
        ended: dict[int, float] = {}
        for request in self.requests:
            if request.ends is not None and request.status != REFUSED:
                ended[request.ends] = min(request.arrived_at, ended.get(request.ends, request.arrived_at))
        return ended
