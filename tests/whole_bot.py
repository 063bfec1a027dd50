"""The whole bot for a test: real client, real sockets, real database, a model that says what it is told."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.app import Running, running_bot
from bot.core.clock import SystemClock
from bot.core.ports import Clock
from bot.playground.loopback import Channel, LoopbackDiscord, Message, User
from bot.settings import load_settings
from bot.storage.turns import SqlTurnStore
from tests.model_server import ModelServer

ROOT = Path(__file__).parent.parent


@dataclass
class Stage:
    discord: LoopbackDiscord
    model: ModelServer
    database_url: str
    clock: Clock = field(default_factory=SystemClock)

    @property
    def general(self) -> Channel:
        """A channel set aside for the bot."""
        return self._channel("general")

    @property
    def random(self) -> Channel:
        return self._channel("random")

    @property
    def you(self) -> User:
        return self._user("you")

    @property
    def ada(self) -> User:
        return self._user("ada")

    def environment(self, **changes: str) -> dict[str, str]:
        return {
            "DISCORD_TOKEN": self.discord.token,
            "DISCORD_API_URL": self.discord.api_url,
            "OPENAI_BASE_URL": self.model.base_url,
            "DATABASE_URL": self.database_url,
            "CHAT_CHANNELS": str(self.general.id),
            "SHUTDOWN_GRACE_SECONDS": "2",
        } | changes

    @asynccontextmanager
    async def bot(self, **changes: str) -> AsyncIterator[Running]:
        """The bot, connected to the channels."""
        settings = load_settings(None, self.environment(**changes))
        async with running_bot(settings, clock=self.clock) as running:
            await self.discord.until(lambda: running.serving.done() or self.connected)
            yield running

    async def start(
        self, *, program: Sequence[str] = ("-m", "bot", "run"), under: Sequence[str] = (), **changes: str
    ) -> asyncio.subprocess.Process:
        """The bot as a program of its own; *under*: another that carries it out, as `env` does."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | self.environment(**changes)
        return await asyncio.create_subprocess_exec(
            *under,
            sys.executable,
            *program,
            cwd=self._folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    @property
    def connected(self) -> bool:
        return any(session.line for session in self.discord.sessions)

    async def ask(
        self, text: str, *, channel: Channel | None = None, author: User | None = None, **how
    ) -> Message:
        """Post it and wait for the answer; returns the bot's newest message there."""
        place = channel or self.general
        asked = await self.discord.post(place, author or self.you, text, **how)
        return await self.discord.until(lambda: self.reply_to(asked))

    async def chat(self, text: str, *, channel: Channel | None = None, author: User | None = None, **options):
        """/chat, as it was called."""
        await self.discord.until(lambda: self.discord.commands)
        return await self.discord.slash(
            channel or self.general, author or self.you, "chat", {"message": text, **options}
        )

    async def called(
        self, name: str, *, by: User | None = None, channel: Channel | None = None, **options
    ) -> Message:
        """The message that answers a command, which nobody else sees."""
        await self.discord.until(lambda: self.discord.commands)
        call = await self.discord.slash(channel or self.general, by or self.you, name, options)
        message = await self.discord.until(lambda: call.original)
        assert message.is_ephemeral
        return message

    def reply_to(self, asked: Message) -> Message | None:
        replies = (
            message
            for message in self.discord.messages(asked.channel)
            if message.author.bot and message.reference and message.reference.message_id == asked.id
        )
        return next(replies, None)

    async def settled(self, message: Message, text: str) -> None:
        await self.discord.until(lambda: message.content == text)

    def prompts(self) -> list[list[tuple[str, str]]]:
        return [
            [(each["role"], each["content"]) for each in request["messages"]] for request in self.model.requests
        ]

    @property
    def _folder(self) -> Path:
        """Where nobody has a .env."""
        on_disk = self.database_url.startswith("sqlite:///")
        return (
            Path(self.database_url.removeprefix("sqlite:///")).parent if on_disk else Path(tempfile.gettempdir())
        )

    def _channel(self, name: str) -> Channel:
        return next(each for each in self.discord.world.channels.values() if each.name == name)

    def _user(self, name: str) -> User:
        return next(each for each in self.discord.world.users.values() if each.name == name)


@dataclass(kw_only=True)
class Watched(Stage):
    stood: asyncio.Semaphore  # released for each answer that stands


def noting_what_stands(monkeypatch: pytest.MonkeyPatch) -> asyncio.Semaphore:
    """Released for each answer that stands, in whatever store."""
    stood, stand = asyncio.Semaphore(0), SqlTurnStore.stand

    async def stand_and_tell(store: SqlTurnStore, answer_id: int) -> None:
        await stand(store, answer_id)
        stood.release()

    monkeypatch.setattr(SqlTurnStore, "stand", stand_and_tell)
    return stood


@asynccontextmanager
async def met_before(folder: Path, *, clock: Clock | None = None) -> AsyncIterator[Stage]:
    """A stage on which the bot has been, and is not any more."""
    clock = clock or SystemClock()
    async with LoopbackDiscord(clock=clock, rate_limits=False) as discord, ModelServer() as model:
        stage = Stage(discord=discord, model=model, database_url=f"sqlite:///{folder}/bot.db", clock=clock)
        async with stage.bot():
            await stage.ask("I was here")
        yield stage
