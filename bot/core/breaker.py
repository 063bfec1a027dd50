"""Whether a model may be asked: one that fails for everybody is given a rest, and then tried by one question.

After FAULTS faults in a row it is not asked for a while. Then one question goes first, and the others are let
through when its first words come. If it fails too, the next rest is twice as long. A fault with Retry-After gives
it a rest of just so long, at once.
"""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from bot.core.errors import ModelDown, ModelError, ModelTimeout, ModelUnavailable
from bot.core.ports import ChatModel, Clock

log = logging.getLogger(__name__)

FAULTS = 3  # in a row, no complete answer between them
FIRST_REST = 5.0  # seconds; doubles
LONGEST_REST = 60.0  # "try again in a minute" is what people read
LONGEST_RETRY_AFTER = 3600.0  # a header with a wrong date must not end a model for good


class Trial:
    """One request to a model. As a context: what leaves it says how the model is."""

    __slots__ = ("_breaker", "rests")

    def __init__(self, breaker: "Breaker", rests: int) -> None:
        self._breaker = breaker
        self.rests = rests  # of the model, when this began

    @property
    def model(self) -> ChatModel:
        return self._breaker.model

    def heard(self) -> None:
        """The model said its first words."""
        self._breaker.heard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._breaker.ended(self, error)


class Breaker:
    """One model's. *changed* is called when somebody may ask who could not before."""

    def __init__(self, model: ChatModel, *, clock: Clock, changed: Callable[[], None]) -> None:
        self.model = model
        self._clock = clock
        self._changed = changed
        self._faults = 0
        self._rest = 0.0
        self._rests = 0
        self._rests_until = 0.0
        self._why: ModelError | None = None  # it rests, or is being tried; None: it is well
        self._first: Trial | None = None  # tries it for everybody

    @property
    def wait(self) -> float:
        """Seconds that it still rests."""
        return max(0.0, self._rests_until - self._clock.monotonic()) if self._why else 0.0

    @property
    def may_recover(self) -> bool:
        """By itself: nobody has to set something right first."""
        return self._why is None or self._why.retryable

    @property
    def is_well(self) -> bool:
        """It does not rest, nor is it tried after a rest."""
        return self._why is None

    @property
    def admits(self) -> bool:
        return self._first is None and not self.wait

    def try_it(self) -> Trial:
        """Ask it, where it admits that. The trial must be entered at once."""
        trial = Trial(self, self._rests)
        if self._why:
            self._first = trial
        return trial

    def heard(self, trial: Trial) -> None:
        if trial is self._first:
            log.info("model=%s answers again", self.model.name)
            self._why = self._first = None
            self._changed()

    def ended(self, trial: Trial, error: BaseException | None) -> None:
        if error is None:
            self._answered(trial)
        elif isinstance(error, ModelError) and error.down:
            self._failed(trial, error)
        if trial is self._first:  # it was never heard: the next one tries
            self._first = None
            self._changed()

    def refusal(self) -> ModelError:
        """What a person is told who cannot ask it now."""
        why = self._why or ModelUnavailable()
        kind = ModelDown if isinstance(why, ModelUnavailable | ModelTimeout) else type(why)
        return kind(f"{self.model.name} is not asked for {self.wait:.0f} s")

    def _answered(self, trial: Trial) -> None:
        if trial.rests == self._rests:
            self._faults, self._rest = 0, 0.0

    def _failed(self, trial: Trial, error: ModelError) -> None:
        current = trial.rests == self._rests  # what began before it failed says little about now
        self._faults += current
        if error.retry_after:
            self._give_rest(min(error.retry_after, LONGEST_RETRY_AFTER), error)
        elif current and (self._faults >= FAULTS or trial is self._first):
            self._rest = min(max(2 * self._rest, FIRST_REST), LONGEST_REST)
            self._give_rest(self._rest, error)

    def _give_rest(self, seconds: float, error: ModelError) -> None:
        if self.wait >= seconds:
            return
        log.warning(
            "model=%s rests for %.0f s after %d faults in a row, the last: code=%s: %s",
            self.model.name,
            seconds,
            self._faults,
            error.code,
            error,
        )
        self._rests_until = self._clock.monotonic() + seconds
        self._rests += 1
        self._why = error
