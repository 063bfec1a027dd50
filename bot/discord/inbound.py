"""A Discord message becomes what the core understands: whether it is for us, and what was said."""

import discord

from bot.core.intake import Heard
from bot.core.messages import ConversationKey, IncomingMessage, Kind
from bot.discord.link_search import find_links
from bot.discord.quoting import is_reply, read_quoted, replied_to
from bot.discord.words import read_words

# Everything else is Discord's own (or an app's): joins, pins, boosts, thread starters, command responses.
SPEECH = frozenset({discord.MessageType.default, discord.MessageType.reply})


def hear(message: discord.Message, *, me: discord.ClientUser) -> Heard:
    quoted = replied_to(message)
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
    words = read_words(message, me=me)
    quote, quote_note = read_quoted(message, me=me, bare=not words.text)
    links, link_note = find_links(message.content, guild_id=guild_id(message))
    notes = [note for note in (words.note, quote_note, link_note) if note]
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
        reply_to=message.reference.message_id if message.reference and is_reply(message) else None,
        quote=quote,
        links=links,
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
