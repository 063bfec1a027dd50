"""A real discord.Client before a loopback Discord, with an outbox in its hands and a clock in the test's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import discord
import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from bot.core.messages import Interaction, Kind, TakenUp
from bot.core.tokens import TokenBudget
from bot.discord.buttons import button_below
from bot.discord.outbound import Outbox
from bot.discord.pacer import Pacer
from bot.discord.payloads import Content
from bot.discord.replies import DiscordReplies
from bot.playground.loopback import LoopbackDiscord
from tests.fakes import NOW, FakeStore, message

CHAT = {
    "name": "chat",
    "type": 1,
    "description": "Ask me something",
    "options": [{"name": "message", "type": 3, "description": "Your question", "required": True}],
}


class StageClock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self._waits: list[tuple[float, Callable[[], None]]] = []

    def now(self):
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            over = asyncio.Event()
            with self._waiting(self.seconds + seconds, over.set):
                await over.wait()

    @asynccontextmanager
    async def deadline(self, seconds: float):
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as timeout:
            with self._waiting(
                self.seconds + seconds, lambda: timeout.expired() or timeout.reschedule(loop.time())
            ):
                yield None

    async def advance(self, seconds: float) -> None:
        """Let somebody wait for exactly this long, then let it be over."""
        await self.reach(seconds)
        self.jump(seconds)

    async def reach(self, seconds: float) -> None:
        """Return when somebody waits for exactly this long from now."""
        until = self.seconds + seconds
        async with asyncio.timeout(10):
            while not any(abs(at - until) < 1e-6 for at, _ in self._waits):
                await asyncio.sleep(0)

    def jump(self, seconds: float) -> None:
        self.seconds += seconds
        for at, end in list(self._waits):
            if at <= self.seconds + 1e-6:
                end()

    @contextlib.contextmanager
    def _waiting(self, until: float, end: Callable[[], None]):
        wait = (until, end)
        self._waits.append(wait)
        try:
            yield
        finally:
            self._waits.remove(wait)


class _Client(discord.Client):
    """The least of a client: it tells the outbox what it hears, and acknowledges commands."""

    hears = True
    outbox: Outbox
    on_command: Callable[[discord.Interaction], Awaitable[None]]

    async def on_message(self, heard: discord.Message) -> None:
        if self.hears and heard.author.id == self.application_id:
            self.outbox.heard_own(heard.nonce, heard.id)

    async def on_raw_message_edit(self, edit: discord.RawMessageUpdateEvent) -> None:
        if self.hears:
            shown = Content(text=edit.message.content, button=button_below(edit.message))
            self.outbox.heard_own_edit(edit.message_id, shown)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        await self.on_command(interaction)

    async def acknowledge(self, interaction: discord.Interaction) -> None:
        await self.outbox.acknowledge(interaction, ephemeral=False)


class Stage:
    def __init__(self, loopback: LoopbackDiscord, client: _Client, clock: StageClock, pacer: Pacer) -> None:
        self.discord = loopback
        self.pacer = pacer
        self.client = client
        self.clock = clock
        self.outbox = client.outbox
        self.store = FakeStore()
        self.replies = DiscordReplies(store=self.store, outbox=self.outbox, clock=clock)
        self.you = loopback.user("you")
        self.channel = loopback.channel("#general")

    async def asked(self, text: str = "Why is the sky blue?") -> TakenUp:
        """A question in the channel, stored and taken up."""
        posted = await self.discord.post(self.channel, self.you, text)
        return await self._take_up(message(text, id=posted.id, channel=self.channel.id))

    async def chatted(self, text: str = "Why is the sky blue?", *, private: bool = False) -> TakenUp:
        """The same, by /chat."""
        called = await self.called(text)
        await self.discord.until(lambda: called.acknowledged)
        interaction = Interaction(
            id=called.id, token=called.token, expires_at=self.clock.now() + timedelta(minutes=15)
        )
        incoming = message(text, id=called.id, channel=self.channel.id, kind=Kind.SLASH, interaction=interaction)
        if private:
            incoming = message(
                text,
                id=called.id,
                kind=Kind.SLASH,
                interaction=interaction,
                key=type(incoming.key)(channel_id=self.channel.id, private_to=self.you.id),
            )
        return await self._take_up(incoming)

    def spawn(self, coroutine):
        return asyncio.ensure_future(coroutine)

    async def called(self, text: str = "Why is the sky blue?"):
        """/chat, as the loopback Discord sees it."""
        if not self.discord.commands:
            await self.client.http.bulk_upsert_global_commands(self.client.application_id, [CHAT])
        return await self.discord.slash(self.channel, self.you, "chat", {"message": text})

    async def give_up(self, taken: TakenUp) -> None:
        """The next question can be taken up."""
        await self.store.undeliverable(taken.answer_id, code="given_up")

    async def posted(self, taken: TakenUp, n: int = 0) -> None:
        """Wait until the store knows the message that part *n* became."""
        parts = self.store.parts[taken.answer_id]
        async with asyncio.timeout(10):
            while n not in parts or parts[n].message_id is None:
                await asyncio.sleep(0)

    async def settle(self) -> None:
        """Let everything that can go on without the network or the clock do so."""
        for _ in range(50):
            await asyncio.sleep(0)

    def said(self) -> list[str]:
        """What the bot's messages in the channel say now."""
        return [
            each.content for each in self.discord.messages(self.channel) if each.author is self.discord.bot_user
        ]

    def asked_of_discord(self, method: str, route: str) -> list[dict]:
        """The bodies of the requests to a route."""
        return [
            each.body for each in self.discord.requests if each.method == method and each.route.endswith(route)
        ]

    async def _take_up(self, incoming) -> TakenUp:
        received = await self.store.receive(incoming, take_up=True, budget=TokenBudget(history_tokens=8000))
        assert received.taken_up is not None
        assert received.taken_up.question.message_id == incoming.message_id
        return received.taken_up


@asynccontextmanager
async def staged(
    monkeypatch: pytest.MonkeyPatch, *, hears: bool = True, rate_limits: bool = False
) -> AsyncIterator[Stage]:
    """*hears*: the gateway's echo of what we post reaches the outbox."""
    clock = StageClock()
    async with LoopbackDiscord(clock=clock, rate_limits=rate_limits) as loopback:
        monkeypatch.setattr(Route, "BASE", loopback.api_url)
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", URL(loopback.gateway_url))
        pacer = Pacer(clock)
        client = _Client(
            intents=discord.Intents(guilds=True, guild_messages=True),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            guild_ready_timeout=0.0,
            http_trace=pacer.trace(),
        )
        client.hears = hears
        client.outbox = Outbox(client, clock=clock, pacer=pacer)
        client.on_command = client.acknowledge
        async with asyncio.timeout(10):
            await client.login(loopback.token)
        running = asyncio.create_task(client.connect())
        try:
            async with asyncio.timeout(10):
                await client.wait_until_ready()
            stage = Stage(loopback, client, clock, pacer)
            try:
                yield stage
            finally:
                await stage.replies.close()
        finally:
            loopback.faults.clear()
            await client.outbox.close()
            await pacer.close()
            await client.close()
            await asyncio.gather(running, return_exceptions=True)
