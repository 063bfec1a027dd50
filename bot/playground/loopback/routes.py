"""The REST routes, each with what it does; paths as in Discord's OpenAPI description."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.core.ports import Clock
from bot.playground.loopback import payloads
from bot.playground.loopback.commands import Commands
from bot.playground.loopback.events import Events
from bot.playground.loopback.gateway import Gateway
from bot.playground.loopback.gateway_line import SESSIONS_A_DAY, GatewayDoor
from bot.playground.loopback.interactions import Interactions
from bot.playground.loopback.permissions import Permission
from bot.playground.loopback.posting import Posting
from bot.playground.loopback.refusals import Json, Refusal, invalid
from bot.playground.loopback.world import Channel, Guild, Message, Upload, World

DEFAULT_PAGE, LONGEST_PAGE = 50, 100
DAY_MILLISECONDS = 86_400_000
TYPING_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request, read."""

    params: dict[str, str]
    query: dict[str, str]
    body: Any
    files: Sequence[Upload]

    def id(self, name: str) -> int:
        value = self.params[name]
        if not value.isdecimal():
            raise invalid(name, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
        return int(value)

    @property
    def token(self) -> str:
        return self.params.get("webhook_token") or self.params["interaction_token"]

    def fields(self) -> Json:
        if not isinstance(self.body, dict):
            raise Refusal(50109)
        return self.body


@dataclass(frozen=True, kw_only=True)
class Answer:
    """*body* None: no content."""

    status: int = 200
    body: Any = None


NO_CONTENT = Answer(status=204)


@dataclass(frozen=True, kw_only=True)
class Route:
    method: str
    path: str
    act: Callable[[Call], Answer]
    public: bool = False  # needs no token of the bot's


class Routes:
    def __init__(
        self,
        *,
        world: World,
        gateway: Gateway,
        door: GatewayDoor,
        events: Events,
        posting: Posting,
        interactions: Interactions,
        commands: Commands,
        clock: Clock,
    ) -> None:
        self._world = world
        self._gateway = gateway
        self._door = door
        self._events = events
        self._posting = posting
        self._interactions = interactions
        self._commands = commands
        self._clock = clock

    def all(self) -> list[Route]:
        return [*self._about(), *self._in_channels(), *self._of_interactions(), *self._of_commands()]

    # -- who am I, where is the gateway

    def _about(self) -> list[Route]:
        return [
            Route(method="GET", path="/gateway", act=self._get_gateway, public=True),
            Route(method="GET", path="/gateway/bot", act=self._get_bot_gateway),
            Route(method="GET", path="/users/@me", act=self._get_me),
            Route(method="GET", path="/users/@me/guilds", act=self._get_guilds),
            Route(method="POST", path="/users/@me/channels", act=self._open_dm),
            Route(method="GET", path="/users/{user_id}", act=self._get_user),
            Route(method="GET", path="/applications/@me", act=self._get_application),
            Route(method="GET", path="/oauth2/applications/@me", act=self._get_application),
        ]

    def _get_gateway(self, _: Call) -> Answer:
        return Answer(body={"url": self._gateway.address})

    def _get_bot_gateway(self, _: Call) -> Answer:
        limit = {
            "total": SESSIONS_A_DAY,
            "remaining": self._door.sessions_left,
            "reset_after": DAY_MILLISECONDS,
            "max_concurrency": 1,
        }
        return Answer(body={"url": self._gateway.address, "shards": 1, "session_start_limit": limit})

    def _get_me(self, _: Call) -> Answer:
        return Answer(body=payloads.own_user(self._world.bot))

    def _get_guilds(self, _: Call) -> Answer:
        guilds = [guild for guild in self._world.guilds.values() if guild.has_bot]
        return Answer(body=[payloads.own_guild(guild) for guild in guilds])

    def _get_user(self, call: Call) -> Answer:
        users = self._world.users | {self._world.bot.id: self._world.bot}
        user = users.get(call.id("user_id"))
        if user is None:
            raise Refusal(10013)
        return Answer(body=payloads.user(user))

    def _open_dm(self, call: Call) -> Answer:
        user = self._world.users.get(int(call.fields().get("recipient_id") or 0))
        if user is None:
            raise Refusal(10013)
        return Answer(body=payloads.channel(self._world.dm(user, at=self._clock.now()), self._world))

    def _get_application(self, _: Call) -> Answer:
        owner = next(iter(self._world.users.values()))
        return Answer(body=payloads.application(self._world, owner))

    # -- channels and messages

    def _in_channels(self) -> list[Route]:
        messages = "/channels/{channel_id}/messages"
        return [
            Route(method="GET", path="/channels/{channel_id}", act=self._get_channel),
            Route(method="POST", path="/channels/{channel_id}/typing", act=self._type),
            Route(method="GET", path=messages, act=self._get_messages),
            Route(method="POST", path=messages, act=self._create),
            Route(method="POST", path=f"{messages}/bulk-delete", act=self._bulk_delete),
            Route(method="GET", path=f"{messages}/{{message_id}}", act=self._get_message),
            Route(method="PATCH", path=f"{messages}/{{message_id}}", act=self._edit),
            Route(method="DELETE", path=f"{messages}/{{message_id}}", act=self._delete),
        ]

    def _get_channel(self, call: Call) -> Answer:
        return Answer(body=payloads.channel(self._channel(call), self._world))

    def _type(self, call: Call) -> Answer:
        channel = self._channel(call)
        needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        if not self._world.permissions(channel) & needed:
            raise Refusal(50013)
        channel.bot_types_until = self._clock.monotonic() + TYPING_SECONDS
        self._events.typing_started(channel, self._world.bot, at=int(self._clock.now().timestamp()))
        return NO_CONTENT

    def _get_messages(self, call: Call) -> Answer:
        channel = self._channel(call)
        limit = call.query.get("limit", str(DEFAULT_PAGE))
        if not limit.isdecimal() or not 1 <= int(limit) <= LONGEST_PAGE:
            raise invalid("limit", "NUMBER_TYPE_RANGE", "int value should be between 1 and 100.")
        if not self._world.permissions(channel) & Permission.READ_MESSAGE_HISTORY:
            return Answer(body=[])
        page = _page(channel, call.query, int(limit))
        return Answer(body=[self._payload(message) for message in page])

    def _get_message(self, call: Call) -> Answer:
        message = self._message(call)
        if not self._world.permissions(message.channel) & Permission.READ_MESSAGE_HISTORY:
            raise Refusal(50013)
        return Answer(body=self._payload(message))

    def _create(self, call: Call) -> Answer:
        message = self._posting.create(self._channel(call), call.fields(), call.files)
        return Answer(body=self._payload(message, nonce=True))

    def _edit(self, call: Call) -> Answer:
        message = self._message(call)
        self._posting.edit(message, call.fields(), call.files)
        return Answer(body=self._payload(message))

    def _delete(self, call: Call) -> Answer:
        self._posting.delete(self._message(call))
        return NO_CONTENT

    def _bulk_delete(self, call: Call) -> Answer:
        self._posting.bulk_delete(self._channel(call), [int(each) for each in call.fields()["messages"]])
        return NO_CONTENT

    def _channel(self, call: Call) -> Channel:
        """Raises 10003 and, where the bot may not look, 50001."""
        channel = self._world.channels.get(call.id("channel_id"))
        if channel is None:
            raise Refusal(10003)
        if not self._world.permissions(channel) & Permission.VIEW_CHANNEL:
            raise Refusal(50001)
        return channel

    def _message(self, call: Call) -> Message:
        message = self._channel(call).messages.get(call.id("message_id"))
        if message is None or message.is_ephemeral:
            raise Refusal(10008)
        return message

    def _payload(self, message: Message, *, nonce: bool = False) -> Json:
        return self._events.messages.for_rest(message, content_intent=self._gateway.content_intent, nonce=nonce)

    # -- interactions

    def _of_interactions(self) -> list[Route]:
        webhook = "/webhooks/{webhook_id}/{webhook_token}"
        original, message = f"{webhook}/messages/@original", f"{webhook}/messages/{{message_id}}"
        callback = "/interactions/{interaction_id}/{interaction_token}/callback"
        return [
            Route(method="POST", path=callback, act=self._respond, public=True),
            Route(method="POST", path=webhook, act=self._follow_up, public=True),
            Route(method="GET", path=original, act=self._get_original, public=True),
            Route(method="PATCH", path=original, act=self._edit_original, public=True),
            Route(method="DELETE", path=original, act=self._delete_original, public=True),
            Route(method="GET", path=message, act=self._get_response, public=True),
            Route(method="PATCH", path=message, act=self._edit_response, public=True),
            Route(method="DELETE", path=message, act=self._delete_response, public=True),
        ]

    def _respond(self, call: Call) -> Answer:
        body = call.fields()
        answered = self._interactions.respond(call.id("interaction_id"), call.token, body, call.files)
        message = answered.response
        if call.query.get("with_response") not in ("1", "true", "True") or message is None:
            return NO_CONTENT
        interaction: Json = {
            "id": str(answered.id),
            "type": 2,
            "channel_id": str(answered.channel.id),
            "response_message_id": str(message.id),
            "response_message_loading": message.is_loading,
            "response_message_ephemeral": message.is_ephemeral,
        }
        if answered.channel.guild is not None:
            interaction["guild_id"] = str(answered.channel.guild.id)
        resource = {"type": body["type"], "message": self._payload(message)}
        return Answer(body={"interaction": interaction, "resource": resource})

    def _follow_up(self, call: Call) -> Answer:
        self._check_webhook(call)
        return Answer(body=self._payload(self._interactions.follow_up(call.token, call.fields(), call.files)))

    def _get_original(self, call: Call) -> Answer:
        self._check_webhook(call)
        return Answer(body=self._payload(self._interactions.original(call.token)))

    def _edit_original(self, call: Call) -> Answer:
        self._check_webhook(call)
        message = self._interactions.edit_original(call.token, call.fields(), call.files)
        return Answer(body=self._payload(message))

    def _delete_original(self, call: Call) -> Answer:
        self._check_webhook(call)
        self._interactions.delete(self._interactions.original(call.token))
        return NO_CONTENT

    def _get_response(self, call: Call) -> Answer:
        self._check_webhook(call)
        return Answer(body=self._payload(self._interactions.message(call.token, call.id("message_id"))))

    def _edit_response(self, call: Call) -> Answer:
        self._check_webhook(call)
        message = self._interactions.edit_message(call.token, call.id("message_id"), call.fields(), call.files)
        return Answer(body=self._payload(message))

    def _delete_response(self, call: Call) -> Answer:
        self._check_webhook(call)
        self._interactions.delete(self._interactions.message(call.token, call.id("message_id")))
        return NO_CONTENT

    def _check_webhook(self, call: Call) -> None:
        if call.id("webhook_id") != self._world.application_id:
            raise Refusal(10015)

    # -- commands

    def _of_commands(self) -> list[Route]:
        routes: list[Route] = []
        for where in ("", "/guilds/{guild_id}"):
            path = f"/applications/{{application_id}}{where}/commands"
            routes += [
                Route(method="GET", path=path, act=self._get_commands),
                Route(method="PUT", path=path, act=self._replace_commands),
                Route(method="POST", path=path, act=self._upsert_command),
                Route(method="DELETE", path=f"{path}/{{command_id}}", act=self._delete_command),
            ]
        return routes

    def _get_commands(self, call: Call) -> Answer:
        return Answer(body=self._commands.registered(self._command_guild(call)))

    def _replace_commands(self, call: Call) -> Answer:
        guild_id = self._command_guild(call)
        if not isinstance(call.body, list):
            raise Refusal(50109)
        return Answer(body=self._commands.replace(call.body, guild_id))

    def _upsert_command(self, call: Call) -> Answer:
        guild_id = self._command_guild(call)
        command, is_new = self._commands.upsert(call.fields(), guild_id)
        return Answer(status=201 if is_new else 200, body=command)

    def _delete_command(self, call: Call) -> Answer:
        self._commands.delete(call.id("command_id"), self._command_guild(call))
        return NO_CONTENT

    def _command_guild(self, call: Call) -> int:
        if call.id("application_id") != self._world.application_id:
            raise Refusal(20012)
        if "guild_id" not in call.params:
            return 0
        guild: Guild | None = self._world.guilds.get(call.id("guild_id"))
        if guild is None or not guild.has_bot:
            raise Refusal(50001)
        return guild.id


def _page(channel: Channel, query: dict[str, str], limit: int) -> list[Message]:
    """Newest first; `after` gives the messages that follow the id without a gap."""
    there = sorted(
        (message for message in channel.messages.values() if not message.is_ephemeral),
        key=lambda message: message.id,
        reverse=True,
    )
    if "around" in query:
        around, half = int(query["around"]), limit // 2
        newer = [message for message in there if message.id > around]
        rest = [message for message in there if message.id <= around]
        return (newer[-half:] if half else []) + rest[: limit - half]
    if "after" in query:
        following = [message for message in there if message.id > int(query["after"])]
        return following[-limit:]
    before = int(query.get("before", 1 << 63))
    return [message for message in there if message.id < before][:limit]
