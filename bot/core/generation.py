"""Ask the model until it answers: one retry policy, and none once words are visible."""

import logging
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from bot.core.errors import BotError, EmptyAnswer, ModelError, ModelRefused, ModelTimeout, ModelUnavailable
from bot.core.fair_slots import Slot
from bot.core.legible import legible
from bot.core.messages import (
    Delta,
    Finished,
    FinishReason,
    ModelCall,
    Outcome,
    Prompt,
    TakenUp,
    Usage,
)
from bot.core.ports import ChatModel, Clock, Reply

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often and how long the model is asked for one answer. Seconds."""

    attempts: int = 3
    first_token: float = 60.0
    stall: float = 30.0
    total: float = 300.0  # from the first request on, waits between attempts included
    backoff: float = 1.0  # before the second attempt; doubles, with jitter
    longest_backoff: float = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    text: str
    outcome: Outcome
    call: ModelCall


class Generation:
    """One answer's text coming into being. *record* stores the calls that brought none."""

    def __init__(
        self,
        taken: TakenUp,
        prompt: Prompt,
        *,
        reply: Reply,
        model: ChatModel,
        clock: Clock,
        patience: Patience,
        slot: Slot,
        record: Callable[[ModelCall], None],
    ) -> None:
        self._taken = taken
        self._prompt = prompt
        self._reply = reply
        self._model = model
        self._clock = clock
        self._patience = patience
        self._slot = slot  # held while the model is asked, not while waiting between attempts
        self._record = record
        self._attempt = 0
        self._ends = 0.0
        self.text = ""
        self._usage = Usage()
        self._started = clock.now()
        self._first_token: datetime | None = None

    @property
    def asked(self) -> bool:
        """The model has been asked at least once."""
        return self._attempt > 0

    async def run(self) -> Generated:
        """The answer, whole or cut off after visible words. Raises ModelError when there is none."""
        while True:
            try:
                await self._slot.take()
                self._attempt += 1
                self._ends = self._ends or self._clock.monotonic() + self._patience.total
                return await self._ask()
            except ModelError as error:
                if self._reply.visible:
                    log.info("cut off: answer=%d code=%s: %s", self._taken.answer_id, error.code, error)
                    return self.cut_off(error)
                self._record(self._call(error.code))
                self._reply.show("")
                wait = self._wait_before_retry(error)
                if wait is None:
                    raise
            finally:
                self._slot.give_back()
            await self._clock.sleep(wait)

    def cut_off(self, error: BotError) -> Generated:
        """What is visible stays and is the answer; *error* says why there is no more."""
        return Generated(text=self.text, outcome=Outcome.CUT_OFF, call=self._call(error.code))

    async def _ask(self) -> Generated:
        self.text, self._usage = "", Usage()
        self._started, self._first_token = self._clock.now(), None
        finished = await self._read_stream()
        if finished is None:
            raise ModelUnavailable("the stream ended without a finish reason")
        if finished.reason is FinishReason.REFUSED:
            raise ModelRefused("refused, or stopped by a content filter")
        if not legible(self.text).strip():  # zero-width characters are no words
            raise EmptyAnswer(f"no words, finish reason {finished.reason}")
        outcome = Outcome.LENGTH if finished.reason is FinishReason.LENGTH else Outcome.COMPLETE
        return Generated(text=self.text, outcome=outcome, call=self._call(outcome))

    async def _read_stream(self) -> Finished | None:
        finished = None
        try:
            async with (
                self._clock.deadline(self._at_most(self._patience.first_token)) as deadline,
                aclosing(self._model.stream(self._prompt)) as stream,
            ):
                async for item in stream:
                    if isinstance(item, Delta):
                        self._grow(item.text)
                    else:
                        finished, self._usage = item, item.usage
                    deadline.move(self._at_most(self._patience.stall))
        except TimeoutError as error:
            stage = "between two tokens" if self.text else "for the first token"
            raise ModelTimeout(f"waited too long {stage}") from error
        return finished

    def _grow(self, piece: str) -> None:
        if not self.text:
            self._first_token = self._clock.now()
        self.text += piece
        self._reply.show(self.text)

    def _at_most(self, seconds: float) -> float:
        return max(0.0, min(seconds, self._ends - self._clock.monotonic()))

    def _wait_before_retry(self, error: ModelError) -> float | None:
        """Seconds until the next attempt; None when there is to be none."""
        if not error.retryable or self._attempt >= self._patience.attempts:
            return None
        grown = self._patience.backoff * 2 ** (self._attempt - 1)
        wait = min(grown, self._patience.longest_backoff) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret
        wait = max(wait, error.retry_after or 0.0)
        return wait if self._clock.monotonic() + wait < self._ends else None

    def _call(self, outcome: str) -> ModelCall:
        conversation = self._taken.conversation
        return ModelCall(
            answer_id=self._taken.answer_id,
            channel_id=conversation.key.channel_id,
            guild_id=conversation.guild_id,
            author_id=self._taken.question.author_id,
            purpose="answer",
            model=self._model.name,
            attempt=self._attempt,
            started_at=self._started,
            first_token_at=self._first_token,
            ended_at=self._clock.now(),
            outcome=outcome,
            usage=self._usage,
        )
