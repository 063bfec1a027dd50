"""The message that somebody replies to, as far as the model has to read it."""

import discord

from bot.core.quotes import Quote
from bot.discord.words import read_words

REPLY_UNREADABLE = (
    "I couldn't read your reply: here I only see messages that mention me. "
    "Please reply with the mention switched on."
)
QUOTED_GONE = "The message you replied to is gone, so I can't read it."
QUOTED_UNREADABLE = "I can't read the message you replied to. Please copy its text behind my mention."


def is_reply(message: discord.Message) -> bool:
    return message.type is discord.MessageType.reply


def replied_to(message: discord.Message) -> discord.Message | discord.DeletedReferencedMessage | None:
    """None: it is no reply, or Discord did not look."""
    if not is_reply(message) or message.reference is None:
        return None
    return message.reference.resolved


def read_quoted(
    message: discord.Message, *, me: discord.ClientUser, bare: bool
) -> tuple[Quote | None, str | None]:
    """What a reply is about, or the sentence that says why we can't tell. *bare*: it has no words of its own.

    Whether the model reads it anyway, since it was said in the same conversation, the store knows.
    """
    if not is_reply(message):
        return None, None
    if bare and not message.content:
        return None, None if message.stickers or message.attachments or message.poll else REPLY_UNREADABLE
    quoted = replied_to(message)
    if isinstance(quoted, discord.DeletedReferencedMessage):
        return None, QUOTED_GONE
    if quoted is None:
        return None, QUOTED_UNREADABLE if bare else None
    words = read_words(quoted, me=me)
    if words.text:
        return as_quote(quoted, words.text, me=me), words.note
    ours = quoted.author.id == me.id  # it says "thinking…"
    return None, None if ours and not bare else words.note or QUOTED_UNREADABLE


def as_quote(message: discord.Message, text: str, *, me: discord.ClientUser) -> Quote:
    return Quote(
        message_id=message.id,
        author_id=message.author.id,
        author_name=message.author.display_name,
        text=text,
        raw_text=message.content,
        ours=message.author.id == me.id,
        edited_at=message.edited_at,
    )
