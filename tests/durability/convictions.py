"""Puts each mutant before the checker: `python -m tests.durability.convictions` prints the table."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.durability.checker import Violation
from tests.durability.scene import Scene, ended, scened, stopped
from tests.model_server import Answer

Trouble = Callable[[Scene, str], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """*trouble* is what the bot meets; *convicts* the violation by which the mutant is found out."""

    mutant: str
    trouble: Trouble
    convicts: str


def killed(point: str, *, hit: int = 1, nonces: bool = True) -> Trouble:
    async def trouble(scene: Scene, mutant: str) -> None:
        program = await scene.start(CONFAB_TEST_MUTANT=mutant, CONFAB_TEST_KILL_AT=point, CONFAB_TEST_HIT=str(hit))
        await scene.connected(program)
        await scene.ask_everywhere()
        await ended(program)
        if not nonces:
            scene.stage.discord.nonce_seconds = -1.0
        await _left_alone(scene, mutant)

    trouble.__name__ = f"killed {point}"
    return trouble


async def busy(scene: Scene, mutant: str) -> None:
    """More than one person asks, in more than one channel, faster than is answered."""
    program = await scene.start(CONFAB_TEST_MUTANT=mutant, MODEL_CONCURRENCY="1")
    await scene.connected(program)
    await scene.ask_everywhere(times=3)
    await scene.closed_with_a_question()
    await scene.at_rest()  # the last may be the first that is answered
    await stopped(program)


async def repeated(scene: Scene, mutant: str) -> None:
    """Discord tells of everything again, once it is answered."""
    program = await scene.start(CONFAB_TEST_MUTANT=mutant)
    await scene.connected(program)
    (session,) = scene.stage.discord.sessions
    heard = session.sequence
    await scene.ask_everywhere(times=3)
    await scene.settled()
    session.replay(heard)
    await scene.closed_with_a_question()
    await stopped(program)


async def cut_off(scene: Scene, mutant: str) -> None:
    """The model's stream ends early."""
    scene.stage.model.script(*[Answer.cut_off("Sentence 0 about")] * 3)
    await _left_alone(scene, mutant)


async def _left_alone(scene: Scene, mutant: str) -> None:
    program = await scene.start(CONFAB_TEST_MUTANT=mutant)
    await scene.connected(program)
    await scene.ask_everywhere(times=3)
    await scene.closed_with_a_question()
    await stopped(program)


CASES = (
    Case(mutant="random nonce", trouble=killed("in the library's sleep"), convicts="doubled"),
    Case(mutant="post before store", trouble=killed("in the library's sleep"), convicts="doubled"),
    Case(
        mutant="no looking for parts", trouble=killed("in the library's sleep", nonces=False), convicts="doubled"
    ),
    Case(mutant="no catch-up", trouble=killed("before the intake's commit", hit=2), convicts="lost"),
    Case(mutant="history of all channels", trouble=busy, convicts="leaked"),
    Case(mutant="intake forgets", trouble=repeated, convicts="doubled"),
    Case(mutant="newest first", trouble=busy, convicts="disorder"),
    Case(mutant="truncated is complete", trouble=cut_off, convicts="wrong text"),
    Case(mutant="pings everybody", trouble=busy, convicts="ping"),
    Case(mutant="cost forgotten", trouble=busy, convicts="cost"),
)


async def tried(case: Case, *, mutant: str) -> list[Violation]:
    with tempfile.TemporaryDirectory() as folder:
        async with scened(f"sqlite:///{folder}/bot.db") as scene:
            await case.trouble(scene, mutant)
            return await scene.violations()


async def main() -> None:
    print(f"{'mutant':26}{'trouble':36}{'convicted of':28}{'the bot itself'}")
    for case in CASES:
        found, acquitted = await tried(case, mutant=case.mutant), await tried(case, mutant="")
        invariants = ", ".join(sorted({violation.invariant for violation in found})) or "NOTHING"
        print(f"{case.mutant:26}{case.trouble.__name__:36}{invariants:28}{acquitted or 'acquitted'}")


if __name__ == "__main__":
    asyncio.run(main())
