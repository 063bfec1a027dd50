"""`python -m tests.durability.refused_resumes`: sessions end; what was said meanwhile is read through REST.

The bot waits less between sessions than Discord wants, and may begin more: that is not what is tried here.
"""

import random

from bot.playground.loopback import Channel, User
from bot.playground.loopback.record import RecordedRequest
from tests.durability.scenario import Played, run
from tests.durability.scene import Scene, scened_anew, stopped

REFUSED, QUICK_REFUSED = 50, 2
CHANNELS, QUICK_CHANNELS = 500, 10
BUSY_CHANNELS = 40  # in which most is said
MISSED_AT_MOST, MISSED_IN_THE_END, QUICK_MISSED = 30, 5_000, 30
READ = "/channels/{channel_id}/messages"
SECONDS_TO_ANSWER = 300.0


async def play(chance: random.Random, quick: bool) -> Played:  # noqa: FBT001 - as the command line says it
    channels = QUICK_CHANNELS if quick else CHANNELS
    async with scened_anew(channels=channels, rate_limits=True) as scene:
        program = await scene.start(CONFAB_TEST_HASTE="1", LOG_LEVEL="WARNING", MODEL_CONCURRENCY="40")
        await scene.connected(program)
        for _ in range((QUICK_REFUSED if quick else REFUSED) - 1):
            busy = scene.channels[:BUSY_CHANNELS]
            await scene.ask(chance.choice(busy), scene.people[0])  # is being answered as it happens
            missed = chance.randint(1, QUICK_MISSED if quick else MISSED_AT_MOST)
            await _refused(scene, [(chance.choice(busy), chance.choice(scene.people)) for _ in range(missed)])
        missed = QUICK_MISSED if quick else MISSED_IN_THE_END
        await _refused(scene, [(scene.channels[n % channels], scene.people[n % 2]) for n in range(missed)])
        began, catching_up = _of_the_last_session(scene)
        await stopped(program)
        seconds = max((each.answered_at or 0.0 for each in catching_up), default=0.0) - began
        return Played(
            figures={
                "refused resumes": _sessions(scene) - 1,
                "questions": scene.asked,
                "missed in the end": missed,
                "s to read them": round(seconds, 1),
                "requests for that": len(catching_up),
                "requests a second": round(len(catching_up) / seconds, 1),
                "of all 429": sum(each.status == 429 for each in scene.stage.discord.requests),
            },
            violations=await scene.violations(),
        )


async def _refused(scene: Scene, missed: list[tuple[Channel, User]]) -> None:
    """A session ends, these ask where they are, and another session begins."""
    discord = scene.stage.discord
    before = _sessions(scene)
    discord.faults.invalidate_session(resumable=False)
    for channel, person in missed:  # the loopback is this very process: nobody connects before all is said
        await scene.ask(channel, person)
    await discord.until(lambda: _sessions(scene) > before and scene.stage.connected, seconds=SECONDS_TO_ANSWER)
    await scene.at_rest(stored=scene.asked, seconds=SECONDS_TO_ANSWER)


def _sessions(scene: Scene) -> int:
    return sum(hello.outcome == "ready" for hello in scene.stage.discord.hellos)


def _of_the_last_session(scene: Scene) -> tuple[float, list[RecordedRequest]]:
    """When it began, and the requests that read what it missed."""
    discord = scene.stage.discord
    began = max(hello.at for hello in discord.hellos if hello.outcome == "ready")
    return began, [each for each in discord.requests if each.is_to("GET", READ) and each.sent_at > began]


if __name__ == "__main__":
    raise SystemExit(run("refused_resumes", play))
