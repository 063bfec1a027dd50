"""The loopback Discord's door: it starts and stops, is furnished, acted in, and looked at."""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from aiohttp import web

from bot.core.clock import SystemClock
from bot.core.ports import Clock
from bot.playground.loopback import permissions
from bot.playground.loopback.cdn import LATE_OR_FORGED, Cdn
from bot.playground.loopback.changes import SAFETY_SECONDS, Changes, Watch
from bot.playground.loopback.commands import Commands
from bot.playground.loopback.default_world import default_world
from bot.playground.loopback.events import Events
from bot.playground.loopback.faults import Faults
from bot.playground.loopback.gateway import Gateway, Session
from bot.playground.loopback.gateway_line import GatewayDoor
from bot.playground.loopback.interactions import Interaction, Interactions
from bot.playground.loopback.message_payloads import MessagePayloads
from bot.playground.loopback.people import People
from bot.playground.loopback.posting import Posting
from bot.playground.loopback.rate_limits import RateLimits
from bot.playground.loopback.record import RecordedHello, RecordedRequest
from bot.playground.loopback.refusals import Json
from bot.playground.loopback.rest import MOST_BYTES, Rest
from bot.playground.loopback.routes import Routes
from bot.playground.loopback.snowflakes import Snowflakes
from bot.playground.loopback.world import (
    Channel,
    ChannelType,
    Guild,
    Message,
    Role,
    Upload,
    User,
)

T = TypeVar("T")
TOKEN = "loopback.token"  # noqa: S105 -- it opens nothing but this


class LoopbackDiscord:
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
        self._people = People(self.world, self._events, self._posting, self.clock, self._snowflakes)
        self._commands = Commands(self.world.application_id, self._snowflakes)
        self._interactions = Interactions(
            self.world, self._events, self._posting, self._commands, self.clock, self._snowflakes
        )
        self.faults = Faults(self._gateway, self._door)
        self._rest = Rest(self.clock, self._changes, self.limits, self.faults, token=token, latency=latency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self.api_url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MOST_BYTES)
        routes = Routes(
            world=self.world,
            gateway=self._gateway,
            door=self._door,
            events=self._events,
            posting=self._posting,
            interactions=self._interactions,
            commands=self._commands,
            clock=self.clock,
        )
        self._rest.install(app, routes.all())
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

    # -- furnishing the world

    @property
    def guild(self) -> Guild:
        """The first guild: "Playground", in the default world."""
        return next(iter(self.world.guilds.values()))

    def user(self, name: str) -> User:
        return next(user for user in self.world.users.values() if user.name == name)

    def channel(self, name: str) -> Channel:
        """The channel or thread of this name, "#general" or "general"."""
        wanted = name.removeprefix("#")
        return next(each for each in self.world.channels.values() if each.name == wanted and each.guild)

    def add_user(self, name: str, *, display_name: str | None = None, bot: bool = False) -> User:
        user = User(id=self._snowflakes.make(), name=name, display_name=display_name, bot=bot)
        self.world.users[user.id] = user
        return user

    def add_guild(self, name: str, *, owner: User | None = None) -> Guild:
        guild = Guild(
            id=self._snowflakes.make(),
            name=name,
            owner=owner or self.guild.owner,
            joined_at=self.clock.now(),
        )
        guild.roles.append(Role(id=guild.id, name="@everyone"))
        self.world.guilds[guild.id] = guild
        self._events.guild_arrived(guild)
        return guild

    def add_role(self, guild: Guild, name: str) -> Role:
        """A role that can be mentioned. Sessions learn of it when they begin."""
        role = Role(id=self._snowflakes.make(), name=name)
        guild.roles.append(role)
        return role

    def add_channel(
        self,
        guild: Guild,
        name: str,
        *,
        type: int = 0,  # noqa: A002 -- Discord's word for it
        parent: Channel | None = None,
    ) -> Channel:
        channel = Channel(
            id=self._snowflakes.make(),
            name=name,
            type=type,
            guild=guild,
            parent=parent,
            created_at=self.clock.now(),
        )
        self.world.channels[channel.id] = channel
        self._events.channel_created(channel)
        return channel

    def add_thread(
        self, channel: Channel, name: str, *, private: bool = False, bot_is_member: bool = True
    ) -> Channel:
        """A thread, or a forum's post. Who is not a member of a private one does not know of it."""
        thread = Channel(
            id=self._snowflakes.make(),
            name=name,
            type=ChannelType.PRIVATE_THREAD if private else ChannelType.PUBLIC_THREAD,
            guild=channel.guild,
            parent=channel,
            owner=channel.guild.owner if channel.guild else None,
            bot_is_member=bot_is_member,
            created_at=self.clock.now(),
        )
        self.world.channels[thread.id] = thread
        self._events.channel_created(thread)
        return thread

    def open_dm(self, user: User) -> Channel:
        return self.world.dm(user, at=self.clock.now())

    def set_permissions(self, channel: Channel, **choices: bool) -> None:
        """What the bot may do in a channel: `send_messages=False`, …; in a DM, that denies it all messages."""
        if channel.is_thread:
            raise ValueError("a thread has the permissions of the channel it belongs to")
        allow, deny = permissions.named(choices)
        channel.allow = (channel.allow | allow) & ~deny
        channel.deny = (channel.deny | deny) & ~allow
        if channel.guild is not None:
            self._events.channel_changed(channel)

    def set_member_permissions(self, guild: Guild, user: User, **choices: bool) -> None:
        """What a person may do in a guild, over or under what everyone may."""
        allow, deny = permissions.named(choices)
        may = self.world.member_permissions(guild, user)
        guild.member_permissions[user.id] = (may | allow) & ~deny

    # -- what people do

    async def post(
        self,
        channel: Channel,
        author: User,
        content: str = "",
        *,
        reply_to: Message | None = None,
        ping_reply: bool = True,
        attachments: Sequence[Upload] = (),
        stickers: Sequence[str] = (),
        forward_of: Message | None = None,
        type: int | None = None,  # noqa: A002 -- Discord's word for it
        webhook: bool = False,
        flags: int = 0,
        nonce: int | str | None = None,
    ) -> Message:
        """Mentions are found in the text. *type* makes a system message of it, *webhook* an impostor's."""
        return self._people.post(
            channel,
            author,
            content,
            reply_to=reply_to,
            ping_reply=ping_reply,
            attachments=attachments,
            stickers=stickers,
            forward_of=forward_of,
            type=type,
            webhook=webhook,
            flags=flags,
            nonce=nonce,
        )

    async def edit(self, message: Message, content: str) -> None:
        self._people.edit(message, content)

    async def unfurl(self, message: Message, *, url: str = "https://example.com/", title: str = "Example") -> bool:
        """What Discord does to a message with a link: MESSAGE_UPDATE, not edited. False: suppressed."""
        return self._people.unfurl(message, url=url, title=title)

    async def delete(self, message: Message) -> None:
        self._people.delete(message)

    async def bulk_delete(self, messages: Sequence[Message]) -> None:
        self._people.bulk_delete(messages)

    async def delete_channel(self, channel: Channel) -> None:
        self._people.delete_channel(channel)

    async def delete_thread(self, thread: Channel) -> None:
        self._people.delete_channel(thread)

    async def set_thread_state(self, thread: Channel, *, archived: bool = False, locked: bool = False) -> None:
        self._people.set_thread_state(thread, archived=archived, locked=locked)

    async def remove_guild(self, guild: Guild, *, unavailable: bool = False) -> None:
        """The bot is removed from it; or, *unavailable*, it has an outage. `restore_guild` undoes both."""
        self._people.remove_guild(guild, unavailable=unavailable)

    async def restore_guild(self, guild: Guild) -> None:
        self._people.restore_guild(guild)

    async def slash(self, channel: Channel, user: User, command: str, options: Json | None = None) -> Interaction:
        """Call a command ("chat", "settings show"). Raises LookupError, PermissionError or ValueError."""
        interaction = self._interactions.call(channel, user, command, options or {})
        task = asyncio.create_task(self._interactions.watch_acknowledgement(interaction))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return interaction

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
