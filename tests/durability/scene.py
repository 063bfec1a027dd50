"""Channels with people who ask, a model that answers so that every word can be traced, and a bot to be killed."""

import asyncio
import random
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from bot.app import Running
from bot.core.clock import SystemClock
from bot.core.ports import Clock
from bot.playground.loopback import Channel, LoopbackDiscord, Message, User
from tests.durability.checker import Run, Violation, check
from tests.durability.tables import tables
from tests.model_server import Answer, Gate, ModelServer
from tests.whole_bot import Stage

LAUNCHER = ("-m", "tests.durability.launcher")
SETTLED_SECONDS = 300.0  # on a busy machine; else it is a matter of seconds
SECONDS_BETWEEN_QUESTIONS = 0.05
SECONDS_TO_REST, SECONDS_BETWEEN_LOOKS = 120.0, 0.2
OPEN = "SELECT id FROM turns WHERE state IN ('waiting', 'answering', 'drafting', 'written')"
_STORED = "SELECT id FROM turns WHERE kind = 'message'"
_ASKED = re.compile(r"What about (\w+) number (\d+)\?")
_LONG_EVERY = 4  # an answer of two messages


def answer_to(text: str) -> str:
    """What the model says to a prompt that ends in these words."""
    return " ".join(sentences_to(text))


def sentences_to(text: str) -> list[str]:
    canary, number = _ASKED.findall(text)[-1]
    length = 90 if int(number) % _LONG_EVERY == 0 else 3
    return [f"Sentence {n} about {canary} number {number}." for n in range(length)]


@dataclass
class Scene:
    stage: Stage
    channels: list[Channel] = field(default_factory=list)
    asked: int = 0
    gap: float = 0.0  # seconds between the model's words
    gate: Gate | None = None  # which the model's words wait for
    programs: list[asyncio.subprocess.Process] = field(default_factory=list)

    def furnish(self, channels: int) -> None:
        """Channels in which the bot answers everything."""
        self.answer_at_once()
        discord = self.stage.discord
        self.channels = [discord.add_channel(discord.guild, f"channel-{n}") for n in range(channels)]

    @property
    def people(self) -> Sequence[User]:
        return (self.stage.you, self.stage.ada)

    def answer_at_once(self) -> None:
        """Let the model answer each question as soon as it is asked."""
        self.stage.model.behave(self._answer)

    async def ask(self, channel: Channel, person: User) -> Message:
        self.asked += 1
        text = f"What about {_canary(channel)} number {self.asked}?"
        return await self.stage.discord.post(channel, person, text)

    async def ask_everywhere(self, times: int = 2) -> None:
        for n in range(times):
            for channel in self.channels:
                await self.ask(channel, self.people[n % 2])

    async def keep_asking(self, chance: random.Random) -> None:
        """A question now and then, somewhere, until cancelled."""
        while True:
            await self.ask(chance.choice(self.channels), chance.choice(self.people))
            await asyncio.sleep(chance.expovariate(1 / SECONDS_BETWEEN_QUESTIONS))

    async def start(self, **environ: str) -> asyncio.subprocess.Process:
        """Nobody reads its log before it ends, and where there is no room for more of it the bot stops."""
        program = await self.stage.start(program=LAUNCHER, **self._environment(), **environ)
        self.programs.append(program)
        return program

    @asynccontextmanager
    async def bot(self) -> AsyncIterator[Running]:
        """The same in the test's own process, where faults can be put into it; it is not killed.

        It has read what was missed, and answered: what is asked now waits for nothing, and is asked by itself.
        """
        async with self.stage.bot(**self._environment()) as running:
            catch_up = running.client.catch_up
            async with asyncio.timeout(SETTLED_SECONDS):
                for channel in self.channels:
                    while not catch_up._unread.is_read(channel.id):  # a hurried clock gives up waiting early
                        await catch_up.read(channel.id)
                        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            await self.at_rest()
            yield running

    def _environment(self) -> dict[str, str]:
        bounds = ("PER_PERSON", "PER_CHANNEL")
        return {
            "CHAT_CHANNELS": ",".join(str(channel.id) for channel in self.channels),
            **{f"MESSAGES_PER_MINUTE_{each}": "0" for each in bounds},
            **{f"MAX_WAITING_{each}": "0" for each in bounds},
            "MAX_WAITING": "0",
        }

    async def close(self) -> None:
        for program in self.programs:
            if program.returncode is None:
                program.kill()
                await program.communicate()

    async def connected(self, program: asyncio.subprocess.Process) -> None:
        ended = asyncio.create_task(program.wait())
        connected = asyncio.create_task(self.stage.discord.until(lambda: self.stage.connected))
        try:
            await asyncio.wait({ended, connected}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            connected.cancel()
            await asyncio.gather(ended, connected, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until everything that was asked is answered to its end. Raises TimeoutError."""
        await self.stage.discord.until(self._all_answered, seconds=SETTLED_SECONDS)

    async def closed_with_a_question(self) -> None:
        """Ask once more in each channel, and wait for that answer alone: what comes before it may be lost."""
        last = {channel.id: await self.ask(channel, self.people[1]) for channel in self.channels}
        await self.stage.discord.until(
            lambda: all(self._stands(channel, last[channel.id]) for channel in self.channels),
            seconds=SETTLED_SECONDS,
        )

    async def at_rest(self, *, stored: int = 0, seconds: float = SECONDS_TO_REST) -> None:
        """Until so many questions are stored and nothing is open, or for so long: the checker sees the rest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not await self._is_at_rest(stored):
                    await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    async def _is_at_rest(self, stored: int) -> bool:
        open_turns, questions, _damage = await tables(self.stage.database_url, OPEN, _STORED)
        return not open_turns and len(questions) >= stored

    async def violations(self, *, sentences: Collection[str] = ()) -> list[Violation]:
        run = Run(
            discord=self.stage.discord,
            prompts=self.stage.model.requests,
            database_url=self.stage.database_url,
            channels=self.channels,
            answer_to=answer_to,
            canaries={channel.id: _canary(channel) for channel in self.channels},
            sentences=sentences,
        )
        return await check(run)

    def _answer(self, body: dict[str, Any]) -> Answer:
        asked = body["messages"][-1]["content"]
        if not _ASKED.search(asked):
            return Answer(text="They asked about this and that.")  # a summary
        return Answer(text=answer_to(asked), gap=self.gap, gate=self.gate, chunk=None)

    def _stands(self, channel: Channel, question: Message) -> bool:
        """Its first and its last sentence are there; between its messages there may be others."""
        ours = [message.content for message in self.stage.discord.messages(channel) if message.author.bot]
        first, *_, last = sentences_to(question.content)
        return any(first in each for each in ours) and any(last in each for each in ours)

    def _all_answered(self) -> bool:
        return all(
            self._stands(channel, question)
            for channel in self.channels
            for question in _ends([each for each in self.stage.discord.messages(channel) if not each.author.bot])
        )


@asynccontextmanager
async def scened(
    database_url: str, *, channels: int = 3, rate_limits: bool = False, clock: Clock | None = None
) -> AsyncIterator[Scene]:
    """*clock*: of a bot in the test's own process."""
    async with LoopbackDiscord(rate_limits=rate_limits) as discord, ModelServer() as model:
        scene = Scene(Stage(discord=discord, model=model, database_url=database_url, clock=clock or SystemClock()))
        scene.furnish(channels=channels)
        try:
            yield scene
        finally:
            await scene.close()


@asynccontextmanager
async def scened_anew(*, channels: int, rate_limits: bool = False) -> AsyncIterator[Scene]:
    """The same, with a database of its own on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        async with scened(f"sqlite:///{folder}/bot.db", channels=channels, rate_limits=rate_limits) as scene:
            yield scene


async def ended(program: asyncio.subprocess.Process, *, seconds: float = 30.0) -> tuple[int | None, str]:
    """Its exit code and its log."""
    async with asyncio.timeout(seconds):
        _, log = await program.communicate()
    return program.returncode, log.decode()


async def stopped(program: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """End it as its operator would."""
    if program.returncode is None:
        program.send_signal(signal.SIGTERM)
    return await ended(program)


def _ends(asked: list[Message]) -> list[Message]:
    """Questions that may be answered with the next one, by the same author, need no words of their own."""
    return [
        one
        for one, next_ in zip(asked, [*asked[1:], None], strict=True)
        if next_ is None or next_.author is not one.author
    ]


def _canary(channel: Channel) -> str:
    return f"canary{channel.name.rpartition('-')[2]}x"
