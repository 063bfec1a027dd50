"""Summaries are made in the background, one at a time and when a place is free; no answer waits for one."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from bot.core.answer import AnswerLimits, Ended
from bot.core.as_told import AsTold
from bot.core.completions import Finished, FinishReason, Prompt, Usage
from bot.core.errors import (
    BotError,
    BudgetUsedUp,
    DatabaseUnavailable,
    EmptyAnswer,
    ModelError,
    ModelRefused,
    ModelTimeout,
)
from bot.core.fair_slots import BACKGROUND, NOWHERE, FairSlots
from bot.core.legible import legible
from bot.core.messages import ConversationKey, Outcome, TakenUp
from bot.core.models import Models
from bot.core.ports import ChatModel, Clock
from bot.core.prompt import turn_tokens
from bot.core.spending import BEGUN, SECONDS_BETWEEN_TRIES, Account, Spending
from bot.core.summary import ToSummarise, summary_prompt
from bot.core.tokens import TokenBudget, cut_to
from bot.core.window import SHARE_TO_SUMMARISE_AT

log = logging.getLogger(__name__)


class SummaryStore(Protocol):
    """What summaries need of the store. As for TurnStore: one transaction each, DatabaseUnavailable."""

    async def to_summarise(self, key: ConversationKey, *, budget: TokenBudget) -> ToSummarise | None:
        """The turns that will leave this conversation's window soon, or whose summary is gone; None: no such."""

    async def keep_summary(self, task: ToSummarise, *, text: str, model: str) -> bool:
        """Whether it was kept: not if anything that it is of was changed or erased meanwhile."""

    async def drop_summaries(self) -> None:
        """Erase all there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    task: ToSummarise
    text: str
    model: str


@dataclass(slots=True)
class _Read:
    text: str = ""
    began: datetime | None = None
    usage: Usage = field(default_factory=Usage)


class Summarising:
    def __init__(
        self,
        *,
        store: SummaryStore,
        models: Models,
        spending: Spending,
        slots: FairSlots,
        clock: Clock,
        limits: AnswerLimits,
        budget: Callable[[], TokenBudget],
        as_told: AsTold,
    ) -> None:
        self._store = store
        self._spending = spending
        self._models = models
        self._slots = slots
        self._clock = clock
        self._limits = limits
        self._as_told = as_told
        self._budget = budget
        self._due: dict[ConversationKey, None] = {}  # in their order
        # Where the window began: until it moves, not asked for again.
        self._failed: dict[ConversationKey, int] = {}
        self._unkept: dict[ConversationKey, _Written] = {}  # paid for, and not taken by the database yet
        self._worker: asyncio.Task[None] | None = None

    def after(self, ended: Ended | None) -> Ended:
        """*ended*, and a look at whether what was said so far has to be summarised."""

        def both(taken: TakenUp, outcome: str) -> None:
            if ended is not None:
                ended(taken, outcome)
            if taken.summary == "" or taken.left_out or self._may_be_nearly_full(taken):
                self._due[taken.conversation.key] = None
                if self._worker is None or self._worker.done():
                    self._worker = asyncio.create_task(self._work(), name="summaries")

        return both

    def _may_be_nearly_full(self, taken: TakenUp) -> bool:
        """The window, with the longest answer there can have been: how long it became is not known here."""
        labelled, rate = taken.conversation.labelled, taken.conversation.token_rate
        asked = sum(turn_tokens(turn, labelled=labelled) for turn in taken.questions)
        said = taken.history_tokens + asked + self._limits.max_answer_tokens / rate
        budget = replace(self._budget(), rate=rate)
        room = budget.for_turns - budget.most_of_a_summary
        return said >= room * SHARE_TO_SUMMARISE_AT

    async def idle(self) -> None:
        """Wait until nothing is due."""
        if self._worker is not None:
            await asyncio.gather(self._worker, return_exceptions=True)

    async def close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
        await self.idle()

    async def _work(self) -> None:
        while self._due:
            key = next(iter(self._due))
            del self._due[key]
            try:
                await self._summarise(key)
            except BotError as error:
                log.warning("no summary: channel=%d code=%s: %s", key.channel_id, error.code, error)
            except Exception:
                log.exception("no summary: channel=%d", key.channel_id)

    async def _summarise(self, key: ConversationKey) -> None:
        written = self._unkept.get(key) or await self._write(key)
        if written is not None:
            await self._keep(key, written)

    async def _write(self, key: ConversationKey) -> _Written | None:
        """None: there is nothing to be summarised, or not now."""
        # A place is free and nobody waits for it. It is not kept: whoever asks now is answered beside this.
        # What is summarised is read only then, as it may be deleted meanwhile.
        (await self._slots.take(NOWHERE, BACKGROUND)).give_back()
        await self._as_told.prompt(key)
        task = await self._store.to_summarise(key, budget=self._budget())
        if task is None or self._failed.get(key) == task.window_start:
            return None
        self._failed[key] = task.window_start
        answer = await self._ask(task)
        if answer is None:
            del self._failed[key]
            return None  # the next turn looks again
        text, model = answer
        most = replace(self._budget(), rate=task.conversation.token_rate).most_of_a_summary
        return _Written(task=task, text=cut_to(legible(text).strip(), tokens=most), model=model)

    async def _keep(self, key: ConversationKey, written: _Written) -> None:
        """However long the database is away: it was paid for. What changed meanwhile is looked at by then."""
        task = written.task
        try:
            kept = await self._store.keep_summary(task, text=written.text, model=written.model)
        except DatabaseUnavailable as error:
            if key not in self._unkept:
                log.warning("a summary waits for the database: channel=%d: %s", key.channel_id, error)
            self._unkept[key], self._due[key] = written, None  # behind the others
            await self._clock.sleep(SECONDS_BETWEEN_TRIES)
            return
        self._unkept.pop(key, None)
        del self._failed[key]
        if kept and task.before < task.until:
            self._due[key] = None
        log.info("summary channel=%d turns=%d kept=%s", key.channel_id, len(task.turns), kept)

    async def _ask(self, task: ToSummarise) -> tuple[str, str] | None:
        """Once; the summary, and the model that wrote it. Raises ModelError.

        None: no model is well, or the budgets have no room now. Nothing is waited for: what is summarised may be
        deleted meanwhile. What becomes of it says nothing of how the model is: no answer is held up by its faults.
        """
        prompt = summary_prompt(
            task,
            self._budget(),
            system_prompt=self._limits.system_prompt,
            max_answer_tokens=self._limits.max_answer_tokens,
            bot_id=self._limits.bot_id,
        )
        account = self._spending.account(task.conversation, prompt, person=None)
        try:
            if (model := self._models.first_well()) is None or not account.reserve(model.name):
                return None
            return await self._ask_on(account, model, prompt), model.name
        except BudgetUsedUp as error:
            log.debug("no summary: channel=%d: %s", task.conversation.key.channel_id, error)
            return None
        finally:
            account.close()

    async def _ask_on(self, account: Account, model: ChatModel, prompt: Prompt) -> str:
        read, fault, outcome = _Read(), None, Outcome.CUT_OFF.value
        call = partial(account.call, prompt, model=model.name, started_at=self._clock.now())
        await account.begin(call(ended_at=self._clock.now(), outcome=BEGUN, usage=read.usage))
        try:
            await self._read(model, prompt, read)
            outcome = Outcome.COMPLETE.value
        except ModelError as error:
            outcome, fault = error.code, error
            raise
        finally:
            ended = call(ended_at=self._clock.now(), outcome=outcome, first_token_at=read.began, usage=read.usage)
            self._spending.record(account.end(ended, fault))
        return read.text

    async def _read(self, model: ChatModel, prompt: Prompt, read: _Read) -> None:
        try:
            async with (
                self._clock.deadline(self._limits.patience.total),
                aclosing(model.stream(prompt)) as stream,
            ):
                async for item in stream:
                    if isinstance(item, Finished):
                        read.usage = item.usage
                        if item.reason is FinishReason.REFUSED:
                            raise ModelRefused("refused, or stopped by a content filter")
                    else:
                        read.began = read.began or self._clock.now()
                        read.text += item.text
        except TimeoutError as error:
            raise ModelTimeout("a summary took too long") from error
        if not legible(read.text).strip():
            raise EmptyAnswer("no words")
