"""One worker a conversation: turns are answered one after the other, lowest Discord id first.

Waiting turns are rows, not tasks. A worker lives while its conversation has something to answer.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from bot.core.answer import Answerer, Answering
from bot.core.errors import BotError, DatabaseUnavailable, ShuttingDown, Withdrawn
from bot.core.messages import ConversationKey, Erased, IncomingMessage, TakenUp
from bot.core.ports import TurnStore

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Worker:
    task: asyncio.Task[None] | None = None
    more: bool = False  # something was stored while it was busy
    answer_id: int | None = None
    answering: Answering = field(default_factory=Answering)


class ConversationQueue:
    def __init__(self, *, store: TurnStore, answerer: Answerer, history_tokens: int) -> None:
        self._store = store
        self._answerer = answerer
        self._history_tokens = history_tokens
        self._workers: dict[ConversationKey, _Worker] = {}
        self._withdrawn: set[int] = set()  # answers that were erased before their worker knew them
        self._closed = False

    async def deliver(self, message: IncomingMessage) -> None:
        """Store the question and see that it is answered. Raises DatabaseUnavailable: nothing was stored."""
        worker = self._workers.get(message.key)
        if worker is not None or self._closed:
            received = await self._store.receive(message, take_up=False, history_tokens=self._history_tokens)
            if received.stored:
                self.wake(message.key)
            return
        worker = self._workers[message.key] = _Worker()
        taken = None
        try:
            received = await self._store.receive(message, take_up=True, history_tokens=self._history_tokens)
            taken = received.taken_up
        finally:
            self._start(message.key, worker, taken)

    def wake(self, key: ConversationKey) -> None:
        """Something waits in this conversation."""
        worker = self._workers.get(key)
        if worker is not None:
            worker.more = True
        elif not self._closed:
            worker = self._workers[key] = _Worker(more=True)
            self._start(key, worker, None)

    async def resume(self) -> None:
        """Carry on with what an earlier run left: waiting questions and half-done answers."""
        for key in await self._store.unfinished():
            self.wake(key)

    def stop_erased(self, erased: Erased) -> None:
        """Stop the answers whose question was deleted."""
        running = {worker.answer_id: worker for worker in self._workers.values()}
        for answer_id in erased.answers:
            worker = running.get(answer_id)
            if worker is not None:
                worker.answering.stop(Withdrawn())
            else:
                self._withdrawn.add(answer_id)

    async def drain(self, *, grace: float) -> None:
        """Take up nothing more; let running answers finish for *grace* seconds, then close them with a sentence.

        Questions that wait stay stored for the next start.
        """
        self._closed = True
        tasks = [worker.task for worker in self._workers.values() if worker.task is not None]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace)
        for worker in list(self._workers.values()):
            worker.answering.stop(ShuttingDown())
        if late:
            _, stuck = await asyncio.wait(late, timeout=max(grace, 2.0))
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)

    def _start(self, key: ConversationKey, worker: _Worker, taken: TakenUp | None) -> None:
        if taken is None and not worker.more:
            del self._workers[key]
            return
        worker.task = asyncio.create_task(self._work(key, worker, taken), name=f"channel {key.channel_id}")

    async def _work(self, key: ConversationKey, worker: _Worker, taken: TakenUp | None) -> None:
        try:
            while True:
                if taken is None and not self._closed:
                    worker.more = False
                    taken = await self._store.take_up(key, history_tokens=self._history_tokens)
                if taken is None:
                    if worker.more and not self._closed:
                        continue
                    return
                await self._answer(worker, taken)
                taken = None
        except DatabaseUnavailable as error:
            log.error("conversation channel=%d stopped: %s", key.channel_id, error)  # noqa: TRY400 - the cause is named
        except Exception:
            log.exception("conversation channel=%d stopped by a fault of ours", key.channel_id)
        finally:
            del self._workers[key]

    async def _answer(self, worker: _Worker, taken: TakenUp) -> None:
        worker.answering, worker.answer_id = Answering(), taken.answer_id
        if taken.answer_id in self._withdrawn:
            self._withdrawn.discard(taken.answer_id)
            worker.answering.stop(Withdrawn())
        try:
            await self._answerer.answer(taken, worker.answering)
        except DatabaseUnavailable:
            raise
        except BotError as error:
            log.warning("answer=%d ended with %s: %s", taken.answer_id, error.code, error)
        finally:
            worker.answer_id = None
