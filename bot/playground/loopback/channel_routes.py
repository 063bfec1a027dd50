"""REST: channels and the messages in them."""

from bot.core.ports import Clock
from bot.playground.loopback import payloads
from bot.playground.loopback.events import Events
from bot.playground.loopback.gateway import Gateway
from bot.playground.loopback.permissions import Permission
from bot.playground.loopback.posting import Posting
from bot.playground.loopback.refusals import Json, Refusal, invalid
from bot.playground.loopback.routes import NO_CONTENT, Answer, Call, Route
from bot.playground.loopback.world import Channel, ChannelType, Message, World

DEFAULT_PAGE, LONGEST_PAGE = 50, 100
TYPING_SECONDS = 10.0


class ChannelRoutes:
    def __init__(self, world: World, gateway: Gateway, events: Events, posting: Posting, clock: Clock) -> None:
        self._world = world
        self._gateway = gateway
        self._events = events
        self._posting = posting
        self._clock = clock

    def all(self) -> list[Route]:
        messages = "/channels/{channel_id}/messages"
        return [
            Route(method="GET", path="/channels/{channel_id}", act=self._get_channel),
            Route(method="PATCH", path="/channels/{channel_id}", act=self._archive),
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

    def _archive(self, call: Call) -> Answer:
        """Archive a thread or open it again: nothing else is changed here."""
        thread, archived = self._channel(call), bool(call.fields().get("archived"))
        may = self._world.permissions(thread)
        opens = not archived and not thread.locked and may & Permission.SEND_MESSAGES
        if not thread.is_thread or not (opens or may & Permission.MANAGE_THREADS):
            raise Refusal(50013)
        thread.archived = archived
        self._events.channel_changed(thread)
        return Answer(body=payloads.channel(thread, self._world))

    def _type(self, call: Call) -> Answer:
        channel = self._channel(call)
        needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        if not self._world.permissions(channel) & needed:
            raise Refusal(50007 if channel.type == ChannelType.DM else 50013)
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
