"""`python -m tests.durability.storm`: Discord answers with 429s of all kinds, and every question is answered.

A spell of one kind refuses all that it concerns until it is over: who does not wait is refused again and again.
Cloudflare's does not say how long it lasts; there the bot waits less than it otherwise would.
"""

import asyncio
import random
from dataclasses import dataclass

from bot.playground.loopback import LoopbackDiscord
from bot.playground.loopback.record import RecordedRequest
from tests.durability.checker import Violation
from tests.durability.scenario import Played, run
from tests.durability.scene import scened_anew, stopped

SPELLS, QUICK_SPELLS = 30, 4
CHANNELS = 20
KINDS = ("user", "shared", "global", "Cloudflare", "user", "shared", "global", "user", "shared", "global")
OF_A_CHANNEL = ("user", "shared")
SHORTEST_SPELL, LONGEST_SPELL, LONGEST_PAUSE = 0.5, 3.0, 1.5  # seconds
REFUSED_BY_CHANCE = 0.005  # of all requests
FEWER_INVALID_THAN = 100
SECONDS_TO_REST = 300.0
EVER = 10**9


@dataclass(kw_only=True)
class Spell:
    kind: str = ""
    until: float = 0.0
    concerns: str = ""  # how the paths begin; of a channel's, the first to ask for anything


class Storm:
    def __init__(self, discord: LoopbackDiscord, chance: random.Random) -> None:
        self._discord = discord
        self._chance = chance
        self._spell = Spell()
        for kind in ("user", "shared", "global"):
            self._refuse(kind)
        self._discord.faults.add("*", "/", what="html", status=429, times=EVER, matches=self._has_a("Cloudflare"))
        self._discord.faults.add("*", "/", what="rate_limit", retry_after=0.3, times=EVER, matches=self._by_chance)

    async def rage(self, spells: int) -> None:
        for n in range(spells):
            seconds = self._chance.uniform(SHORTEST_SPELL, LONGEST_SPELL)
            self._spell = Spell(kind=KINDS[n % len(KINDS)], until=self._discord.clock.monotonic() + seconds)
            await asyncio.sleep(seconds + self._chance.uniform(0.0, LONGEST_PAUSE))
        self._discord.faults.clear()

    def _refuse(self, scope: str) -> None:
        is_on = self._has_a(scope)

        def matches(request: RecordedRequest) -> bool:
            fault.retry_after = self._spell.until - self._discord.clock.monotonic()
            return is_on(request)

        fault = self._discord.faults.add("*", "/", what="rate_limit", scope=scope, times=EVER, matches=matches)

    def _has_a(self, kind: str):
        def matches(request: RecordedRequest) -> bool:
            spell = self._spell
            if spell.kind != kind or self._discord.clock.monotonic() >= spell.until:
                return False
            if kind in OF_A_CHANNEL and not spell.concerns:
                spell.concerns = _channel(request)
            return request.path.startswith(spell.concerns)

        return matches

    def _by_chance(self, _request: RecordedRequest) -> bool:
        return self._chance.random() < REFUSED_BY_CHANCE


def _channel(request: RecordedRequest) -> str:
    return "/".join(request.path.split("/")[:3])


async def play(chance: random.Random, quick: bool) -> Played:  # noqa: FBT001 - as the command line says it
    async with scened_anew(channels=CHANNELS, rate_limits=True) as scene:
        discord = scene.stage.discord
        program = await scene.start(CONFAB_TEST_HASTE="1", LOG_LEVEL="WARNING", MODEL_CONCURRENCY="40")
        await scene.connected(program)
        storm = Storm(discord, chance)
        asking = asyncio.create_task(scene.keep_asking(chance))
        await storm.rage(QUICK_SPELLS if quick else SPELLS)
        asking.cancel()
        await scene.at_rest(stored=scene.asked, seconds=SECONDS_TO_REST)
        await stopped(program)
        invalid = discord.limits.invalid_requests
        found = await scene.violations()
        if invalid >= FEWER_INVALID_THAN:
            found.append(Violation(invariant="refused", what=f"{invalid} invalid requests"))
        return Played(
            figures={
                "spells": QUICK_SPELLS if quick else SPELLS,
                "questions": scene.asked,
                "requests": len(discord.requests),
                "of them 429": sum(request.status == 429 for request in discord.requests),
                "invalid": invalid,
            },
            violations=found,
        )


if __name__ == "__main__":
    raise SystemExit(run("storm", play))
