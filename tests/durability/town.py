"""The town that a story happens in: its people, its Discord, its model, and a bot that comes and goes."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from unittest.mock import patch

from hypothesis.stateful import RuleBasedStateMachine, initialize

from bot.playground.loopback import LoopbackDiscord
from tests.clock import LeapingClock
from tests.durability.databases import Databases
from tests.durability.ledger import Ledger
from tests.durability.life import ENVIRONMENT, Life
from tests.durability.scene import OPEN
from tests.durability.story import Place, Story
from tests.durability.tables import tables
from tests.model_server import ModelServer
from tests.whole_bot import Stage

T = TypeVar("T")
SECONDS_TO_REST = 20.0


class Town(RuleBasedStateMachine):
    """A state machine without rules. *database* is "sqlite" or "postgresql"."""

    databases: Databases
    database = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._life: Life | None = None
        self._leaps = 0
        self._sessions = 1

    def _do(self, deed: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(deed)

    @initialize()
    def begin(self) -> None:
        url = self._stack.enter_context(self.databases.new(self.database))
        self._do(self._begin(url))

    async def _begin(self, url: str) -> None:
        clock = LeapingClock()
        discord = await self._stack.enter_async_context(LoopbackDiscord(rate_limits=False, clock=clock))
        model = await self._stack.enter_async_context(ModelServer())
        self.stage = stage = Stage(discord=discord, model=model, database_url=url, clock=clock)
        self.ledger = Ledger()
        self._stack.enter_context(self.ledger.open())
        # Nobody learns anything from pauses between connections.
        self._stack.enter_context(patch("bot.discord.connecting.LONGEST_PAUSE_SECONDS", 0.0))
        self._stack.enter_context(patch("bot.discord.connecting.SECONDS_BETWEEN_SESSIONS", 0.0))
        discord._changes._tries.add(self.ledger.changed.set)
        both, quiet = (stage.you, stage.ada), discord.add_channel(discord.guild, "quiet")
        thread = discord.add_thread(stage.general, "thread")
        direct = discord.open_dm(stage.ada)
        self.story = Story(
            stage=stage,
            ledger=self.ledger,
            places=[
                Place(channel=stage.general, canary="canaryAx", people=both),
                Place(channel=quiet, canary="canaryBx", people=both),
                Place(channel=thread, canary="canaryCx", people=both),
                Place(channel=direct, canary="canaryDx", people=(stage.ada,)),
                Place(channel=stage.general, canary="canaryEx", people=(stage.you,), private_to=stage.you),
            ],
        )
        model.behave(self.story.answer)
        self._environment = ENVIRONMENT | {"CHAT_CHANNELS": f"{stage.general.id},{quiet.id}"}
        await self._start()
        await self.story.say(self.story.places[3], stage.ada)  # a DM that the bot never met is none that it missed
        await self._rest()

    def teardown(self) -> None:
        try:
            self._do(self._finish())
        finally:
            self._do(self._stack.aclose())
            self._runner.close()

    def _public(self, where: int) -> Place:
        public = [place for place in self.story.places if not place.private_to]
        return public[where % len(public)]

    async def _now(self, deed: Callable[[], object]) -> None:
        deed()

    async def _called(self, call: Coroutine[Any, Any, None]) -> None:
        await self.stage.discord.until(lambda: self.stage.connected and self.stage.discord.commands)
        await call

    def _open_gate(self) -> None:
        if self.story.gate is not None:
            self.story.gate.open()
            self.story.gate = None

    async def _start(self) -> None:
        self._life = Life(self.stage, self._environment)
        self.running = await self._life.begun()

    async def _end(self, *, crashes: bool = False) -> None:
        if life := self._life:
            self._life = None
            await (life.crash() if crashes else life.end())

    async def _lose(self, *, resumable: bool) -> None:
        await self._heard()  # one that is lost while it is made leads the library into resuming nothing for ever
        if resumable:
            self.stage.discord.faults.cut_gateway()
        else:
            self.stage.discord.faults.close_gateway(4009)

    async def _heard(self) -> None:
        """Until the bot has been told everything that was said, and has handled it."""
        discord = self.stage.discord
        async with asyncio.timeout(SECONDS_TO_REST):
            while True:
                await discord.until(lambda: self.stage.connected)
                (session,) = discord.sessions
                said = await discord.post(self.stage.random, self.stage.you, "This is not for the bot.")
                while said.id not in self.ledger.heard and discord.sessions in ([], [session]):
                    await self._next_change()
                if said.id in self.ledger.heard:
                    break
            while self.ledger.at_work:
                await self._next_change()

    async def _next_change(self) -> None:
        self.ledger.changed.clear()
        await self.ledger.changed.wait()

    async def _rest(self) -> None:
        """Until everything is as it must be. Raises AssertionError."""
        self._open_gate()
        if self._life is None:
            await self._start()
        await self._heard()
        found: list[object] = []
        try:
            async with asyncio.timeout(SECONDS_TO_REST):
                while True:
                    self.ledger.changed.clear()
                    if not (found := await self._wrong()):
                        break
                    await self.ledger.changed.wait()
        except TimeoutError:
            _nothing_is_wrong(found)
        if self.running.serving.done():
            self.running.serving.result()

    async def _wrong(self) -> list[object]:
        (unfinished, _) = await tables(self.stage.database_url, OPEN)
        return [*unfinished] or [*await self.story.violations()]

    async def _finish(self) -> None:
        try:
            await self._rest()
        finally:
            await self._end()
        _nothing_is_wrong([*self.ledger.faults, *await self.story.violations()])

    async def _tell_again(self, what: int) -> None:
        for session in self.stage.discord.sessions:
            told = [event for _, text in session._sent if (event := json.loads(text))["t"].startswith("MESSAGE_")]
            if told:
                again = told[what % len(told)]
                session.dispatch(again["t"], again["d"])

    async def _swap(self, place: Place, who: int, what: int, then: str) -> None:
        """Things about different messages, and not two questions of one conversation: those have an order."""
        before = self.story.standing()
        lines = [session.line for session in self.stage.discord.sessions]
        told: list[str] = []
        for line in lines:
            line.send = told.append
        await self.story.say(place, place.people[who % len(place.people)])
        if then == "writes":
            others = [each for each in self.story.places if each is not place and not each.private_to]
            await self.story.say(others[what % len(others)], others[what % len(others)].people[0])
        elif before:
            said = before[what % len(before)]
            await (self.story.edit(said) if then == "edits" else self.story.delete(said.message))
        for line in lines:
            del line.send
            for text in reversed(told):
                line.send(text)


def _nothing_is_wrong(found: Sequence[object]) -> None:
    assert not found, "\n".join(map(repr, found))
