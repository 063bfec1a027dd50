"""What happens, told to everyone: gateway events to the bot, sights to those who watch."""

from bot.playground.loopback import payloads
from bot.playground.loopback.changes import Changes, Seen
from bot.playground.loopback.gateway import Gateway, Intent
from bot.playground.loopback.message_payloads import MessagePayloads
from bot.playground.loopback.refusals import Json
from bot.playground.loopback.world import Channel, Guild, Message, User, World


class Events:
    def __init__(self, world: World, gateway: Gateway, changes: Changes, messages: MessagePayloads) -> None:
        self.changes = changes
        self.messages = messages
        self._world = world
        self._gateway = gateway

    def message_created(self, message: Message) -> None:
        self._message("MESSAGE_CREATE", message, nonce=True)
        if not message.is_loading:
            self.changes.show(Seen(kind="posted", channel=message.channel, message=message))

    def message_edited(self, message: Message, *, first_words: bool = False) -> None:
        """MESSAGE_UPDATE; to people, a deferred response's *first_words* are a message that is posted."""
        self._message("MESSAGE_UPDATE", message, nonce=False)
        kind: Seen = Seen(kind="posted" if first_words else "edited", channel=message.channel, message=message)
        self.changes.show(kind)

    def message_deleted(self, message: Message) -> None:
        payload = {"id": str(message.id), **_where(message.channel)}
        if message.is_ephemeral:
            payload.pop("guild_id", None)
        self._gateway.dispatch(
            "MESSAGE_DELETE", intent=_intent(message), place=message.channel, build=lambda _: payload
        )
        self.changes.show(Seen(kind="deleted", channel=message.channel, message=message))

    def messages_deleted(self, channel: Channel, messages: list[Message]) -> None:
        payload = {"ids": [str(message.id) for message in messages], **_where(channel)}
        self._gateway.dispatch(
            "MESSAGE_DELETE_BULK", intent=Intent.GUILD_MESSAGES, place=channel, build=lambda _: payload
        )
        for message in messages:
            self.changes.show(Seen(kind="deleted", channel=channel, message=message))

    def typing_started(self, channel: Channel, user: User, *, at: int) -> None:
        payload: Json = {"user_id": str(user.id), "timestamp": at, **_where(channel)}
        if channel.guild is not None:
            payload["member"] = payloads.member(user, channel.guild)
        intent = Intent.DIRECT_MESSAGE_TYPING if channel.guild is None else Intent.GUILD_MESSAGE_TYPING
        self._gateway.dispatch("TYPING_START", intent=intent, place=channel, build=lambda _: payload)
        self.changes.show(Seen(kind="typing", channel=channel, user=user))

    def interaction_created(self, channel: Channel, payload: Json) -> None:
        """To be answered wherever the person is, so it goes out whether or not the bot sees the channel."""
        self._gateway.dispatch("INTERACTION_CREATE", intent=0, place=channel.guild, build=lambda _: payload)
        self.changes.notify()

    def channel_created(self, channel: Channel) -> None:
        payload = payloads.channel(channel, self._world)
        if channel.is_thread:
            payload["newly_created"] = True
        self._about_channel("THREAD_CREATE" if channel.is_thread else "CHANNEL_CREATE", channel, payload)

    def channel_changed(self, channel: Channel) -> None:
        payload = payloads.channel(channel, self._world)
        self._about_channel("THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE", channel, payload)

    def channel_deleted(self, channel: Channel) -> None:
        payload = payloads.channel(channel, self._world)
        if channel.is_thread:
            payload = {key: payload[key] for key in ("id", "guild_id", "parent_id", "type")}
        self._about_channel("THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE", channel, payload)
        self.changes.show(Seen(kind="channel_deleted", channel=channel))

    def guild_arrived(self, guild: Guild) -> None:
        self._gateway.dispatch(
            "GUILD_CREATE",
            intent=Intent.GUILDS,
            place=guild,
            build=lambda _: payloads.guild(guild, self._world),
        )
        self.changes.notify()

    def guild_gone(self, guild: Guild, *, unavailable: bool) -> None:
        payload: Json = {"id": str(guild.id)}
        if unavailable:
            payload["unavailable"] = True
        self._gateway.dispatch("GUILD_DELETE", intent=Intent.GUILDS, place=guild, build=lambda _: payload)
        self.changes.notify()

    def _about_channel(self, event: str, channel: Channel, payload: Json) -> None:
        # An app is told about channels that it cannot see, too, but not about threads in them.
        hears = bool(self._world.permissions(channel)) if channel.is_thread else self._world.is_inside(channel)
        if hears:
            self._gateway.dispatch(event, intent=Intent.GUILDS, place=channel.guild, build=lambda _: payload)
        self.changes.notify()

    def _message(self, event: str, message: Message, *, nonce: bool) -> None:
        self._gateway.dispatch(
            event,
            intent=_intent(message),
            place=message.channel,
            build=lambda content_intent: self.messages.for_gateway(
                message, content_intent=content_intent, nonce=nonce
            ),
        )


def _intent(message: Message) -> Intent:
    """An ephemeral message's events come like a DM's, also in a guild."""
    in_guild = message.channel.guild is not None and not message.is_ephemeral
    return Intent.GUILD_MESSAGES if in_guild else Intent.DIRECT_MESSAGES


def _where(channel: Channel) -> Json:
    where: Json = {"channel_id": str(channel.id)}
    if channel.guild is not None:
        where["guild_id"] = str(channel.guild.id)
    return where
