"""Whether the bot can answer just now, tried and not assumed."""

from bot.core.errors import BotError
from bot.core.ports import Clock
from bot.observe.vitals import Vitals

SECONDS_OF_SILENCE = 90.0  # Discord's heartbeats come every 41 s
SECONDS_TO_WRITE = 5.0
SECONDS_BETWEEN_WRITES = 5.0


class Readiness:
    """*vitals* come when the bot's parts are made; before that it is starting."""

    def __init__(self, clock: Clock) -> None:
        self.vitals: Vitals | None = None
        self._clock = clock
        self._wrote: tuple[float, bool] | None = None  # when, and whether it worked

    async def obstacles(self) -> list[str]:
        """What keeps it from answering, a word each; none when it is ready."""
        vitals = self.vitals
        if vitals is None:
            return ["starting"]
        if vitals.stopping():
            return ["stopping"]  # its database may be closed already
        heard = vitals.gateway_heard_seconds_ago()
        tests = {
            "ownership": vitals.owns_database(),
            "discord": heard is not None and heard <= SECONDS_OF_SILENCE,
            "database": await self._can_write(vitals),
            "model": vitals.model_admits(),
        }
        return [obstacle for obstacle, passed in tests.items() if not passed]

    @property
    def lost(self) -> bool:
        """Another process may be answering: this one gets well only by beginning anew."""
        return self.vitals is not None and not self.vitals.owns_database()

    async def _can_write(self, vitals: Vitals) -> bool:
        now = self._clock.monotonic()
        if self._wrote is not None and now - self._wrote[0] < SECONDS_BETWEEN_WRITES:
            return self._wrote[1]
        try:
            async with self._clock.deadline(SECONDS_TO_WRITE):
                await vitals.write()
        except (BotError, TimeoutError):
            worked = False
        else:
            worked = True
        self._wrote = self._clock.monotonic(), worked
        return worked
