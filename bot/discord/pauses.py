"""What failed is tried again when a mark is written, and lets more and more marks pass before."""

from collections import Counter
from collections.abc import KeysView

MOST_PASSED_OVER = 31  # marks, one in ten seconds: what fails for long is tried every five minutes


class Pauses:
    def __init__(self) -> None:
        self._passing: dict[int, int] = {}  # how many marks are still let pass, by what failed
        self._tries: Counter[int] = Counter()  # in vain

    def fail(self, what: int) -> None:
        self._passing[what] = min(2 ** max(self._tries[what] - 1, 0) - 1, MOST_PASSED_OVER)
        self._tries[what] += 1

    def due(self) -> list[int]:
        """With a mark: what is to be tried again now."""
        due = [what for what, marks in self._passing.items() if not marks]
        self._passing = {what: marks - 1 for what, marks in self._passing.items() if marks}
        return due

    def waits(self, what: int) -> bool:
        return what in self._passing

    @property
    def failed(self) -> KeysView[int]:
        """What waits, or is being tried again."""
        return self._tries.keys()

    def end(self, what: int) -> None:
        """It is over with: should it fail another time, it begins with the shortest pause."""
        self._passing.pop(what, None)
        del self._tries[what]
