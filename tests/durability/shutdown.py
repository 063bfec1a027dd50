"""`python -m tests.durability.shutdown`: SIGTERM while many are answered and more wait; what becomes of them.

Half of the answers could end within the grace period, the others never would by themselves.
"""

import argparse
import asyncio
import signal
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from tests.durability.checker import Violation
from tests.durability.scene import Scene, answer_to, ended, scened, stopped
from tests.durability.tables import tables
from tests.model_server import Answer, Gate

GRACE_SECONDS = 2
PIECES_OF_A_SENTENCE = 6  # which is shown at once
SECONDS_TO_BE_STORED, SECONDS_BETWEEN_LOOKS = 30.0, 0.1
STORED = "SELECT id FROM turns WHERE role = 'user'"
OUTCOMES = "SELECT outcome FROM turns WHERE kind = 'answer' AND state = 'standing'"


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """*ended* and *cut_short*: answers that were under way; *begun*: those that were not, and were asked for."""

    status: int | None
    seconds: float
    ended: int
    cut_short: int
    begun: int
    violations: list[Violation]  # after the next start


async def stop_under_load(scene: Scene, *, waiting: int) -> Stopped:
    """One answer is under way in each channel, and *waiting* questions wait behind them."""
    gates: list[Gate] = []

    def held(body: dict[str, Any]) -> Answer:
        gates.append(gate := Gate())
        gate.let_out(PIECES_OF_A_SENTENCE)
        return Answer(text=answer_to(body["messages"][-1]["content"]), gate=gate)

    discord, model, at_once = scene.stage.discord, scene.stage.model, len(scene.channels)
    model.behave(held)
    program = await scene.start(MODEL_CONCURRENCY=str(at_once), SHUTDOWN_GRACE_SECONDS=str(GRACE_SECONDS))
    await scene.connected(program)
    await scene.ask_everywhere(times=1)
    for n in range(waiting):
        await scene.ask(scene.channels[n % at_once], scene.people[(n // at_once + 1) % 2])
    await discord.until(
        lambda: all(any(one.author.bot for one in discord.messages(each)) for each in scene.channels)
    )
    await _all_stored(scene)

    program.send_signal(signal.SIGTERM)
    began = time.monotonic()
    for gate in gates[::2]:
        gate.open()
    status, _ = await ended(program)
    seconds = time.monotonic() - began
    outcomes = [row["outcome"] for row in (await tables(scene.stage.database_url, OUTCOMES))[0]]
    begun = len(model.requests) - at_once
    return Stopped(
        status=status,
        seconds=seconds,
        ended=outcomes.count("complete"),
        cut_short=outcomes.count("cut_off"),
        begun=begun,
        violations=await _after_the_next_start(scene),
    )


async def _all_stored(scene: Scene) -> None:
    async with asyncio.timeout(SECONDS_TO_BE_STORED):
        while len((await tables(scene.stage.database_url, STORED))[0]) < scene.asked:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)


async def _after_the_next_start(scene: Scene) -> list[Violation]:
    scene.answer_at_once()
    program = await scene.start()
    await scene.connected(program)
    await scene.closed_with_a_question()
    await scene.at_rest()
    await stopped(program)
    return await scene.violations()


async def main(*, channels: int, waiting: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with scened(f"sqlite:///{folder}/bot.db", channels=channels) as scene:
            found = await stop_under_load(scene, waiting=waiting)
    print(
        f"SIGTERM with {channels} answers under way and {waiting} waiting: exit code {found.status} after "
        f"{found.seconds:.1f} s (grace period {GRACE_SECONDS} s); {found.ended} ended, "
        f"{found.cut_short} cut short, {found.begun} begun; after the next start "
        f"{found.violations or '0 violations'}"
    )
    return 1 if found.status or found.begun or found.violations else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.durability.shutdown")
    parser.add_argument("--channels", type=int, default=40, help="an answer is under way in each")
    parser.add_argument("--waiting", type=int, default=100)
    raise SystemExit(asyncio.run(main(**vars(parser.parse_args()))))
