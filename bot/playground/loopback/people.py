"""What people do in the loopback Discord; each deed has the effects that a real client's has."""

from collections.abc import Sequence

from bot.core.ports import Clock
from bot.playground.loopback.drafts import read_text
from bot.playground.loopback.events import Events
from bot.playground.loopback.mentions import Allowed
from bot.playground.loopback.permissions import Permission
from bot.playground.loopback.posting import Posting, reference_to
from bot.playground.loopback.snowflakes import Snowflakes
from bot.playground.loopback.world import (
    Channel,
    ChannelType,
    Guild,
    Message,
    MessageFlag,
    MessageType,
    Sticker,
    Upload,
    User,
    World,
)

FORWARD = 1


class People:
    def __init__(
        self, world: World, events: Events, posting: Posting, clock: Clock, snowflakes: Snowflakes
    ) -> None:
        self._world = world
        self._events = events
        self._posting = posting
        self._clock = clock
        self._snowflakes = snowflakes

    def post(
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
        """*type* makes a system message of it; *webhook* posts under the author's name, not as them."""
        if channel.deleted:
            raise LookupError(f"#{channel.name} is gone")
        usual = MessageType.DEFAULT if reply_to is None else MessageType.REPLY
        message = self._posting.new_message(
            channel,
            author,
            content,
            type=usual if type is None else type,
            flags=MessageFlag(flags),
            nonce=nonce,
        )
        message.webhook_id = self._snowflakes.make() if webhook else None
        message.attachments = [self._posting.attach(channel, each) for each in attachments]
        message.stickers = [Sticker(id=self._snowflakes.make(), name=name) for name in stickers]
        if reply_to is not None:
            message.reference, message.replied_to = reference_to(reply_to), reply_to
        if forward_of is not None:
            message.reference, message.snapshot = reference_to(forward_of, type=FORWARD), forward_of
            message.flags |= MessageFlag.HAS_SNAPSHOT
        self._mention(message, ping_reply=ping_reply)
        self._invite_bot(message)
        self._posting.publish(message)
        return message

    def edit(self, message: Message, content: str) -> None:
        if message.author is self._world.bot:
            raise PermissionError("people edit their own messages")
        message.content = read_text(content)
        message.versions.append(message.content)
        message.edited_timestamp = self._clock.now()
        self._mention(message, ping_reply=message.replied_to is not None)
        self._events.message_edited(message)

    def unfurl(self, message: Message, *, url: str, title: str) -> bool:
        """Show a link's preview, as Discord does by itself soon after; False: previews are suppressed."""
        if message.flags & MessageFlag.SUPPRESS_EMBEDS:
            return False
        message.embeds = [*message.embeds, {"type": "article", "url": url, "title": title}]
        self._events.message_edited(message)
        return True

    def delete(self, message: Message) -> None:
        self._posting.remove(message)

    def bulk_delete(self, messages: Sequence[Message]) -> None:
        """As a moderation bot does: one event for all of them."""
        (channel,) = {message.channel for message in messages}
        self._posting.remove_all(channel, list(messages))

    def delete_channel(self, channel: Channel) -> None:
        """A channel and the threads below it, or one thread."""
        for gone in (*self._world.threads(channel), channel):
            gone.deleted = True
            for message in gone.messages.values():
                message.deleted = True
            gone.messages.clear()
            del self._world.channels[gone.id]
        self._events.channel_deleted(channel)

    def remove_guild(self, guild: Guild, *, unavailable: bool) -> None:
        """The bot is removed from the guild; or, *unavailable*, Discord has an outage there."""
        self._events.guild_gone(guild, unavailable=unavailable)
        if unavailable:
            guild.available = False
        else:
            guild.has_bot = False

    def restore_guild(self, guild: Guild) -> None:
        """The outage is over, or the bot was invited again."""
        guild.available = guild.has_bot = True
        self._events.guild_arrived(guild)

    def set_thread_state(self, thread: Channel, *, archived: bool, locked: bool) -> None:
        thread.archived, thread.locked = archived, locked
        self._events.channel_changed(thread)

    def _mention(self, message: Message, *, ping_reply: bool) -> None:
        everybody = Allowed(users=True, roles=True, everyone=True, replied_user=ping_reply)
        guild = message.channel.guild
        may = Permission(0) if guild is None else self._world.member_permissions(guild, message.author)
        self._posting.mention(message, everybody, may=may)

    def _invite_bot(self, message: Message) -> None:
        """Mentioning somebody in a private thread brings them in."""
        channel = message.channel
        if channel.type == ChannelType.PRIVATE_THREAD and self._world.bot in message.mentions:
            if not channel.bot_is_member:
                channel.bot_is_member = True
                self._events.channel_created(channel)
