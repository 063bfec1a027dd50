"""One worker a conversation: turns are answered one after the other, lowest Discord id first.

Waiting turns are rows, not tasks; the line knows of them what deciding takes. A worker lives while its
conversation has something to answer, and takes a turn up when it has a place at the model: the prompt is then
built from what is stored at that moment.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from bot.core.answer import Answerer
from bot.core.answering import Answering
from bot.core.as_told import AsTold
from bot.core.changes import Changes
from bot.core.clock import wait_at_most
from bot.core.errors import DatabaseUnavailable, ShuttingDown
from bot.core.fair_slots import FairSlots, Slot
from bot.core.line import Line
from bot.core.messages import ConversationKey, IncomingMessage, TakenUp, WaitingQuestion
from bot.core.ports import Clock, Missed, TurnStore
from bot.core.tokens import TokenBudget
from bot.core.under_way import UnderWay

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0  # seconds between attempts while the store fails; they begin with one and double
SECONDS_TO_CLOSE = 5.0  # for answers to be closed with a sentence after the grace period; then, for letting go


class _Turn(NamedTuple):
    """What was taken up, as others reach it, with its place at the model."""

    taken: TakenUp
    answering: Answering
    slot: Slot


@dataclass(slots=True, kw_only=True)
class _Worker:
    task: asyncio.Task[None] | None = None
    told: bool = False  # who waits knows that nothing could be taken up
    more: bool = False  # the store may hold more than the line knows of
    taking_up: bool = False
    turn: _Turn | None = None  # under way

    @contextmanager
    def taking_up_in_store(self) -> Iterator[None]:
        self.taking_up = True
        try:
            yield
        finally:
            self.taking_up = False


class ConversationQueue:
    def __init__(
        self,
        *,
        store: TurnStore,
        answerer: Answerer,
        slots: FairSlots,
        clock: Clock,
        budget: Callable[[], TokenBudget],
        missed: Missed,
        changes: Changes,
        as_told: AsTold,
    ) -> None:
        """*changes*: what was edited or deleted, which *as_told* heeds."""
        self._store = store
        self._answerer = answerer
        self._slots = slots
        self._clock = clock
        self._budget = budget
        self._missed = missed
        self.line = Line()
        self._workers: dict[ConversationKey, _Worker] = {}
        self.under_way = UnderWay(taking_up=lambda: any(each.taking_up for each in self._workers.values()))
        self._worker_ended = asyncio.Event()
        self._closing = asyncio.Event()
        self.changes = changes
        self._as_told = as_told
        self._grace_over = False
        self._let_go = False

    async def deliver(self, message: IncomingMessage) -> None:
        """Store the question and see that it is answered. Raises DatabaseUnavailable: nothing was stored."""
        question = WaitingQuestion(
            key=message.key, kind=message.kind, author_id=message.author_id, address=message.address
        )
        place = self.line.join(question, since=self._clock.monotonic())
        stored = False
        try:
            stored = await self._deliver(message)
        finally:
            if stored:
                place.stored = True
            elif place.question is question and not place.stored:  # else it came before, and waits
                self.line.leave(message.key, [message.message_id])

    @property
    def answering(self) -> int:
        """How many answers are under way."""
        return sum(worker.turn is not None for worker in self._workers.values())

    def ahead_of(self, question: WaitingQuestion) -> int:
        """How many questions are answered before this one, as it stands now."""
        worker = self._workers.get(question.key)
        being_answered = worker is not None and worker.turn is not None
        return len(self.line.ahead_of(question)) + being_answered + self._slots.ahead_of(question.key)

    def wake(self, key: ConversationKey) -> None:
        """Something may wait in this conversation."""
        worker = self._workers.get(key)
        if worker is not None:
            worker.more = True
        elif not self._closing.is_set():
            worker = self._workers[key] = _Worker(more=True)
            self._start(key, worker)

    async def resume(self) -> None:
        """Carry on with what an earlier run left: waiting questions and half-done answers."""
        failures = 0
        while not self._closing.is_set():
            try:
                unfinished = await self._store.unfinished()
                await self.look_again()
            except DatabaseUnavailable as error:
                log.warning("what was left unfinished cannot be read: %s", error)
                await self._pause(failures)
                failures += 1
            else:
                for key in unfinished:
                    self.wake(key)
                return

    async def look_again(self) -> None:
        """Let the line be what the store says."""
        waiting = await self._store.waiting()
        stored = {question.address.message_id for question in waiting}
        for place in list(self.line):
            if place.stored and place.question.address.message_id not in stored:
                self.line.leave(place.question.key, [place.question.address.message_id])
        for question in waiting:
            self.line.join(question, since=self._clock.monotonic(), stored=True)

    def answering_to(self, question_id: int, key: ConversationKey) -> tuple[TakenUp, Answering] | None:
        """The answer under way to this question."""
        turn = worker.turn if (worker := self._workers.get(key)) else None
        if turn is None or turn.taken.question.message_id != question_id:
            return None
        return turn.taken, turn.answering

    async def until_answered(self, question_id: int, key: ConversationKey, *, within: float) -> None:
        """Wait until this question's answer is not under way any more, or so many seconds."""
        await self._within(within, lambda: self.answering_to(question_id, key) is None)

    async def drain(self, *, grace: float) -> None:
        """Take up nothing more; let running answers finish for *grace* seconds, then close them with a sentence.

        Takes twice SECONDS_TO_CLOSE longer at most. Questions that wait stay stored for the next start.
        """
        self._close()
        for key, worker in list(self._workers.items()):
            if worker.turn is None and not worker.taking_up:
                self._cancel(key, worker)  # it waits for its turn, or for the store
        if await self._all_end_within(grace):
            return
        self._grace_over = True
        for turn in [worker.turn for worker in self._workers.values() if worker.turn is not None]:
            turn.answering.stop(ShuttingDown())
        if not await self._all_end_within(SECONDS_TO_CLOSE):
            await self.let_go()

    async def let_go(self) -> None:
        """Leave everything as it is, as a kill would: whoever comes next carries on from what is stored."""
        self._close()
        self._let_go = True
        for key, worker in list(self._workers.items()):
            self._cancel(key, worker)
        if not await self._all_end_within(SECONDS_TO_CLOSE):
            log.warning("conversations let go of: %d", len(self._workers))

    def _close(self) -> None:
        self._closing.set()
        self.changes.stop()

    async def _deliver(self, message: IncomingMessage) -> bool:
        """Whether it is new."""
        key, slot = message.key, None
        at_once = self._missed.is_read(key.channel_id) and not (self._closing.is_set() or self._store.busy)
        changed = self.changes.wait or self.changes.set_aside
        if at_once and not changed and key not in self._workers:
            slot = self._slots.take_at_once(key, message.author_id)
        if slot is None:
            received = await self._store.receive(message, take_up=False, budget=self._budget())
            self.changes.others_stored()
            self.wake(key)  # a message told of again may have been stored by a bot that is gone
            return received.stored
        worker = self._workers[key] = _Worker()
        try:
            with worker.taking_up_in_store():
                received = await self._store.receive(message, take_up=True, budget=self._budget())
            worker.more |= not received.stored
            if received.taken_up is not None and not self._let_go:
                self._took_up(worker, received.taken_up, slot)
        finally:
            if worker.turn is None:
                slot.give_back()
            self._start(key, worker)
        return received.stored

    def _start(self, key: ConversationKey, worker: _Worker) -> None:
        if worker.turn is None and (self._let_go or not worker.more):
            self._end(key)
        else:
            worker.task = asyncio.create_task(self._work(key, worker), name=f"conversation in {key.channel_id}")

    def _cancel(self, key: ConversationKey, worker: _Worker) -> None:
        if worker.task is not None:
            worker.task.add_done_callback(lambda _: self._end(key))  # one that never began ends nothing itself
            worker.task.cancel()

    def _end(self, key: ConversationKey) -> None:
        self._workers.pop(key, None)
        self._worker_ended.set()

    async def _work(self, key: ConversationKey, worker: _Worker) -> None:
        failures = 0
        try:
            while worker.turn is not None or self._may_hold_more(key, worker):
                failed = await self._one_turn(key, worker)
                await self._forget_withdrawn()
                failures = failures + 1 if failed else 0
                if failed:
                    worker.more = True
                    await self._pause(failures - 1)
        finally:
            self._end(key)

    def _may_hold_more(self, key: ConversationKey, worker: _Worker) -> bool:
        return not self._closing.is_set() and (worker.more or self.line.first(key) is not None)

    async def _one_turn(self, key: ConversationKey, worker: _Worker) -> bool:
        """Answer what was taken up, or what is next. Whether that failed."""
        try:
            if worker.turn is None:
                await self._take_up(key, worker)
            if worker.turn is not None:
                ended = await self._answerer.answer(*worker.turn)
                worker.more |= not ended  # which may have become true meanwhile
        except DatabaseUnavailable as error:
            log.error("conversation channel=%d waits for the store: %s", key.channel_id, error)  # noqa: TRY400 - the cause is named
            if worker.turn is None and not worker.told and (first := self.line.first_stored(key)) is not None:
                worker.told = True  # once, however often this is tried again
                await self._answerer.tell(first.address, error)
            return True
        except Exception:
            log.exception("conversation channel=%d waits after a fault of ours", key.channel_id)
            return True
        finally:
            if (turn := worker.turn) is not None:
                self.under_way.end(turn.taken)
                worker.turn = None
                turn.slot.give_back()
        return False

    async def _take_up(self, key: ConversationKey, worker: _Worker) -> None:
        """What is next, when there is a place at the model for it."""
        slot = await self._place_at_the_model(key)
        try:
            if self._closing.is_set():
                return
            more, worker.more = worker.more, False
            with worker.taking_up_in_store():
                await self._as_told.prompt(key)
                taken = await self._store.take_up(key, budget=self._budget())
            if taken is None:
                self.line.nothing_stored(key)
            else:
                worker.more |= more  # it may have been more than one
                self._took_up(worker, taken, slot)
        finally:
            if worker.turn is None:
                slot.give_back()

    async def _forget_withdrawn(self) -> None:
        """Those that were withdrawn between two take-ups are never taken up again: nobody drops their rows."""
        left, self.under_way.left = self.under_way.left, set()
        if not left:
            return
        try:
            await self._store.forget_withdrawn(left)
        except DatabaseUnavailable as error:  # whoever ends a turn asks again
            self.under_way.left |= left
            log.info("the rows of withdrawn answers stay for now: %d: %s", len(left), error)

    async def _place_at_the_model(self, key: ConversationKey) -> Slot:
        while True:
            await self._missed.read(key.channel_id)
            first = self.line.first(key)
            slot = await self._slots.take(key, first.author_id if first else 0)
            if self._missed.is_read(key.channel_id):
                return slot
            slot.give_back()  # while it waited something was missed

    def _took_up(self, worker: _Worker, taken: TakenUp, slot: Slot) -> None:
        self.line.leave(taken.conversation.key, [turn.message_id for turn in taken.questions if turn.message_id])
        answering = self.under_way.begin(taken)
        worker.turn = _Turn(taken, answering, slot)
        if self._grace_over and answering.stopped is None:
            answering.stop(ShuttingDown())

    async def _pause(self, failures: int) -> None:
        """Wait longer after each failure, or until the queue is closed."""
        await wait_at_most(self._closing, min(2.0**failures, LONGEST_PAUSE), clock=self._clock)

    async def _all_end_within(self, seconds: float) -> bool:
        return await self._within(seconds, lambda: not self._workers)

    async def _within(self, seconds: float, so: Callable[[], bool]) -> bool:
        """Whether it is so by then: it may be whenever a worker has ended."""
        with suppress(TimeoutError):
            async with self._clock.deadline(seconds):
                while not so():
                    self._worker_ended.clear()
                    await self._worker_ended.wait()
                return True
        return False
