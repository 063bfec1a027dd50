"""The connection to Discord: its events go to the intake, and it stays up until it is told to stop."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from bot.connections import NewestFirst
from bot.core.access import AccessRules
from bot.core.errors import StartupRefused
from bot.core.intake import Intake
from bot.core.look_ups import LookUps
from bot.core.ports import Clock, TurnStore
from bot.core.presses import Presses
from bot.core.rights import Policy
from bot.core.usage import UsageStore
from bot.discord.buttons import button_below, is_stop
from bot.discord.catch_up import CatchUp
from bot.discord.commands import Commands
from bot.discord.commands.doors import Doors
from bot.discord.connecting import Connecting
from bot.discord.hearing import Hearing
from bot.discord.identify import IdentifyPace
from bot.discord.in_time import end_thinking_left_over
from bot.discord.named_channels import NamedChannels
from bot.discord.outbound import Outbox
from bot.discord.pacer import Pacer
from bot.discord.payloads import Content
from bot.discord.preflight import (
    Application,
    backoff_seconds,
    intent_refused,
    token_refused,
    warn_unreachable,
)
from bot.discord.pressing import Pressing
from bot.discord.refusals import REQUEST_ERRORS, why_not_answered
from bot.discord.registration import register_commands

log = logging.getLogger(__name__)

LOGIN_SECONDS = 60.0
SECONDS_BETWEEN_SERVERS = 0.5  # one that comes in later is caught up with by itself
AUTHENTICATION_FAILED, INTENT_REFUSED = 4004, 4014  # Discord, "Gateway Close Event Codes"


def point_library_at(*, api_url: str, gateway_url: str) -> None:
    """Which Discord the library talks to, in the whole process."""
    Route.BASE = api_url
    DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway_url)


class ConfabClient(discord.Client):
    """Receives events and hands them on. It needs `wire` before it connects."""

    intake: Intake
    outbox: Outbox
    hearing: Hearing
    catch_up: CatchUp
    tree: Commands

    def __init__(
        self,
        *,
        application: Application,
        message_content: bool,
        chat_channels: frozenset[int],
        access: AccessRules,
        clock: Clock,
        pacer: Pacer,
    ) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        intents.message_content = message_content
        # There is no voice here, so the library need not warn that it cannot speak.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=intents,
            max_messages=None,
            chunk_guilds_at_startup=False,
            guild_ready_timeout=SECONDS_BETWEEN_SERVERS,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
            http_trace=pacer.trace(),
        )
        self.told_at: float | None = None  # when Discord last told of something, in monotonic seconds
        self.let_in = False  # to a session, over the connection that there is
        self._about = application
        self._chat_channels = chat_channels
        self._access = access
        self._named_channels = NamedChannels(chat_channels=chat_channels, access=access)
        self._clock = clock
        self._kept: set[asyncio.Task[None]] = set()
        self._serving: asyncio.Task[None] | None = None

    def wire(
        self,
        *,
        intake: Intake,
        look_ups: LookUps,
        presses: Presses | None,
        outbox: Outbox,
        store: TurnStore,
        catch_up: CatchUp,
        policy: Policy,
        usage: UsageStore,
        logged_in: Callable[[], Coroutine[Any, Any, None]] | None = None,
        connected: Callable[[], None] | None = None,
    ) -> None:
        """Say where events go. The outbox needs the client, so it comes after it.

        *presses* is None where buttons below answers do nothing. *logged_in* runs as soon as messages can be sent,
        *connected* each time that the gateway lets us in, to a new session or back into the old one.
        """
        self._logged_in = logged_in
        self._connected = connected
        self.intake = intake
        self.outbox = outbox
        self.hearing = Hearing(
            self, intake=intake, chat_channels=self._chat_channels, access=self._access, clock=self._clock
        )
        self.catch_up = catch_up
        catch_up.wire(self.hearing)
        self._store = store
        self._identify_pace = IdentifyPace(application_id=self._about.id, store=store, clock=self._clock)
        self._doors = doors = Doors(
            intake=intake,
            look_ups=look_ups,
            outbox=outbox,
            clock=self._clock,
            policy=policy,
            usage=usage,
            keep=self._keep,
        )
        self._pressing = Pressing(doors, presses=presses, access=self._access)
        self.tree = Commands(self, doors, access=self._access)

    async def run_forever(self, token: str) -> None:
        """Log in, connect, stay connected until `close`. Raises StartupRefused for what waiting cannot cure."""
        self._serving = asyncio.create_task(self._serve(token))
        try:
            await asyncio.wait({self._serving})
        finally:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
        if not self._serving.cancelled():
            await self._serving

    async def close(self) -> None:
        """The connection first: the library's own way out does not say to Discord that the session is over."""
        under_way = {*self._kept, *([self._serving] if self._serving else [])}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if (becoming_ready := self._connection._ready_task) is not None:  # noqa: SLF001 - discord.py forgets it
            becoming_ready.cancel()
        await super().close()

    async def setup_hook(self) -> None:
        registering = register_commands(
            self.tree, application_id=self._about.id, store=self._store, clock=self._clock
        )
        self._keep(registering)
        await self.catch_up.before_sessions()
        self._keep(end_thinking_left_over(self._doors))
        if self._logged_in is not None:
            self._keep(self._logged_in())

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:  # noqa: ARG002 - the library gives them
        await self._identify_pace.count()

    # What happens in Discord

    async def on_socket_event_type(self, _event_type: str) -> None:
        self.told_at = self._clock.monotonic()

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Commands go another way."""
        if interaction.type is discord.InteractionType.component and isinstance(interaction.data, dict):
            await self._pressing.pressed(interaction, str(interaction.data.get("custom_id", "")))

    async def on_message(self, message: discord.Message) -> None:
        if message.author.id == self.me.id:
            self.outbox.heard_own(message.nonce, message.id)
        else:
            await self.hearing.hear(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        message = payload.message
        if message.author.id == self.me.id:
            button = button_below(message)
            self.outbox.heard_own_edit(message.id, Content(text=message.content, button=button))
            if is_stop(button):
                return  # it grows on: whoever quotes it is to have the whole
        await self.hearing.take_edit(message)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self.hearing.take_deletions([payload.message_id])

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        await self.hearing.take_deletions(sorted(payload.message_ids))

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        await self.intake.channel_deleted(channel.id)

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        await self.intake.channel_deleted(payload.thread_id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """We left, or were made to; an outage of Discord's is another event."""
        self.catch_up.server_left(guild)
        await self.intake.guild_left(guild.id)

    async def on_guild_channel_update(self, *_: object) -> None:
        self.outbox.permissions_changed()

    async def on_guild_role_update(self, *_: object) -> None:
        self.outbox.permissions_changed()

    async def on_member_update(self, *_: object) -> None:
        """Without the members intent it is the bot itself."""
        self.outbox.permissions_changed()

    async def on_error(self, event_method: str, /, *args: object, **kwargs: object) -> None:  # noqa: ARG002 - they hold message text
        """The one place where an event's unforeseen exception ends."""
        log.error("the event %s was not handled", event_method, exc_info=True)  # noqa: LOG014 - the library calls it in its handler

    async def on_connect(self) -> None:
        """A session begins, and not a connection alone: that would be `on_resumed`."""
        self.catch_up.session_begins()
        self._keep(self.catch_up.learn_marks())
        self._is_connected()

    async def on_disconnect(self) -> None:
        self.let_in = False
        self.catch_up.connection_lost()

    async def on_resumed(self) -> None:
        self.catch_up.session_resumed()
        self._is_connected()

    async def on_ready(self) -> None:
        log.info("connected as %s, in %d server%s", self.me.id, len(self.guilds), "s" * (len(self.guilds) != 1))
        self._named_channels.tell_unseen(self)
        self._keep(self.catch_up.servers_are_known())

    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        self.catch_up.server_goes_away(guild)

    async def on_guild_available(self, guild: discord.Guild) -> None:
        self.catch_up.server_comes_back(guild)
        self._keep(self.catch_up.server_is_back(guild))
        if self.is_ready():
            self._named_channels.tell_unseen(self)

    @property
    def me(self) -> discord.ClientUser:
        if self.user is None:
            raise RuntimeError("there are no events before the login")
        return self.user

    def _is_connected(self) -> None:
        self.let_in = True
        if self._connected is not None:
            self._connected()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._kept.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._kept.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("something beside the events failed", exc_info=error)

    async def _serve(self, token: str) -> None:
        pauses = backoff_seconds()
        while obstacle := await self._log_in(token):
            seconds = next(pauses)
            warn_unreachable(obstacle, seconds)
            await self._clock.sleep(seconds)
        try:
            await Connecting(self, pace=self._identify_pace, clock=self._clock).stay()
        except discord.ConnectionClosed as error:
            raise self._closed_for_good(error.code) from error

    async def _log_in(self, token: str) -> str | None:
        """None, or what was in the way this time."""
        self.http.connector = NewestFirst(limit=0)  # each login makes a new session, which closes its connector
        try:
            async with self._clock.deadline(LOGIN_SECONDS):
                await self.login(token)
        except discord.LoginFailure as error:
            raise token_refused() from error
        except REQUEST_ERRORS as error:
            await self.http.close()  # the library forgets this session at the next login
            return why_not_answered(error)
        return None

    def _closed_for_good(self, code: int) -> StartupRefused:
        if code == AUTHENTICATION_FAILED:
            return token_refused()
        if code == INTENT_REFUSED:
            return intent_refused(self._about.id)
        return StartupRefused(
            f"Discord closed the connection for good (code {code}). Is this the newest version of the bot? "
            "If it is, please report this number."
        )
