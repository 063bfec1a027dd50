"""Our client before a loopback Discord, with an intake that writes down what reaches it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import discord
import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.core.access import AccessRules
from bot.core.admission import Refusal
from bot.core.errors import AccessRefused
from bot.core.handled import Handled
from bot.core.messages import ConversationKey, Edit, IncomingMessage
from bot.core.rights import Policy
from bot.discord.catch_up import CatchUp
from bot.discord.client import ConfabClient, point_library_at
from bot.discord.outbound import Outbox
from bot.discord.pacer import Pacer
from bot.discord.preflight import look_up_application
from bot.playground.loopback import LoopbackDiscord
from tests.clock import ManualClock
from tests.fakes import FakeStore


@dataclass
class Notebook:
    """The intake's door: everything that comes in is written down, in order."""

    taken: list[IncomingMessage] = field(default_factory=list)
    happened: list[tuple[object, ...]] = field(default_factory=list)
    closed: bool = False
    fault: Exception | None = None
    refusal: Refusal | None = None
    stored: asyncio.Event | None = None  # until it is set, the database is busy
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def admit(self, message: IncomingMessage) -> Refusal | None:
        return self.refusal

    async def consider(self, message: IncomingMessage) -> None:
        await self.take(message)

    async def consider_missed(self, message: IncomingMessage) -> bool:
        await self.take(message)
        return True

    def erased_of(self, _message: IncomingMessage) -> set[int]:
        return set()

    async def take(self, message: IncomingMessage) -> None:
        self.taken.append(message)
        await self._note("taken", message.message_id)

    async def turn_away(self, message: IncomingMessage, refusal: AccessRefused) -> None:
        await self._note("turned away", message.message_id, refusal.code)

    async def edited(self, edit: Edit) -> None:
        await self._note("edited", edit.message_id, edit.text, edit.raw_text, edit.note, edit.edited_at)

    async def deleted(self, message_ids: Sequence[int]) -> None:
        await self._note("deleted", *message_ids)

    async def channel_deleted(self, channel_id: int) -> None:
        await self._note("channel deleted", channel_id)

    async def guild_left(self, guild_id: int) -> None:
        await self._note("guild left", guild_id)

    async def reset(self, key: ConversationKey) -> None:
        await self._note("reset", key)

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.taken]

    async def until(self, becomes_true: Callable[[], object]) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(becomes_true)

    async def _note(self, *what: object) -> None:
        self.happened.append(what)
        async with self.changed:
            self.changed.notify_all()
        if self.stored is not None:
            await self.stored.wait()
        if self.fault is not None:
            raise self.fault


class NoPresses:
    """Answers have no buttons here."""


class NoLookUps:
    """Nobody looks back here."""


class Connected:
    """What a test has in hand; *running* is `run_forever`."""

    def __init__(
        self, loopback: LoopbackDiscord, client: ConfabClient, clock: ManualClock, pacer: Pacer, *, wired: bool
    ) -> None:
        self.discord = loopback
        self.client = client
        self.clock = clock
        self.intake = Notebook()
        self.store = FakeStore()
        self.outbox = Outbox(client, clock=clock, pacer=pacer)
        self.presses = NoPresses()
        self.handled = Handled()
        self.policy = Policy(provider="model.example")
        self.catch_up = CatchUp(
            client, store=self.store, handled=self.handled, clock=clock, answer_within=timedelta(hours=1)
        )
        if wired:
            client.wire(
                intake=self.intake,
                look_ups=NoLookUps(),
                presses=self.presses,
                outbox=self.outbox,
                store=self.store,
                catch_up=self.catch_up,
                policy=self.policy,
                usage=self.store,
            )
        self.you = loopback.user("you")
        self.ada = loopback.user("ada")
        self.bot = loopback.bot_user
        self.general = loopback.channel("#general")
        self.random = loopback.channel("#random")

    async def until_here(self) -> None:
        """Let everything that was said so far arrive: events come in order."""
        said = await self.discord.post(self.random, self.ada, f"{self.bot.mention} that's all")
        await self.intake.until(lambda: self.intake.taken and self.intake.taken[-1].message_id == said.id)
        self.intake.taken.pop()
        self.intake.happened.remove(("taken", said.id))

    async def hear(self, post) -> discord.Message:
        """What the library makes of a message that is about to be posted."""
        heard: dict[int, discord.Message] = {}
        posted: list[int] = []

        def is_it(message: discord.Message) -> bool:
            heard[message.id] = message
            return message.id in posted

        hearing = asyncio.ensure_future(self.client.wait_for("message", check=is_it, timeout=10))
        await asyncio.sleep(0)
        posted.append((await post).id)
        return heard.get(posted[0]) or await hearing


@asynccontextmanager
async def prepared(
    monkeypatch: pytest.MonkeyPatch,
    *,
    chat_channels: Sequence[str] = (),
    granted: bool = True,
    message_content: bool | None = None,
    wired: bool = True,
    access: Callable[[LoopbackDiscord], AccessRules] = lambda _: AccessRules(),
) -> AsyncIterator[Connected]:
    """The client, before it connects; with *wired*, its events go to the notebook."""
    monkeypatch.setattr(Route, "BASE", Route.BASE)  # both are put back after the test
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", DiscordWebSocket.DEFAULT_GATEWAY)
    clock = ManualClock()
    async with LoopbackDiscord(clock=clock, rate_limits=False, message_content_granted=granted) as loopback:
        application = await look_up_application(api_url=loopback.api_url, token=loopback.token, clock=clock)
        point_library_at(api_url=loopback.api_url, gateway_url=application.gateway_url)
        pacer = Pacer(clock)
        client = ConfabClient(
            application=application,
            message_content=granted if message_content is None else message_content,
            chat_channels=frozenset(loopback.channel(name).id for name in chat_channels),
            access=access(loopback),
            clock=clock,
            pacer=pacer,
        )
        connected = Connected(loopback, client, clock, pacer, wired=wired)
        try:
            yield connected
        finally:
            await client.close()
            await connected.catch_up.close()
            await connected.outbox.close()
            await pacer.close()


@asynccontextmanager
async def connected(monkeypatch: pytest.MonkeyPatch, **choices) -> AsyncIterator[Connected]:
    """The client, connected and with its commands registered."""
    async with prepared(monkeypatch, **choices) as here:
        running = asyncio.create_task(here.client.run_forever(here.discord.token))
        try:
            # READY and the guilds have been sent by then; the library's own "ready" comes two seconds later.
            await here.discord.until(lambda: here.discord.commands and here.discord.sessions)
            yield here
        finally:
            await here.client.close()
            await running
