"""`python -m tests.durability.resumes`: the gateway is lost under load, over and over, and resumed each time."""

import asyncio
import random
from collections.abc import Callable

from bot.playground.loopback import LoopbackDiscord
from tests.durability.scenario import Played, run
from tests.durability.scene import Scene, scened_anew, stopped

RESUMES, QUICK_RESUMES = 200, 6
CHANNELS, QUICK_CHANNELS = 20, 5
ZOMBIES = 1  # the library notices one after a minute of silence
LONGEST_CONNECTION = 0.6  # seconds until it is lost
SECONDS_TO_RESUME, SECONDS_TO_NOTICE_A_ZOMBIE = 15.0, 150.0


def cut(discord: LoopbackDiscord) -> None:
    discord.faults.cut_gateway()


def closed(discord: LoopbackDiscord) -> None:
    discord.faults.close_gateway(4000)


def asked_to_reconnect(discord: LoopbackDiscord) -> None:
    discord.faults.ask_to_reconnect()


def invalidated(discord: LoopbackDiscord) -> None:
    discord.faults.invalidate_session(resumable=True)


LOSSES = (cut, closed, asked_to_reconnect, invalidated)


async def play(chance: random.Random, quick: bool) -> Played:  # noqa: FBT001 - as the command line says it
    channels, resumes = (QUICK_CHANNELS, QUICK_RESUMES) if quick else (CHANNELS, RESUMES)
    zombies = 0 if quick else ZOMBIES
    async with scened_anew(channels=channels) as scene:
        scene.gap = 0.002
        program = await scene.start(CONFAB_TEST_HASTE="1", LOG_LEVEL="WARNING", MODEL_CONCURRENCY="40")
        await scene.connected(program)
        asking = asyncio.create_task(scene.keep_asking(chance))
        for n in range(resumes - zombies):
            await asyncio.sleep(chance.uniform(0.0, LONGEST_CONNECTION))
            await _lost(scene, LOSSES[n % len(LOSSES)])
        for _ in range(zombies):
            await _lost(scene, _zombie, seconds=SECONDS_TO_NOTICE_A_ZOMBIE)
        asking.cancel()
        await scene.closed_with_a_question()
        await scene.at_rest(stored=scene.asked)
        await stopped(program)
        return Played(
            figures={
                "resumes": _resumed(scene),
                "of zombies": zombies,
                "sessions": len({session.session_id for session in scene.stage.discord.hellos}),
                "questions": scene.asked,
            },
            violations=await scene.violations(),
        )


async def _lost(
    scene: Scene, lose: Callable[[LoopbackDiscord], None], *, seconds: float = SECONDS_TO_RESUME
) -> None:
    """The connection, until it is there again."""
    before = _resumed(scene)
    lose(scene.stage.discord)
    await scene.stage.discord.until(lambda: _resumed(scene) > before and scene.stage.connected, seconds=seconds)


def _zombie(discord: LoopbackDiscord) -> None:
    """The connection stands, and nothing comes over it any more."""
    for session in discord.sessions:
        session.line.send = lambda _text: None


def _resumed(scene: Scene) -> int:
    return sum(hello.outcome == "resumed" for hello in scene.stage.discord.hellos)


if __name__ == "__main__":
    raise SystemExit(run("resumes", play))
