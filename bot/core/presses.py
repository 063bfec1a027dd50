"""What the buttons below an answer do: stop it while it is written, and write the last one anew."""

from bot.core.admission import Admission
from bot.core.as_told import AsTold
from bot.core.conversation_queue import ConversationQueue
from bot.core.errors import DatabaseUnavailable, PressRefused, SetAside, Stopped
from bot.core.messages import Press, Reopened
from bot.core.ports import TurnStore

SECONDS_TO_STAND = 5.0
NOT_THEIRS = "Only whoever asked, or a moderator, can do that."
NOT_WRITING = "I'm not writing that answer any more."
UNDER_WAY = "I'm writing that answer already."
NOT_LAST = "I can only rewrite my last answer here, and only until the conversation goes on."
QUESTION_DELETED = "The question was deleted, and my memory of this answer with it, so I can't write it again."
GONE = "That question or its answer is gone, so I can't write it again."
SET_ASIDE = (
    "Something was deleted or edited here, and my memory doesn't take that yet. Until it does, I can't write this "
    "answer again. Please try again later."
)

_WHY_NOT = {
    Reopened.NOT_THEIRS: NOT_THEIRS,
    Reopened.UNDER_WAY: UNDER_WAY,
    Reopened.NOT_LAST: NOT_LAST,
    Reopened.QUESTION_DELETED: QUESTION_DELETED,
    Reopened.GONE: GONE,
}


class Presses:
    def __init__(
        self, *, store: TurnStore, queue: ConversationQueue, admission: Admission, as_told: AsTold
    ) -> None:
        self._store = store
        self._queue = queue
        self._admission = admission
        self._as_told = as_told

    def stop(self, press: Press) -> None:
        """Stop the answer under way: what is there stays. Raises PressRefused."""
        under_way = self._queue.answering_to(press.question_id, press.key)
        if under_way is None:
            raise PressRefused(NOT_WRITING)
        taken, answering = under_way
        if not press.may_concern(taken.question.author_id):
            raise PressRefused(NOT_THEIRS)
        answering.stop(Stopped())

    async def rewrite(self, press: Press) -> None:
        """Write the conversation's last answer anew, in its place. Raises NotTakenOn, DatabaseUnavailable."""
        refusal = self._admission.refuse_press(press)
        if refusal is not None:
            raise refusal
        if (under_way := self._queue.answering_to(press.question_id, press.key)) and not under_way[1].finishing:
            raise PressRefused(UNDER_WAY)
        # The button may be there a moment before it is stored that the answer stands.
        await self._queue.until_answered(press.question_id, press.key, within=SECONDS_TO_STAND)
        reopened = await self._reopen(press)
        if reopened is not Reopened.YES:
            raise PressRefused(_WHY_NOT[reopened])
        self._admission.count_press(press)
        self._queue.wake(press.key)

    async def _reopen(self, press: Press) -> Reopened:
        try:
            await self._as_told.prompt(press.key)  # else it is reopened, and waits without a word
        except SetAside as error:
            raise PressRefused(SET_ASIDE) from error
        try:
            return await self._store.reopen(press)
        except DatabaseUnavailable:
            self._queue.wake(press.key)  # it may be reopened all the same: nobody else would write it
            raise
