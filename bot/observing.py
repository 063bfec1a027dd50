"""Watches a running bot for its operator: reads its vital signs off its parts, and serves them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from bot.core.answer import Ended
from bot.core.conversation_queue import ConversationQueue
from bot.core.intake import Intake
from bot.core.messages import TakenUp
from bot.core.models import Models
from bot.core.ports import ChatModel, Clock
from bot.discord.client import ConfabClient
from bot.discord.pacer import Pacer
from bot.observe.loop_lag import watch_loop
from bot.observe.metrics import Metrics
from bot.observe.observed_model import ObservedModel
from bot.observe.readiness import Readiness
from bot.observe.server import serve
from bot.observe.vitals import Vitals
from bot.settings import Settings
from bot.storage.turns import SqlTurnStore

_PROBE = "readiness"  # the fact that is written to see whether anything can be


class Observer:
    """What it tells the parts as they are made; see `observing`."""

    def __init__(self, metrics: Metrics, readiness: Readiness, clock: Clock) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._clock = clock

    def models(self, models: Sequence[ChatModel]) -> list[ChatModel]:
        return [ObservedModel(model, metrics=self._metrics, clock=self._clock) for model in models]

    @property
    def question_stored(self) -> Callable[[float], None]:
        """Told of each question how many seconds storing it took."""
        return self._metrics.question_stored

    def also(self, ended: Ended | None) -> Ended:
        def both(taken: TakenUp, outcome: str) -> None:
            self._metrics.turn_ended(taken, outcome, self._clock.now())
            if ended is not None:
                ended(taken, outcome)

        return both

    def watch(
        self,
        *,
        client: ConfabClient,
        store: SqlTurnStore,
        queue: ConversationQueue,
        intake: Intake,
        pacer: Pacer,
        models: Models,
    ) -> None:
        """The parts are made: read off them from now on."""
        clock = self._clock

        def since(moment: float | None) -> float | None:
            return None if moment is None else clock.monotonic() - moment

        async def write() -> None:
            await store.write_fact(_PROBE, clock.now().isoformat())

        vitals = Vitals(
            gateway_heard_seconds_ago=lambda: client.hearing.heard_seconds_ago() if client.let_in else None,
            event_seconds_ago=lambda: since(client.told_at),
            stored_seconds_ago=lambda: since(store.stored_at),
            model_succeeded_seconds_ago=self._metrics.model_succeeded_seconds_ago,
            waiting=lambda: len(queue.line),
            oldest_waiting_seconds=lambda: since(queue.line.oldest()),
            answering=lambda: queue.answering,
            requests_waiting=lambda: pacer.waiting,
            requests=lambda: pacer.counts,
            invalid_requests=lambda: len(pacer.invalid),
            model_admits=lambda: models.admit,
            owns_database=lambda: not store.ownership_lost.is_set(),
            stopping=lambda: intake.closed,
            write=write,
        )
        self._metrics.watch(vitals)
        self._readiness.vitals = vitals


@asynccontextmanager
async def observing(settings: Settings, clock: Clock) -> AsyncIterator[Observer]:
    """Serve at METRICS_PORT until the block ends, the time in which the bot starts and stops included."""
    metrics, readiness = Metrics(), Readiness(clock)
    port = settings.metrics_port or 0
    async with serve(host=settings.metrics_host, port=port, metrics=metrics, readiness=readiness):
        watching = asyncio.create_task(watch_loop(clock, metrics.loop_was_late), name="loop lag")
        try:
            yield Observer(metrics, readiness, clock)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
