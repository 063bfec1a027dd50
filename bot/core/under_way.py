"""The answers under way, as deletions and edits find them: those that are just being taken up, too."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from bot.core.answering import Answering
from bot.core.effort import Effort
from bot.core.errors import BotError, Reworded, Withdrawn
from bot.core.messages import Erased, Kind, Press, TakenUp


class UnderWay:
    def __init__(self, *, taking_up: Callable[[], bool]) -> None:
        """*taking_up*: something may have been taken up in the store of which nobody here knows yet."""
        self._taking_up = taking_up
        self._answers: dict[int, tuple[TakenUp, Answering]] = {}
        self._early: dict[int, BotError] = {}  # what came over answers that nobody here knew of
        self._efforts: dict[int, Effort] = {}  # by answer, of those that are begun anew
        self._pressed: dict[int, int] = {}  # by question: who had its answer reopened

    @contextmanager
    def paid_by(self, press: Press) -> Iterator[None]:
        """The answer is being reopened for this person, who pays for it, unless that fails."""
        before = self._pressed.get(press.question_id)
        self._pressed[press.question_id] = press.person
        try:
            yield
        except BaseException:
            self._pressed.pop(press.question_id, None)
            if before is not None:  # somebody else's press, which was not in vain
                self._pressed[press.question_id] = before
            raise

    def begin(self, taken: TakenUp) -> Answering:
        presser = self._pressed.get(taken.question.message_id or 0)
        answering = Answering(effort=self._efforts.pop(taken.answer_id, None), payer=presser)
        self._answers[taken.answer_id] = taken, answering
        if why := self._early.get(taken.answer_id):
            answering.stop(why)
        if not self._taking_up():
            self._early.clear()
        return answering

    def end(self, taken: TakenUp, *, over: bool) -> None:
        """*over*: it is not taken up again."""
        _, answering = self._answers.pop(taken.answer_id)
        if over or isinstance(answering.stopped, Withdrawn):
            self._pressed.pop(taken.question.message_id or 0, None)
        if isinstance(answering.stopped, Reworded):
            self._efforts[taken.answer_id] = answering.effort

    def stop_erased(self, erased: Erased) -> None:
        """Stop the answers whose question was deleted, and begin those anew whose prompt is to hold what was."""
        for answer_id in erased.answers:
            self._efforts.pop(answer_id, None)
            if answer_id in self._answers:
                self._answers[answer_id][1].stop(Withdrawn())
            elif self._taking_up():
                self._early[answer_id] = Withdrawn()
        self.reworded(None, erased.beside)

    def reworded(self, message_id: int | None, answers: Collection[int]) -> None:
        """A message was edited, or some deleted, in the conversations of these answers, which have no text yet."""
        for answer_id in answers:
            if answer_id in self._answers:
                taken, answering = self._answers[answer_id]
                asks = {turn.message_id for turn in taken.questions if turn.kind is not Kind.QUOTE}
                answering.reword(question=message_id in asks)
            elif self._taking_up():
                self._early.setdefault(answer_id, Reworded())
