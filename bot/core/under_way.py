"""The answers under way, as deletions and edits find them: those that are just being taken up, too."""

from collections.abc import Callable, Collection

from bot.core.answering import Answering
from bot.core.effort import Effort
from bot.core.errors import BotError, Reworded, Withdrawn
from bot.core.generation import Generated
from bot.core.messages import Erased, Kind, TakenUp


class UnderWay:
    def __init__(self, *, taking_up: Callable[[], bool]) -> None:
        """*taking_up*: something may have been taken up in the store of which nobody here knows yet."""
        self._taking_up = taking_up
        self._answers: dict[int, tuple[TakenUp, Answering]] = {}
        self._early: dict[int, BotError] = {}  # what came over answers that nobody here knew of
        self._efforts: dict[int, Effort] = {}  # by answer, of those that are begun anew
        self._unstored: dict[int, Generated] = {}  # by answer, the texts that the store did not take

    def begin(self, taken: TakenUp) -> Answering:
        answering = Answering(
            effort=self._efforts.pop(taken.answer_id, None), unstored=self._unstored.pop(taken.answer_id, None)
        )
        self._answers[taken.answer_id] = taken, answering
        if why := self._early.get(taken.answer_id):
            answering.stop(why)
        if not self._taking_up():
            self._early.clear()
        return answering

    def end(self, taken: TakenUp) -> None:
        _, answering = self._answers.pop(taken.answer_id)
        if isinstance(answering.stopped, Reworded):
            self._efforts[taken.answer_id] = answering.effort
        elif answering.unstored is not None:
            self._unstored[taken.answer_id] = answering.unstored

    def asked(self, message_id: int) -> tuple[int, ...]:
        """The answers to this message, or to what brought it along."""
        return tuple(
            answer_id
            for answer_id, (taken, _) in self._answers.items()
            if any(turn.message_id == message_id for turn in taken.questions)
        )

    def stop_erased(self, erased: Erased) -> None:
        """Stop the answers whose question was deleted, and begin those anew whose prompt is to hold what was."""
        for answer_id in erased.answers:
            self._efforts.pop(answer_id, None)
            self._unstored.pop(answer_id, None)
            if answer_id in self._answers:
                self._answers[answer_id][1].stop(Withdrawn())
            elif self._taking_up():
                self._early[answer_id] = Withdrawn()
        self.reworded(None, erased.beside)

    def reworded(self, message_id: int | None, answers: Collection[int]) -> None:
        """A message was edited, or some deleted, in the conversations of these answers, which have no text yet."""
        for answer_id in answers:
            self._unstored.pop(answer_id, None)
            if answer_id in self._answers:
                taken, answering = self._answers[answer_id]
                asks = {turn.message_id for turn in taken.questions if turn.kind is not Kind.QUOTE}
                answering.reword(question=message_id in asks)
            elif self._taking_up():
                self._early.setdefault(answer_id, Reworded())
