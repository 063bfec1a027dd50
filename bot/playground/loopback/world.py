"""What exists in the loopback Discord: people, guilds, channels, messages. State, and no rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, IntFlag
from typing import Any

from bot.playground.loopback.permissions import ALL, EVERYONE, NOTHING, Permission

DM_OFFSET = 1 << 17  # in the part of a snowflake that names Discord's machine: no other id of ours has it


class ChannelType(IntEnum):
    TEXT = 0
    DM = 1
    VOICE = 2
    CATEGORY = 4
    ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    FORUM = 15
    MEDIA = 16


class MessageFlag(IntFlag):
    SUPPRESS_EMBEDS = 1 << 2
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    IS_VOICE_MESSAGE = 1 << 13
    HAS_SNAPSHOT = 1 << 14
    IS_COMPONENTS_V2 = 1 << 15


NO_FLAGS = MessageFlag(0)


class MessageType(IntEnum):
    DEFAULT = 0
    REPLY = 19
    CHAT_INPUT_COMMAND = 20
    CONTEXT_MENU_COMMAND = 23


@dataclass(kw_only=True, eq=False)
class User:
    id: int
    name: str
    display_name: str | None = None
    bot: bool = False

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"


@dataclass(kw_only=True, eq=False)
class Role:
    id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Overwrite:
    """What a channel gives to a role or a person, and takes from them."""

    of: Role | User
    allow: Permission
    deny: Permission


@dataclass(kw_only=True, eq=False)
class Guild:
    """A server. Everybody in the world is a member."""

    id: int
    name: str
    owner: User
    joined_at: datetime
    roles: list[Role] = field(default_factory=list)
    member_roles: dict[int, list[Role]] = field(default_factory=dict)
    member_permissions: dict[int, Permission] = field(default_factory=dict)
    has_bot: bool = True
    available: bool = True


@dataclass(kw_only=True, eq=False)
class Channel:
    """A guild's channel, a thread, or a DM. *allow* and *deny* are the bot's own overwrite."""

    id: int
    name: str
    type: int
    guild: Guild | None = None
    parent: "Channel | None" = None
    recipient: User | None = None
    owner: User | None = None
    allow: Permission = NOTHING
    deny: Permission = NOTHING
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    archived: bool = False
    locked: bool = False
    bot_is_member: bool = True  # of a private thread
    deleted: bool = False
    bot_types_until: float = 0.0  # on the clock's monotonic time
    created_at: datetime
    messages: "dict[int, Message]" = field(default_factory=dict)
    last_message_id: int | None = None

    @property
    def is_thread(self) -> bool:
        return self.type in (
            ChannelType.ANNOUNCEMENT_THREAD,
            ChannelType.PUBLIC_THREAD,
            ChannelType.PRIVATE_THREAD,
        )

    @property
    def mention(self) -> str:
        return f"<#{self.id}>"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file as somebody attaches it."""

    filename: str
    data: bytes
    content_type: str = "application/octet-stream"
    duration_seconds: float | None = None  # of a voice message


@dataclass(frozen=True, kw_only=True)
class Attachment:
    id: int
    channel_id: int
    upload: Upload


@dataclass(frozen=True, kw_only=True)
class Sticker:
    id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a reply answers (type 0) or a forward forwards (type 1)."""

    message_id: int
    channel_id: int
    guild_id: int | None
    type: int = 0


@dataclass(kw_only=True, eq=False)
class Message:
    """A message as it stands now. *versions* are all the texts it ever had, oldest first."""

    id: int
    channel: Channel
    author: User
    content: str
    created_at: datetime
    type: int = MessageType.DEFAULT
    flags: MessageFlag = NO_FLAGS
    edited_timestamp: datetime | None = None
    reference: Reference | None = None
    replied_to: "Message | None" = None
    snapshot: "Message | None" = None
    mentions: Sequence[User] = ()
    mention_roles: Sequence[Role] = ()
    mention_everyone: bool = False
    mentions_pinged: list[int] = field(default_factory=list)  # users and roles, over all versions
    everyone_pinged: bool = False
    attachments: Sequence[Attachment] = ()
    stickers: Sequence[Sticker] = ()
    embeds: Sequence[Mapping[str, Any]] = ()
    components: Sequence[Mapping[str, Any]] = ()
    nonce: int | str | None = None
    webhook_id: int | None = None
    interaction: "Invocation | None" = None
    visible_to: User | None = None  # an ephemeral message's only reader
    deleted: bool = False
    versions: list[str] = field(default_factory=list)

    @property
    def is_ephemeral(self) -> bool:
        return self.visible_to is not None

    @property
    def is_loading(self) -> bool:
        """A deferred response that says "thinking…"."""
        return bool(self.flags & MessageFlag.LOADING)

    @property
    def is_system(self) -> bool:
        return self.type not in (
            MessageType.DEFAULT,
            MessageType.REPLY,
            MessageType.CHAT_INPUT_COMMAND,
            MessageType.CONTEXT_MENU_COMMAND,
        )


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The command that a message answers."""

    id: int
    user: User
    command: str
    guild_id: int | None
    target_id: int | None = None  # the message in whose menu the command was

    @property
    def shown(self) -> str:
        return f"/{self.command}" if self.target_id is None else self.command


@dataclass(kw_only=True)
class World:
    """Everything there is, by id."""

    bot: User
    application_id: int
    message_content_granted: bool
    users: dict[int, User] = field(default_factory=dict)
    guilds: dict[int, Guild] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)

    def message(self, channel_id: int, message_id: int) -> Message | None:
        channel = self.channels.get(channel_id)
        return None if channel is None else channel.messages.get(message_id)

    def permissions(self, channel: Channel) -> Permission:
        """What the bot may do there (Discord's documentation, "Permission Overwrites")."""
        source = channel.parent if channel.is_thread and channel.parent else channel
        permissions = _by_roles(source, self.bot) & ~source.deny | source.allow
        if not permissions & Permission.VIEW_CHANNEL or not self.is_inside(channel):
            return NOTHING
        return permissions

    def is_inside(self, channel: Channel) -> bool:
        """The bot is where this channel is: in the guild, and in the thread if it is private."""
        if channel.guild is not None and not channel.guild.has_bot:
            return False
        return channel.type != ChannelType.PRIVATE_THREAD or channel.bot_is_member

    def member_permissions(self, guild: Guild, user: User) -> Permission:
        if user is guild.owner:
            return ALL
        return guild.member_permissions.get(user.id, EVERYONE)

    def dm(self, user: User, *, at: datetime) -> Channel:
        """The bot's DM with a person: always the same one."""
        channel_id = user.id + DM_OFFSET
        if channel_id not in self.channels:
            self.channels[channel_id] = Channel(
                id=channel_id, name=user.name, type=ChannelType.DM, recipient=user, created_at=at
            )
        return self.channels[channel_id]

    def threads(self, channel: Channel) -> list[Channel]:
        return [thread for thread in self.channels.values() if thread.parent is channel and thread.is_thread]


def _by_roles(channel: Channel, user: User) -> Permission:
    """What a member's roles give them in a channel, @everyone's first."""
    if channel.guild is None:
        return EVERYONE
    roles = channel.guild.member_roles.get(user.id, [])
    everyone = channel.overwrites.get(channel.guild.id)
    theirs = [each for role in roles if (each := channel.overwrites.get(role.id))]
    permissions = EVERYONE & ~everyone.deny | everyone.allow if everyone else EVERYONE
    for each in theirs:
        permissions &= ~each.deny
    for each in theirs:
        permissions |= each.allow
    return permissions


def reference_to(target: Message, *, type: int = 0) -> Reference:  # noqa: A002 -- Discord's word for it
    guild = target.channel.guild
    return Reference(
        message_id=target.id,
        channel_id=target.channel.id,
        guild_id=guild.id if guild is not None else None,
        type=type,
    )
