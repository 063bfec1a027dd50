"""Ask the models until one answers: one retry policy, and none once words are visible.

An attempt goes through the models in their order, without a pause, to the first that answers. What asking again
does not help, such as a wrong name, leaves the others; a refusal ends it. Where nobody answered and a model found
the prompt longer than it can read, all are asked with half of the history, and with half of that, until one does.
"""

import logging
import random
from collections.abc import Callable, Collection, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from bot.core.breaker import Trial
from bot.core.completions import Delta, Finished, FinishReason, ModelCall, Prompt, Usage
from bot.core.effort import Effort
from bot.core.errors import (
    BotError,
    ContextTooLong,
    EmptyAnswer,
    ModelError,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    NotAsked,
    OutOfTime,
    Reworded,
    Stopped,
)
from bot.core.fair_slots import Slot
from bot.core.legible import legible
from bot.core.messages import Outcome, TakenUp
from bot.core.models import Models
from bot.core.ports import Clock, Reply
from bot.core.spending import BEGUN, Account

log = logging.getLogger(__name__)

UNREAD = "stopped_unread"  # of one that was stopped before anything was visible


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often and how long the models are asked for one answer. Seconds."""

    attempts: int = 3  # each of which asks every model at most once
    first_token: float = 60.0  # of each model asked
    stall: float = 30.0
    # From the first request on, waits between attempts included, those for a budget or a place not.
    total: float = 300.0
    backoff: float = 1.0  # before the second attempt; doubles, with jitter
    longest_backoff: float = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    text: str
    outcome: Outcome
    call: ModelCall
    token_rate: float | None = None  # the conversation's from now on; None: as it was


class Generation:
    """One answer's text coming into being.

    *shorten* makes a shorter prompt of *prompt*, if it can. *record* stores the calls that brought none.
    """

    def __init__(
        self,
        taken: TakenUp,
        prompt: Prompt,
        *,
        effort: Effort,
        shorten: Callable[[Prompt], Prompt | None],
        reply: Reply,
        models: Models,
        account: Account,
        clock: Clock,
        patience: Patience,
        slot: Slot,
        record: Callable[[ModelCall], None],
    ) -> None:
        self._taken = taken
        self._prompt = prompt
        self._shorten = shorten
        self._reply = reply
        self._models = models
        self._account = account
        self._clock = clock
        self._patience = patience
        self._slot = slot  # held while a model is asked, not while waiting
        self._record = record
        self._effort = effort
        self._requests = 0
        self.outdated = False  # what the prompt was built from has changed: no further request is made with it
        self._faults: dict[str, ModelError] = {}  # by model, the latest
        self._model = ""
        self.text = ""
        self._usage = Usage()
        self._started = clock.now()
        self._first_token: datetime | None = None

    @property
    def asked(self) -> bool:
        """A request is under way whose end is not on the record yet."""
        return self._account.open

    async def run(self) -> Generated:
        """The answer, whole or cut off after visible words. Raises ModelError when there is none."""
        self._effort.go_on(now=self._clock.monotonic())
        try:
            while True:
                generated = await self._ask_each()
                if generated is not None:
                    return generated
                if self._can_ask_for_less():
                    continue
                self._slot.give_back()
                await self._clock.sleep(self._wait_before_next_attempt())
        finally:
            self._effort.pause(now=self._clock.monotonic())
            self._slot.give_back()

    def cut_off(self, error: BotError) -> Generated:
        """What is visible stays and is the answer; *error* says why there is no more."""
        if isinstance(error, Stopped):
            return Generated(text=self.text, outcome=Outcome.STOPPED, call=self._ended(Outcome.STOPPED, error))
        call = self._ended(f"{Outcome.CUT_OFF}:{error.code}", error)
        return Generated(text=self.text, outcome=Outcome.CUT_OFF, call=call)

    def ended_by(self, error: BotError) -> ModelCall:
        """The request under way, of which nobody reads anything."""
        return self._ended(UNREAD if isinstance(error, Stopped) else error.code, error)

    def set_aside(self, generated: Generated, error: BotError) -> None:
        """It came whole, and nobody reads it: it was paid for."""
        self._record(replace(generated.call, outcome=error.code))

    async def _ask_each(self) -> Generated | None:
        """One attempt: the models that may be asked, one after the other. None when none of them answered."""
        trial: Trial | None = await self._first_trial()
        self._effort.attempts += 1
        self._effort.ends = self._effort.ends or self._clock.monotonic() + self._patience.total
        asked = self._given_up()
        while trial is not None:
            try:
                with trial:
                    return await self._ask(trial)
            except ModelError as error:
                if self._reply.visible:
                    log.info("cut off: answer=%d code=%s: %s", self._taken.answer_id, error.code, error)
                    return self.cut_off(error)
                self._failed(error)
            asked.add(self._model)
            trial = await self._try_first(asked) if self._at_most(self._patience.total) else None
        return None

    def _can_ask_for_less(self) -> bool:
        """Whether the prompt was too long and is shorter now: what is left out is history."""
        too_long = {model: error for model, error in self._faults.items() if isinstance(error, ContextTooLong)}
        if not too_long or not self._at_most(self._patience.total):
            return False
        shorter = self._shorten(self._prompt)
        if shorter is None:
            return False
        for model, error in too_long.items():
            self._models.contexts.refused(model, self._prompt, error)
        log.info("asking for less: answer=%d tokens=%d", self._taken.answer_id, shorter.tokens)
        self._prompt = shorter
        for model in too_long:
            del self._faults[model]
        return True

    async def _first_trial(self) -> Trial:
        """Of an attempt. Raises ModelError when no model may be asked soon."""
        until = 0.0
        while True:
            with self._pausing():
                await self._slot.take()
            trial = await self._try_first(self._given_up())
            if trial is not None:
                return trial
            self._slot.give_back()
            now = self._clock.monotonic()
            until = until or now + self._at_most(self._patience.longest_backoff)
            await self._models.wait(besides=self._given_up(), within=until - now)

    async def _try_first(self, besides: Collection[str]) -> Trial | None:
        """Of the models that may be asked now, with what that one can use reserved. Raises BudgetUsedUp."""
        reserved = None
        while name := self._models.next_name(besides=besides):
            if name == reserved:
                return self._models.try_first(besides=besides)
            await self._reserve(name)  # before there is a trial: nobody else may ask that model meanwhile
            reserved = name
        return None

    def _failed(self, error: ModelError) -> None:
        log.info(
            "model=%s gave no answer: answer=%d code=%s: %s", self._model, self._taken.answer_id, error.code, error
        )
        self._record(self._ended(error.code, error))
        self._reply.show("")
        if isinstance(error, ModelRefused):
            raise error
        if self.outdated:  # Answering.reword left this request alone; it brought nothing
            raise Reworded if self._may_ask_again else error
        self._faults[self._model] = error

    async def _ask(self, trial: Trial) -> Generated:
        self._model = trial.model.name
        self._requests += 1
        self.text, self._usage = "", Usage()
        self._started, self._first_token = self._clock.now(), None
        await self._account.begin(self._call(BEGUN))
        if not self._at_most(self._patience.total):
            raise NotAsked("the time was over before the request was made")
        finished = await self._read_stream(trial)
        if finished is None:
            raise ModelUnavailable("the stream ended without a finish reason")
        if finished.reason is FinishReason.REFUSED:
            raise ModelRefused("refused, or stopped by a content filter")
        if not legible(self.text).strip():  # zero-width characters are no words
            raise EmptyAnswer(f"no words, finish reason {finished.reason}")
        outcome = Outcome.LENGTH if finished.reason is FinishReason.LENGTH else Outcome.COMPLETE
        return Generated(text=self.text, outcome=outcome, call=self._ended(outcome))

    async def _reserve(self, model: str) -> None:
        """What a request to it can use. Raises BudgetUsedUp."""
        with self._pausing():
            while not self._account.reserve(model):
                self._slot.give_back()
                await self._account.room()
            await self._slot.take()

    @contextmanager
    def _pausing(self) -> Iterator[None]:
        """The answer's time stands still: no model is slow meanwhile."""
        self._effort.pause(now=self._clock.monotonic())
        try:
            yield
        finally:
            self._effort.go_on(now=self._clock.monotonic())

    async def _read_stream(self, trial: Trial) -> Finished | None:
        finished = None
        try:
            async with (
                self._clock.deadline(self._at_most(self._patience.first_token)) as deadline,
                aclosing(trial.model.stream(self._prompt)) as stream,
            ):
                async for item in stream:
                    if isinstance(item, Delta):
                        trial.heard()
                        self._grow(item.text)
                    else:
                        finished, self._usage = item, item.usage
                    deadline.move(self._at_most(self._patience.stall))
        except TimeoutError as error:
            kind = ModelTimeout if self._at_most(self._patience.total) else OutOfTime
            stage = "between two tokens" if self.text else "for the first token"
            raise kind(f"waited too long {stage}") from error
        return finished

    def _grow(self, piece: str) -> None:
        if not self.text:
            self._first_token = self._clock.now()
        self.text += piece
        self._reply.show(self.text)

    def _at_most(self, seconds: float) -> float:
        return self._effort.at_most(seconds, now=self._clock.monotonic())

    @property
    def _may_ask_again(self) -> bool:
        return self._effort.attempts < self._patience.attempts and self._at_most(self._patience.total) > 0

    def _given_up(self) -> set[str]:
        """The models that need not be asked again."""
        return {model for model, error in self._faults.items() if not error.retryable}

    def _wait_before_next_attempt(self) -> float:
        """Seconds. Raises what is to be told when there is to be none."""
        faults = list(self._faults.values())
        passing = [error for error in faults if error.retryable]
        untried = any(model.name not in self._faults for model in self._models)
        to_tell = (passing or faults)[0]
        if not (passing or untried) or not self._may_ask_again:
            raise to_tell
        grown = self._patience.backoff * 2.0 ** (self._effort.attempts - 1)
        wait = min(grown, self._patience.longest_backoff) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret
        if not untried:
            wait = max(wait, min(error.retry_after or 0.0 for error in passing))
        if self._clock.monotonic() + wait >= self._effort.ends:
            raise to_tell
        return wait

    def _ended(self, outcome: str, fault: BotError | None = None) -> ModelCall:
        return self._account.end(self._call(outcome), fault)

    def _call(self, outcome: str) -> ModelCall:
        return self._account.call(
            self._prompt,
            model=self._model,
            started_at=self._started,
            ended_at=self._clock.now(),
            outcome=outcome,
            answer_id=self._taken.answer_id,
            attempt=self._requests,
            first_token_at=self._first_token,
            usage=self._usage,
        )
