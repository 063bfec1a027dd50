"""The answers under way, as deletions and edits find them: those that are just being taken up, too.

Each is known by its row and its question: SQLite gives the number of a row that was erased to the next answer.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from bot.core.answering import Answering
from bot.core.effort import Effort
from bot.core.errors import BotError, Reworded, Withdrawn
from bot.core.generation import Generated
from bot.core.messages import Erased, Kind, TakenUp


class _Key(NamedTuple):
    answer_id: int
    question_id: int  # the message's, or the interaction's


class _Kept(NamedTuple):
    """Of an answer, between two of its take-ups."""

    effort: Effort | None = None  # of one that is begun anew
    unstored: Generated | None = None  # a text that the store did not take


class UnderWay:
    def __init__(self, *, taking_up: Callable[[], bool]) -> None:
        """*taking_up*: something may have been taken up in the store of which nobody here knows yet."""
        self._taking_up = taking_up
        self._answers: dict[_Key, tuple[TakenUp, Answering]] = {}
        self._early: dict[int, BotError] = {}  # what came over answers that nobody here knew of
        self._kept: dict[_Key, _Kept] = {}
        self.left: set[int] = (
            set()
        )  # withdrawn answers whose rows nobody here lets go of, unless the store is asked to

    def begin(self, taken: TakenUp) -> Answering:
        key = _key(taken)
        kept = self._kept.get(key, _Kept())
        self._let_go(key.answer_id)
        answering = Answering(effort=kept.effort, unstored=kept.unstored)
        self._answers[key] = taken, answering
        if why := self._early.pop(key.answer_id, None):  # once: the next of this number may be another answer
            answering.stop(why)
        if not self._taking_up():
            self.left |= {answer_id for answer_id, why in self._early.items() if isinstance(why, Withdrawn)}
            self._early.clear()
        return answering

    def end(self, taken: TakenUp) -> None:
        key = _key(taken)
        _, answering = self._answers.pop(key)
        if isinstance(answering.stopped, Reworded):
            self._kept[key] = _Kept(effort=answering.effort)
        elif answering.unstored is not None:
            self._kept[key] = _Kept(unstored=answering.unstored)
        if isinstance(answering.stopped, Withdrawn):
            self.left.add(key.answer_id)  # it may have ended before that could be stored

    def asked(self, message_id: int) -> tuple[int, ...]:
        """The answers to this message, or to what brought it along."""
        return tuple(
            key.answer_id
            for key, (taken, _) in self._answers.items()
            if any(turn.message_id == message_id for turn in taken.questions)
        )

    def stop_erased(self, erased: Erased) -> None:
        """Stop the answers whose question was deleted, and begin those anew whose prompt is to hold what was."""
        for answer_id in erased.answers:
            self._let_go(answer_id)
            under_way = self._of(answer_id)
            for _, answering in under_way:
                answering.stop(Withdrawn())
            if under_way:
                continue
            if self._taking_up():
                self._early[answer_id] = Withdrawn()
            else:
                self.left.add(answer_id)
        self.reworded(None, erased.beside)

    def reworded(self, message_id: int | None, answers: Collection[int]) -> None:
        """A message was edited, or some deleted, in the conversations of these answers, which have no text yet."""
        for answer_id in answers:
            self._let_go(answer_id, texts_only=True)
            under_way = self._of(answer_id)
            for taken, answering in under_way:
                asks = {turn.message_id for turn in taken.questions if turn.kind is not Kind.QUOTE}
                answering.reword(question=message_id in asks)
            if not under_way and self._taking_up():
                self._early.setdefault(answer_id, Reworded())

    def _of(self, answer_id: int) -> list[tuple[TakenUp, Answering]]:
        return [each for key, each in self._answers.items() if key.answer_id == answer_id]

    def _let_go(self, answer_id: int, *, texts_only: bool = False) -> None:
        """Of what is kept of it, whatever its question was."""
        for key, kept in list(self._kept.items()):
            if key.answer_id == answer_id and not (texts_only and kept.unstored is None):
                del self._kept[key]


def _key(taken: TakenUp) -> _Key:
    return _Key(taken.answer_id, taken.address.message_id)
