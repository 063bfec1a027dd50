"""A model as the core sees it, with what its calls take and bring written down."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot.core.completions import Delta, Finished, Prompt, Purpose, Usage
from bot.core.errors import ModelError
from bot.core.ports import ChatModel, Clock
from bot.observe.metrics import Metrics

ABANDONED = "abandoned"  # its question was deleted, it was stopped, or it took too long


class ObservedModel:
    """Implements ChatModel."""

    def __init__(self, model: ChatModel, *, metrics: Metrics, clock: Clock) -> None:
        self._model = model
        self._metrics = metrics
        self._clock = clock

    @property
    def name(self) -> str:
        return self._model.name

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Finished, None]:
        began, spoke = self._clock.monotonic(), False
        outcome, usage = ABANDONED, Usage()
        try:
            async with aclosing(self._model.stream(prompt)) as stream:
                async for item in stream:
                    if isinstance(item, Finished):
                        outcome, usage = item.reason.value, item.usage
                        if prompt.purpose is Purpose.ANSWER:
                            self._metrics.answered()
                    elif not spoke:
                        spoke = True
                        self._metrics.first_token(self.name, prompt.purpose, self._clock.monotonic() - began)
                    yield item
        except ModelError as error:
            outcome = error.code
            raise
        finally:
            self._metrics.call_ended(self.name, prompt.purpose, outcome, usage, self._clock.monotonic() - began)
