"""What the bot may post, edit and delete, and what then stands: Discord's rules about messages."""

from collections.abc import Sequence
from copy import copy
from datetime import timedelta

from bot.core.ports import Clock
from bot.playground.loopback.cdn import Cdn
from bot.playground.loopback.drafts import (
    Content,
    is_empty,
    keep_attachments,
    read_content,
    read_nonce,
    settable_flags,
)
from bot.playground.loopback.events import Events
from bot.playground.loopback.mentions import IN_MESSAGES, Allowed, Mentions, pinged, read_allowed
from bot.playground.loopback.permissions import Permission
from bot.playground.loopback.refusals import Json, Refusal, invalid
from bot.playground.loopback.snowflakes import Snowflakes
from bot.playground.loopback.world import (
    NO_FLAGS,
    Attachment,
    Channel,
    ChannelType,
    Message,
    MessageFlag,
    MessageType,
    Reference,
    Upload,
    User,
    World,
    reference_to,
)

NONCE_SECONDS = 120.0  # "the past few minutes", Discord says, and no more
OLDEST_BULK_DELETED = timedelta(days=14)
FEWEST_BULK_DELETED, MOST_BULK_DELETED = 2, 100
FORWARD = 1


class Posting:
    def __init__(self, world: World, events: Events, clock: Clock, snowflakes: Snowflakes, cdn: Cdn) -> None:
        self.nonce_seconds = NONCE_SECONDS
        self._world = world
        self._events = events
        self._clock = clock
        self._snowflakes = snowflakes
        self._cdn = cdn
        self._nonces: dict[tuple[int, str], tuple[float, Message]] = {}

    # -- the bot's requests

    def create(self, channel: Channel, body: Json, files: Sequence[Upload] = ()) -> Message:
        self._require_writable(channel)
        nonce = read_nonce(body)
        content = read_content(body, files)
        allowed = read_allowed(body, default=IN_MESSAGES)
        reference, target = self._reference(channel, body.get("message_reference"))
        forwarded = copy(target) if reference is not None and reference.type == FORWARD else None
        if is_empty(content) and forwarded is None and not body.get("sticker_ids") and not body.get("poll"):
            raise Refusal(50006)
        self._require_files_allowed(channel, files)
        if body.get("enforce_nonce") and nonce is not None:
            existing = self._posted_with(nonce)
            if existing is not None:
                return existing
        replied_to = None if forwarded is not None else target
        message = self.new_message(
            channel,
            self._world.bot,
            content.text or "",
            type=MessageType.REPLY if replied_to is not None else MessageType.DEFAULT,
            flags=settable_flags(content.flags),
            nonce=nonce,
        )
        message.reference, message.replied_to, message.snapshot = reference, replied_to, forwarded
        self.fill(message, content, allowed=allowed)
        if nonce is not None:
            self._nonces[self._world.bot.id, str(nonce)] = (self._clock.monotonic(), message)
        self.publish(message)
        return message

    def edit(self, message: Message, body: Json, files: Sequence[Upload] = ()) -> None:
        channel = message.channel
        if message.author is not self._world.bot:
            raise Refusal(50005)
        if channel.archived:
            raise Refusal(50083)
        self._require_files_allowed(channel, files)
        self.rewrite(message, body, files)

    def rewrite(
        self,
        message: Message,
        body: Json,
        files: Sequence[Upload] = (),
        *,
        default: Allowed = IN_MESSAGES,
        shows_first_words: bool = False,
    ) -> None:
        """Change the bot's message. Without `allowed_mentions`, Discord's *default* holds again.

        *shows_first_words*: it was a deferred response, which does not become an edited message by this.
        """
        content = read_content(body, files)
        allowed = read_allowed(body, default=default)
        text = message.content if content.text is None else content.text
        left = bool(
            text
            or (message.embeds if content.embeds is None else content.embeds)
            or (message.components if content.components is None else content.components)
            or keep_attachments(content, message.attachments)
            or files
        )
        if not left:
            raise Refusal(50006)
        if content.flags is not None:
            keeps = message.flags & ~MessageFlag.SUPPRESS_EMBEDS
            message.flags = keeps | (settable_flags(content.flags) & MessageFlag.SUPPRESS_EMBEDS)
        if set(body) - {"flags", "allowed_mentions"} and not shows_first_words:
            message.edited_timestamp = self._clock.now()
        self.fill(message, content, allowed=allowed)
        self._events.message_edited(message, first_words=shows_first_words)

    def delete(self, message: Message) -> None:
        channel = message.channel
        if message.author is not self._world.bot:
            if channel.type == ChannelType.DM:
                raise Refusal(50003)
            if not self._world.permissions(channel) & Permission.MANAGE_MESSAGES:
                raise Refusal(50013)
        if channel.archived:
            raise Refusal(50083)
        self.remove(message)

    def bulk_delete(self, channel: Channel, ids: Sequence[int]) -> None:
        if channel.guild is None:
            raise Refusal(50003)
        if not self._world.permissions(channel) & Permission.MANAGE_MESSAGES:
            raise Refusal(50013)
        if not FEWEST_BULK_DELETED <= len(ids) <= MOST_BULK_DELETED:
            raise invalid("messages", "BASE_TYPE_BAD_LENGTH", "Must be between 2 and 100 in length.")
        messages = [channel.messages[each] for each in ids if each in channel.messages]
        if any(self._clock.now() - message.created_at > OLDEST_BULK_DELETED for message in messages):
            raise Refusal(50034)
        self.remove_all(channel, messages)

    # -- shared with what people and interactions do

    def new_message(
        self,
        channel: Channel,
        author: User,
        text: str,
        *,
        type: int,  # noqa: A002 -- Discord's word for it
        flags: MessageFlag = NO_FLAGS,
        nonce: int | str | None = None,
    ) -> Message:
        message = Message(
            id=self._message_id(channel),
            channel=channel,
            author=author,
            content=text,
            created_at=self._clock.now(),
            type=type,
            flags=flags,
            nonce=nonce,
        )
        if text:
            message.versions.append(text)
        return message

    def fill(self, message: Message, content: Content, *, allowed: Allowed) -> None:
        """Give the message its content and, with it, its mentions."""
        if content.text is not None and content.text != message.content:
            message.content = content.text
            message.versions.append(content.text)
        if content.embeds is not None:
            message.embeds = content.embeds
        if content.components is not None:
            message.components = content.components
        kept = keep_attachments(content, message.attachments)
        message.attachments = [*kept, *(self.attach(message.channel, file) for file in content.files)]
        self.mention(message, allowed, may=self._world.permissions(message.channel))

    def mention(self, message: Message, allowed: Allowed, *, may: Permission) -> None:
        mentions = pinged(
            message.content,
            allowed=allowed,
            replied_to=message.replied_to.author if message.replied_to is not None else None,
            world=self._world,
            channel=message.channel,
            may=may,
        )
        _set_mentions(message, mentions)

    def attach(self, channel: Channel, upload: Upload) -> Attachment:
        attachment = Attachment(id=self._snowflakes.make(), channel_id=channel.id, upload=upload)
        self._cdn.keep(attachment)
        return attachment

    def publish(self, message: Message) -> None:
        """The message is in its channel from now on."""
        channel = message.channel
        if channel.archived:
            channel.archived = False
            self._events.channel_changed(channel)
        channel.messages[message.id] = message
        if not message.is_ephemeral:
            channel.last_message_id = message.id
        if message.author is self._world.bot:
            channel.bot_types_until = 0.0
        self._events.message_created(message)

    def remove(self, message: Message) -> None:
        message.deleted = True
        message.channel.messages.pop(message.id, None)
        self._events.message_deleted(message)

    def remove_all(self, channel: Channel, messages: list[Message]) -> None:
        for message in messages:
            message.deleted = True
            channel.messages.pop(message.id, None)
        self._events.messages_deleted(channel, messages)

    def _message_id(self, channel: Channel) -> int:
        """A forum post's first message has the thread's id."""
        in_forum = channel.parent is not None and channel.parent.type in (
            ChannelType.FORUM,
            ChannelType.MEDIA,
        )
        return channel.id if in_forum and channel.last_message_id is None else self._snowflakes.make()

    # -- the rules of a new message

    def _require_writable(self, channel: Channel) -> None:
        may = self._world.permissions(channel)
        if not may & Permission.VIEW_CHANNEL:
            raise Refusal(50001)
        if channel.type in (ChannelType.CATEGORY, ChannelType.FORUM, ChannelType.MEDIA):
            raise Refusal(50008)
        needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        if not may & needed:
            raise Refusal(50007 if channel.type == ChannelType.DM else 50013)
        if channel.locked and not may & Permission.MANAGE_THREADS:
            raise Refusal(160005)

    def _require_files_allowed(self, channel: Channel, files: Sequence[Upload]) -> None:
        if files and not self._world.permissions(channel) & Permission.ATTACH_FILES:
            raise Refusal(50013)

    def _posted_with(self, nonce: int | str) -> Message | None:
        """The message that this nonce already became. Raises 10008 if it was deleted since."""
        at, message = self._nonces.get((self._world.bot.id, str(nonce)), (0.0, None))
        if message is None or self._clock.monotonic() - at > self.nonce_seconds:
            return None
        if message.deleted:
            raise Refusal(10008)
        return message

    def _reference(self, channel: Channel, given: Json | None) -> tuple[Reference | None, Message | None]:
        if given is None:
            return None, None
        kind = int(given.get("type") or 0)
        message_id = given.get("message_id")
        if message_id is None:
            raise invalid("message_reference.message_id", "BASE_TYPE_REQUIRED", "This field is required")
        source = self._world.channels.get(int(given.get("channel_id") or channel.id))
        if kind != FORWARD and source is not channel:
            raise invalid("message_reference.channel_id", "REPLIES_CHANNEL_MISMATCH", "Not this channel")
        if kind != FORWARD and not self._world.permissions(channel) & Permission.READ_MESSAGE_HISTORY:
            raise Refusal(160002)
        target = None if source is None else source.messages.get(int(message_id))
        if target is None or target.is_ephemeral:
            if given.get("fail_if_not_exists", True) is False:
                return None, None
            raise invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        if target.is_system:
            raise invalid(
                "message_reference",
                "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE",
                "Cannot reply to a system message",
            )
        return reference_to(target, type=kind), target


def _set_mentions(message: Message, mentions: Mentions) -> None:
    message.mentions = mentions.users
    message.mention_roles = mentions.roles
    message.mention_everyone = mentions.everyone
    message.everyone_pinged = message.everyone_pinged or mentions.everyone
    pinged_now = [user.id for user in mentions.users] + [role.id for role in mentions.roles]
    message.mentions_pinged += [each for each in pinged_now if each not in message.mentions_pinged]
