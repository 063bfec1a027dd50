"""The words of a Discord message, and a sentence that names what of it can't be read."""

from collections.abc import Sequence
from dataclasses import dataclass

import discord

from bot.discord.readable import readable, unread_note


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What a message says: *text* for the model, *note* for what of it can't be read."""

    text: str
    note: str | None


def read_words(message: discord.Message, *, me: discord.ClientUser) -> Words:
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
    return Words(text=text, note=note)


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
        user_name={user.id: user.display_name for user in users}.get,
        role_name=lambda id_: role.name if guild and (role := guild.get_role(id_)) else None,
        channel_name=lambda id_: channel.name if guild and (channel := guild.get_channel_or_thread(id_)) else None,
        bot_role_ids=frozenset({own_role.id}) if own_role else frozenset(),
    )
