"""A Discord message becomes what the core understands: whether it is for us, and what was said."""

from collections.abc import Sequence
from dataclasses import dataclass

import discord

from bot.core.intake import Heard
from bot.core.messages import ConversationKey, IncomingMessage, Kind, Quote
from bot.discord.readable import readable, unread_note

# Everything else is Discord's own (or an app's): joins, pins, boosts, thread starters, command responses.
SPEECH = frozenset({discord.MessageType.default, discord.MessageType.reply})

REPLY_UNREADABLE = (
    "I couldn't read your reply: here I only see messages that mention me. "
    "Please reply with the mention switched on."
)
QUOTED_GONE = "The message you replied to is gone, so I can't read it."
QUOTED_UNREADABLE = "I can't read the message you replied to. Please copy its text behind my mention."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    """What a message says: *text* for the model, *note* for what of it can't be read."""

    text: str
    note: str | None


def hear(message: discord.Message, *, me: discord.ClientUser) -> Heard:
    quoted = _replied_to(message)
    parent = parent_id(message.channel)
    return Heard(
        speech=message.type in SPEECH,
        from_bot=message.author.bot,
        webhook=message.webhook_id is not None,
        direct=guild_id(message) is None,
        channel_ids=(message.channel.id,) if parent is None else (message.channel.id, parent),
        mentions_bot=_mentions(message, me),
        replies_to_bot=isinstance(quoted, discord.Message) and quoted.author.id == me.id,
        has_content=_has_content(message),
    )


def read_message(message: discord.Message, *, me: discord.ClientUser) -> IncomingMessage:
    words = _read_words(message, me=me)
    quote, quote_note = (None, None)
    if not words.text:
        quote, quote_note = _read_quoted(message, me=me)
    notes = [note for note in (words.note, quote_note) if note]
    return IncomingMessage(
        message_id=message.id,
        kind=Kind.MESSAGE,
        key=ConversationKey(channel_id=message.channel.id),
        guild_id=guild_id(message),
        parent_id=parent_id(message.channel),
        author_id=message.author.id,
        author_name=message.author.display_name,
        text=words.text,
        raw_text=message.content,
        note=" ".join(notes) or None,
        reply_to=message.reference.message_id if message.reference and _is_reply(message) else None,
        quote=quote,
    )


def _read_words(message: discord.Message, *, me: discord.ClientUser) -> _Words:
    """The person's own words, then those of what they forward."""
    guild = message.guild
    texts = [read_text(message.content, me=me, guild=guild, users=message.mentions)]
    texts += [read_text(snapshot.content, me=me, guild=guild) for snapshot in message.message_snapshots]
    text = "\n\n".join(text for text in texts if text)
    attachments = [*message.attachments]
    stickers = [*message.stickers]
    for snapshot in message.message_snapshots:
        attachments += snapshot.attachments
        stickers += snapshot.stickers
    note = unread_note(
        has_text=bool(text),
        attachments=[attachment.filename for attachment in attachments if not attachment.is_voice_message()],
        stickers=[sticker.name for sticker in stickers],
        voice=any(attachment.is_voice_message() for attachment in attachments),
        poll=message.poll is not None,
    )
    return _Words(text=text, note=note)


def read_text(
    content: str,
    *,
    me: discord.ClientUser,
    guild: discord.Guild | None,
    users: Sequence[discord.abc.User] = (),
) -> str:
    """What the model reads of a message's text: mentions made names, our own at the ends gone."""
    own_role = guild.self_role if guild else None
    own_member = guild.me if guild else None
    return readable(
        content,
        bot_id=me.id,
        bot_name=(own_member or me).display_name,
        users={user.id: user.display_name for user in users},
        roles={role.id: role.name for role in guild.roles} if guild else {},
        channels={channel.id: channel.name for channel in (*guild.channels, *guild.threads)} if guild else {},
        bot_role_ids=frozenset({own_role.id}) if own_role else frozenset(),
    )


def guild_id(message: discord.Message) -> int | None:
    """Also while the guild itself has not arrived yet."""
    channel = message.channel
    if isinstance(channel, discord.PartialMessageable):
        return channel.guild_id
    return message.guild.id if message.guild else None


def parent_id(channel: object) -> int | None:
    """The channel above, if this is a thread."""
    return channel.parent_id if isinstance(channel, discord.Thread) else None


def _mentions(message: discord.Message, me: discord.ClientUser) -> bool:
    """By name or by our own role; not as one of @everyone or of any other role."""
    own_role = message.guild.self_role if message.guild else None
    return any(user.id == me.id for user in message.mentions) or own_role in message.role_mentions


def _has_content(message: discord.Message) -> bool:
    """A reply alone is none: without the message content intent, every reply to anybody looks like that."""
    return bool(
        message.content.strip()
        or message.attachments
        or message.stickers
        or message.message_snapshots
        or message.poll
    )


def _is_reply(message: discord.Message) -> bool:
    return message.type is discord.MessageType.reply


def _replied_to(message: discord.Message) -> discord.Message | discord.DeletedReferencedMessage | None:
    """None: it is no reply, or Discord did not look."""
    if not _is_reply(message) or message.reference is None:
        return None
    return message.reference.resolved


def _read_quoted(message: discord.Message, *, me: discord.ClientUser) -> tuple[Quote | None, str | None]:
    """What a reply without words of its own asks about, or the sentence that says why we can't tell."""
    if not _is_reply(message) or message.stickers or message.attachments or message.poll:
        return None, None
    if not message.content:
        return None, REPLY_UNREADABLE
    quoted = _replied_to(message)
    if isinstance(quoted, discord.DeletedReferencedMessage):
        return None, QUOTED_GONE
    if quoted is None:
        return None, QUOTED_UNREADABLE
    words = _read_words(quoted, me=me)
    if not words.text:
        return None, words.note or QUOTED_UNREADABLE
    quote = Quote(
        message_id=quoted.id,
        author_id=quoted.author.id,
        author_name=quoted.author.display_name,
        text=words.text,
        raw_text=quoted.content,
    )
    return quote, words.note
