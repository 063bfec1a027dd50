"""Where the playground begins: always the same ids, so that a bot's memory fits when it is started again."""

import zlib
from datetime import UTC, datetime

from bot.core.messages import DISCORD_EPOCH_MS
from bot.playground.loopback.world import Channel, ChannelType, Guild, Role, User, World

FOUNDED = datetime(2026, 1, 1, tzinfo=UTC)
_NEWCOMERS = 100  # the number of their second


def founding_id(number: int) -> int:
    """The snowflake of the *number*th second since the world was founded."""
    return (int(FOUNDED.timestamp() * 1000) - DISCORD_EPOCH_MS + number * 1000) << 22


def person_id(name: str) -> int:
    """Whoever comes to the world later, in the same second as everybody else who does."""
    return founding_id(_NEWCOMERS) + zlib.crc32(name.encode())


def default_world(*, message_content_granted: bool) -> World:
    """A guild "Playground" that "you" own, with "ada" in it, and the channels #general and #random."""
    bot_id = founding_id(0)
    world = World(
        bot=User(id=bot_id, name="confab", display_name="Confab", bot=True),
        application_id=bot_id,  # as it is for every app made since 2016
        message_content_granted=message_content_granted,
    )
    you = User(id=founding_id(1), name="you", display_name="You")
    ada = User(id=founding_id(2), name="ada", display_name="Ada")
    world.users = {you.id: you, ada.id: ada}
    guild = Guild(id=founding_id(3), name="Playground", owner=you, joined_at=FOUNDED)
    guild.roles.append(Role(id=guild.id, name="@everyone"))
    world.guilds[guild.id] = guild
    for number, name in enumerate(("general", "random"), start=4):
        channel = Channel(
            id=founding_id(number), name=name, type=ChannelType.TEXT, guild=guild, created_at=FOUNDED
        )
        world.channels[channel.id] = channel
    return world
