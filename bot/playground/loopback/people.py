"""What people do in the loopback Discord; each deed has the effects that a real client's has."""

import asyncio
from collections.abc import Sequence
from copy import copy

from bot.core.ports import Clock
from bot.playground.loopback.events import Events
from bot.playground.loopback.interaction import Interaction
from bot.playground.loopback.interactions import Interactions
from bot.playground.loopback.mentions import Allowed
from bot.playground.loopback.permissions import Permission
from bot.playground.loopback.posting import Posting
from bot.playground.loopback.refusals import Json
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
    reference_to,
)

FORWARD = 1
MOST_CHARACTERS = 4000  # that a person with Nitro can send


class People:
    """A part of LoopbackDiscord, which has the attributes."""

    world: World
    clock: Clock
    _events: Events
    _posting: Posting
    _snowflakes: Snowflakes
    _interactions: Interactions
    _tasks: set[asyncio.Task[None]]

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
        """Mentions are found in *content*. *type* makes a system message of it, *webhook* an impostor's."""
        if channel.deleted:
            raise LookupError(f"#{channel.name} is gone")
        usual = MessageType.DEFAULT if reply_to is None else MessageType.REPLY
        message = self._posting.new_message(
            channel,
            author,
            _spoken(content),
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
            message.reference, message.snapshot = reference_to(forward_of, type=FORWARD), copy(forward_of)
            message.flags |= MessageFlag.HAS_SNAPSHOT
        self._mention(message, ping_reply=ping_reply)
        self._invite_bot(message)
        self._posting.publish(message)
        return message

    async def edit(self, message: Message, content: str) -> None:
        if message.author is self.world.bot:
            raise PermissionError("people edit their own messages")
        message.content = _spoken(content)
        message.versions.append(message.content)
        message.edited_timestamp = self.clock.now()
        replied_to = message.replied_to
        self._mention(message, ping_reply=replied_to is not None and replied_to.author in message.mentions)
        self._events.message_edited(message)

    async def unfurl(self, message: Message, *, url: str = "https://example.com/", title: str = "Example") -> bool:
        """What Discord does by itself to a message with a link: MESSAGE_UPDATE, not edited.

        False: previews are suppressed, so nothing happened.
        """
        if message.flags & MessageFlag.SUPPRESS_EMBEDS:
            return False
        message.embeds = [*message.embeds, {"type": "article", "url": url, "title": title}]
        self._events.message_edited(message)
        return True

    async def delete(self, message: Message) -> None:
        self._posting.remove(message)

    async def bulk_delete(self, messages: Sequence[Message]) -> None:
        """As a moderation bot does: one event for all of them."""
        (channel,) = {message.channel for message in messages}
        self._posting.remove_all(channel, list(messages))

    async def delete_channel(self, channel: Channel) -> None:
        """A channel and the threads below it, or one thread."""
        for gone in (*self.world.threads(channel), channel):
            gone.deleted = True
            for message in gone.messages.values():
                message.deleted = True
            gone.messages.clear()
            del self.world.channels[gone.id]
        self._events.channel_deleted(channel)

    async def delete_thread(self, thread: Channel) -> None:
        await self.delete_channel(thread)

    async def remove_guild(self, guild: Guild, *, unavailable: bool = False) -> None:
        """The bot is removed from it; or, *unavailable*, it has an outage. `restore_guild` undoes both."""
        self._events.guild_gone(guild, unavailable=unavailable)
        if unavailable:
            guild.available = False
        else:
            guild.has_bot = False

    async def restore_guild(self, guild: Guild) -> None:
        guild.available = guild.has_bot = True
        self._events.guild_arrived(guild)

    async def set_thread_state(self, thread: Channel, *, archived: bool = False, locked: bool = False) -> None:
        thread.archived, thread.locked = archived, locked
        self._events.channel_changed(thread)

    async def slash(self, channel: Channel, user: User, command: str, options: Json | None = None) -> Interaction:
        """Call a command ("chat", "settings show").

        Raises LookupError, PermissionError or ValueError where the person's client would not let them.
        """
        return self._watch(self._interactions.call(channel, user, command, options or {}))

    async def choose(self, message: Message, user: User, command: str) -> Interaction:
        """Call a command in the menu of a message, by its name.

        Raises LookupError or PermissionError where the person's client would not let them.
        """
        return self._watch(self._interactions.call_on(message, user, command))

    async def press(self, message: Message, user: User, label: str) -> Interaction:
        """Press a button below a message. Raises LookupError where *user* sees no such button."""
        return self._watch(self._interactions.press(message, user, label))

    def _watch(self, interaction: Interaction) -> Interaction:
        task = asyncio.create_task(self._interactions.watch_acknowledgement(interaction))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return interaction

    def _mention(self, message: Message, *, ping_reply: bool) -> None:
        everybody = Allowed(users=True, roles=True, everyone=True, replied_user=ping_reply)
        guild = message.channel.guild
        may = Permission(0) if guild is None else self.world.member_permissions(guild, message.author)
        self._posting.mention(message, everybody, may=may)

    def _invite_bot(self, message: Message) -> None:
        """Mentioning somebody in a private thread brings them in."""
        channel = message.channel
        outside = channel.type == ChannelType.PRIVATE_THREAD and not channel.bot_is_member
        if outside and self.world.bot in message.mentions:
            channel.bot_is_member = True
            self._events.channel_created(channel)


def _spoken(content: str) -> str:
    """A text as it stands once it is sent."""
    if len(content) > MOST_CHARACTERS:
        raise ValueError(f"nobody can send more than {MOST_CHARACTERS} characters")
    return content.strip()
