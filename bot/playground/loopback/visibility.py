"""What an app without the message-content intent gets to read (Discord's documentation, "Gateway")."""

from bot.playground.loopback import mentions
from bot.playground.loopback.world import Message, World


def reads_content(world: World, message: Message) -> bool:
    """Without the intent: its own messages, DMs, mentions of it, and replies that ping it.

    A reply to what it answered to a slash command does not count, and neither does @everyone.
    """
    if message.author is world.bot or message.channel.guild is None:
        return True
    if world.bot in mentions.find(message.content, world=world, channel=message.channel).users:
        return True
    replied_to = message.replied_to
    return (
        replied_to is not None
        and replied_to.author is world.bot
        and replied_to.interaction is None
        and world.bot in message.mentions
    )
