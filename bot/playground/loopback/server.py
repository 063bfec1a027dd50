"""The loopback Discord's door: it starts and stops, is furnished, acted in, and looked at."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from aiohttp import web

from bot.core.clock import SystemClock
from bot.core.ports import Clock
from bot.playground.loopback.about_routes import AboutRoutes
from bot.playground.loopback.cdn import LATE_OR_FORGED, Cdn
from bot.playground.loopback.changes import SAFETY_SECONDS, Changes, Watch
from bot.playground.loopback.channel_routes import ChannelRoutes
from bot.playground.loopback.command_routes import CommandRoutes
from bot.playground.loopback.commands import Commands
from bot.playground.loopback.default_world import default_world
from bot.playground.loopback.events import Events
from bot.playground.loopback.faults import Faults
from bot.playground.loopback.furnishing import Furnishing
from bot.playground.loopback.gateway import Gateway, Session
from bot.playground.loopback.gateway_line import GatewayDoor
from bot.playground.loopback.guild_routes import GuildRoutes
from bot.playground.loopback.interaction import Interaction
from bot.playground.loopback.interaction_routes import InteractionRoutes
from bot.playground.loopback.interactions import Interactions
from bot.playground.loopback.message_payloads import MessagePayloads
from bot.playground.loopback.people import People
from bot.playground.loopback.posting import Posting
from bot.playground.loopback.rate_limits import RateLimits
from bot.playground.loopback.record import RecordedHello, RecordedRequest
from bot.playground.loopback.refusals import Json
from bot.playground.loopback.rest import MOST_BYTES, Rest
from bot.playground.loopback.snowflakes import Snowflakes
from bot.playground.loopback.world import Channel, Message, User

T = TypeVar("T")
TOKEN = "loopback.token"  # noqa: S105 -- it opens nothing but this


class LoopbackDiscord(Furnishing, People):
    """A Discord on 127.0.0.1; use it as an async context manager.

    *latency* is in seconds, half of it before a REST request arrives and half before its answer does.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        latency: float = 0.0,
        token: str = TOKEN,
        message_content_granted: bool = True,
        rate_limits: bool = True,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.world = default_world(message_content_granted=message_content_granted)
        self.limits = RateLimits(self.clock, enabled=rate_limits)
        self._snowflakes = Snowflakes(self.clock)
        self._changes = Changes()
        self._cdn = Cdn(self.clock)
        self._gateway = Gateway(self.world, self.clock, self._changes)
        self._door = GatewayDoor(self._gateway, self.world, self.clock, self._changes, token=lambda: self.token)
        payloads = MessagePayloads(self.world, self._cdn)
        self._events = Events(self.world, self._gateway, self._changes, payloads)
        self._posting = Posting(self.world, self._events, self.clock, self._snowflakes, self._cdn)
        self._commands = Commands(self.world.application_id, self._snowflakes)
        self._interactions = Interactions(
            world=self.world,
            events=self._events,
            posting=self._posting,
            commands=self._commands,
            clock=self.clock,
            snowflakes=self._snowflakes,
        )
        self.faults = Faults(self._gateway, self._door)
        self._rest = Rest(self.clock, self._changes, self.limits, self.faults, token=token, latency=latency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self.api_url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MOST_BYTES)
        for routes in (
            AboutRoutes(self.world, self._gateway, self._door, self.clock),
            GuildRoutes(self.world),
            ChannelRoutes(self.world, self._gateway, self._events, self._posting, self.clock),
            InteractionRoutes(self.world, self._gateway, self._events, self._interactions),
            CommandRoutes(self.world, self._commands),
        ):
            self._rest.install(app, routes.all())
        self._rest.install_fallback(app)
        app.router.add_get("/gateway", self._door.connect)
        app.router.add_get("/gateway/", self._door.connect)
        app.router.add_get("/attachments/{channel_id}/{attachment_id}/{filename}", self._serve_file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.api_url = f"http://127.0.0.1:{port}/api/v10"
        self._cdn.address = f"http://127.0.0.1:{port}"
        self._gateway.address = f"ws://127.0.0.1:{port}/gateway"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._door.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._changes.close()

    # -- what it is

    @property
    def token(self) -> str:
        return self._rest.token

    @token.setter
    def token(self, token: str) -> None:
        """Another token: the old one is refused from now on, as after a reset."""
        self._rest.token = token

    @property
    def gateway_url(self) -> str:
        return self._gateway.address

    @property
    def bot_user(self) -> User:
        return self.world.bot

    @property
    def application_id(self) -> int:
        return self.world.application_id

    @property
    def nonce_seconds(self) -> float:
        """How long a nonce is remembered."""
        return self._posting.nonce_seconds

    @nonce_seconds.setter
    def nonce_seconds(self, seconds: float) -> None:
        self._posting.nonce_seconds = seconds

    # -- what can be seen

    def messages(self, channel: Channel, *, seen_by: User | None = None) -> list[Message]:
        """What stands in a channel, oldest first; ephemeral messages only for whom they are (*seen_by*)."""
        return [
            message
            for message in sorted(channel.messages.values(), key=lambda each: each.id)
            if not message.is_loading and (message.visible_to is None or message.visible_to is seen_by)
        ]

    def is_typing(self, channel: Channel) -> bool:
        """The bot's typing indicator shows: for ten seconds, or until its message comes."""
        return channel.bot_types_until > self.clock.monotonic()

    @property
    def requests(self) -> list[RecordedRequest]:
        return self._rest.requests

    @property
    def hellos(self) -> list[RecordedHello]:
        """Each IDENTIFY and RESUME, and its outcome."""
        return self._door.hellos

    @property
    def commands(self) -> list[Json]:
        """The registered global commands."""
        return self._commands.registered()

    @property
    def interactions(self) -> list[Interaction]:
        return self._interactions.calls

    @property
    def sessions(self) -> list[Session]:
        """The gateway sessions that are connected."""
        return self._gateway.sessions

    def watch(self) -> Watch:
        """What a person's client shows from now on, as an async iterator of `Seen`."""
        return self._changes.watch()

    async def until(self, becomes_true: Callable[[], T], *, seconds: float = SAFETY_SECONDS) -> T:
        """Wait until the call returns something true, and return it; raises TimeoutError, real seconds later."""
        try:
            return await self._changes.until(becomes_true, seconds=seconds)
        except TimeoutError:
            latest = [f"{each.method} {each.route} → {each.status or each.fault}" for each in self.requests[-8:]]
            raise TimeoutError(f"still not true after {seconds} s; latest requests: {latest}") from None

    async def _serve_file(self, request: web.Request) -> web.Response:
        attachment = self._cdn.find(int(request.match_info["attachment_id"]), request.query)
        if attachment is None:
            return web.Response(status=404, text=LATE_OR_FORGED)
        return web.Response(body=attachment.upload.data, content_type=attachment.upload.content_type)
