"""The models in the order in which they are asked, each behind its breaker."""

import asyncio
from collections.abc import Collection, Iterator, Sequence

from bot.core.breaker import Breaker, Trial
from bot.core.clock import wait_at_most
from bot.core.contexts import Contexts
from bot.core.ports import ChatModel, Clock


class Models:
    def __init__(self, models: Sequence[ChatModel], *, clock: Clock) -> None:
        """*models*: the one to prefer first. Their names differ."""
        self._clock = clock
        self._changed = asyncio.Event()
        self.contexts = Contexts([model.name for model in models])
        self._breakers = [Breaker(model, clock=clock, changed=self._changed.set) for model in models]

    def __iter__(self) -> Iterator[ChatModel]:
        return (breaker.model for breaker in self._breakers)

    @property
    def admit(self) -> bool:
        """Some model may be asked now."""
        return any(breaker.admits for breaker in self._breakers)

    def first_well(self) -> ChatModel | None:
        """The first that is neither resting nor being tried: for what tells nothing of how it is."""
        return next((breaker.model for breaker in self._breakers if breaker.is_well), None)

    def next_name(self, *, besides: Collection[str] = ()) -> str | None:
        """The model that `try_first` would give now."""
        return next((each.model.name for each in self._others(besides) if each.admits), None)

    def try_first(self, *, besides: Collection[str] = ()) -> Trial | None:
        """Ask the first model that may be asked now, other than those of these names."""
        breaker = next((each for each in self._others(besides) if each.admits), None)
        return breaker.try_it() if breaker else None

    async def wait(self, *, besides: Collection[str], within: float) -> None:
        """Wait until a model may be asked. Raises ModelError: at once, if waiting *within* seconds is in vain."""
        others = self._others(besides)
        worth_it = [breaker for breaker in others if breaker.may_recover and breaker.wait <= within]
        soonest = min(worth_it or others, key=lambda breaker: breaker.wait)
        if not worth_it:
            raise soonest.refusal()
        try:
            async with self._clock.deadline(within):
                while not any(breaker.admits for breaker in others):
                    await self._until_something_changes(others)
        except TimeoutError:
            raise soonest.refusal() from None

    async def _until_something_changes(self, breakers: Sequence[Breaker]) -> None:
        self._changed.clear()
        rests = [breaker.wait for breaker in breakers if breaker.wait]
        if not rests:
            await self._changed.wait()
            return
        await wait_at_most(self._changed, min(rests), clock=self._clock)

    def _others(self, besides: Collection[str]) -> list[Breaker]:
        return [breaker for breaker in self._breakers if breaker.model.name not in besides]
