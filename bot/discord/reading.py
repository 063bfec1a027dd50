"""Channels that hold messages, and who may read them."""

import discord

Readable = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


def may_read(channel: Readable, member: discord.Member | None) -> bool:
    """See it, and what was said before; without the latter Discord answers a bot with an empty list.

    The bot is no member that anybody knows of while its server is away.
    """
    if member is None:
        return False
    try:
        allowed = channel.permissions_for(member)
    except discord.ClientException:  # a thread whose channel is not known
        return False
    return allowed.view_channel and allowed.read_message_history
