"""`python -m tests.durability.repeats`: every event of a message comes up to five times, in any order.

Later copies come in a second session, when the first one was ended and its messages were read through REST.
What comes in any order is answered in any order, so disorder is no violation here.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager

from bot.playground.loopback import LoopbackDiscord
from bot.playground.loopback.gateway import Session
from bot.playground.loopback.refusals import Json
from tests.durability.scenario import Played, run
from tests.durability.scene import Scene, scened_anew, stopped

QUESTIONS, QUICK_QUESTIONS = 4_300, 40  # which make more than twice as many events
CHANNELS, QUICK_CHANNELS = 20, 5
MOST_COPIES = 5
REPEATED = ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE")
LATEST_FIRST, LATEST_COPY = 0.1, 2.0  # seconds after it happened
SECONDS_BETWEEN_QUESTIONS = 0.02
SECONDS_TO_REST = 300.0


class Repeats:
    """Stands between a Discord and its sessions; counts the *events* and how often they were *told*."""

    def __init__(self, discord: LoopbackDiscord, chance: random.Random) -> None:
        self.events = self.told = self.told_to_another = 0
        self._discord = discord
        self._chance = chance
        self._dispatch = Session.dispatch

    @contextmanager
    def begun(self) -> Iterator[None]:
        def dispatch(session: Session, event: str, payload: Json) -> None:
            if event in REPEATED:
                self._spread(session, event, payload)
            else:
                self._dispatch(session, event, payload)

        Session.dispatch = dispatch  # type: ignore[method-assign]
        try:
            yield
        finally:
            Session.dispatch = self._dispatch  # type: ignore[method-assign]

    def _spread(self, session: Session, event: str, payload: Json) -> None:
        loop, copies = asyncio.get_running_loop(), self._chance.randint(1, MOST_COPIES)
        self.events += 1
        delays = [LATEST_FIRST, *[LATEST_COPY] * (copies - 1)]
        for latest in delays:
            loop.call_later(self._chance.uniform(0.0, latest), self._tell, session, event, payload)

    def _tell(self, heard_first: Session, event: str, payload: Json) -> None:
        for session in self._discord.sessions:
            self.told += 1
            self.told_to_another += session is not heard_first
            self._dispatch(session, event, payload)


async def play(chance: random.Random, quick: bool) -> Played:  # noqa: FBT001 - as the command line says it
    channels, questions = (QUICK_CHANNELS, QUICK_QUESTIONS) if quick else (CHANNELS, QUESTIONS)
    async with scened_anew(channels=channels) as scene:
        repeats = Repeats(scene.stage.discord, chance)
        program = await scene.start(CONFAB_TEST_HASTE="1", LOG_LEVEL="WARNING", MODEL_CONCURRENCY="40")
        await scene.connected(program)
        with repeats.begun():
            await _asked(scene, questions // 2, chance)
            scene.stage.discord.faults.invalidate_session(resumable=False)
            await _asked(scene, questions - questions // 2, chance)
            await scene.at_rest(stored=scene.asked, seconds=SECONDS_TO_REST)
            await asyncio.sleep(LATEST_COPY)
            await scene.at_rest(stored=scene.asked, seconds=SECONDS_TO_REST)
        await stopped(program)
        return Played(
            figures={
                "events": repeats.events,
                "tellings": repeats.told,
                "to another session": repeats.told_to_another,
                "questions": scene.asked,
            },
            violations=[each for each in await scene.violations() if each.invariant != "disorder"],
        )


async def _asked(scene: Scene, questions: int, chance: random.Random) -> None:
    for _ in range(questions):
        await scene.ask(chance.choice(scene.channels), chance.choice(scene.people))
        await asyncio.sleep(SECONDS_BETWEEN_QUESTIONS)


if __name__ == "__main__":
    raise SystemExit(run("repeats", play))
