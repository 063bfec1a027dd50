"""What people may know, and have erased, of what is stored of them: the values."""

from dataclasses import dataclass

from bot.core.messages import Erased


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What is stored of a person."""

    messages: int = 0  # of theirs, those that others' questions brought along included
    answers: int = 0  # to them
    records: int = 0  # of what a request to the model cost, with their id

    @property
    def is_nothing(self) -> bool:
        return not (self.messages or self.answers or self.records)


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """A person was forgotten: what was theirs until then, and what the deletion reached."""

    share: Share
    erased: Erased
