"""How the model server answers, and what: every answer says which question it is to."""

import re
from dataclasses import dataclass, replace

_LAST_WORDS = re.compile(r"That was answer (\d+)\.$")


@dataclass(frozen=True, kw_only=True)
class Script:
    """*pieces* pieces, *gap_seconds* apart: few and large ones, since writing them is not what is measured."""

    pieces: int
    gap_seconds: float

    @property
    def seconds(self) -> float:
        """From the first piece to the last."""
        return (self.pieces - 1) * self.gap_seconds

    def pieces_of(self, number: int) -> list[str]:
        if self.pieces == 1:
            return [replace(self, pieces=2).text_of(number)]
        first = f"This is the answer to question {number}, and it begins with a whole sentence. "
        between = [f"Sentence {n} goes on about it for a while. " for n in range(2, self.pieces)]
        return [first, *between, f"That was answer {number}."]

    def text_of(self, number: int) -> str:
        return "".join(self.pieces_of(number))


def question_text(mention: str, number: int) -> str:
    return f"{mention} Why is the sky blue? This is question {number}"


def number_asked(text: str) -> int:
    """The last question's number in a prompt's last message."""
    return int(re.findall(r"question (\d+)", text)[-1])


def answer_ended_by(text: str) -> int | None:
    """The number of the answer whose last words these are."""
    found = _LAST_WORDS.search(text.rstrip())
    return int(found[1]) if found else None
