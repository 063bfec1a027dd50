"""A strict Discord on 127.0.0.1: REST v10 and gateway v10, with people in it."""

from bot.playground.loopback.changes import Seen, Watch
from bot.playground.loopback.gateway import Intent
from bot.playground.loopback.interaction import Interaction
from bot.playground.loopback.record import RecordedHello, RecordedRequest
from bot.playground.loopback.server import TOKEN, LoopbackDiscord
from bot.playground.loopback.world import (
    Channel,
    ChannelType,
    Guild,
    Message,
    MessageFlag,
    MessageType,
    Role,
    Upload,
    User,
)

__all__ = [
    "TOKEN",
    "Channel",
    "ChannelType",
    "Guild",
    "Intent",
    "Interaction",
    "LoopbackDiscord",
    "Message",
    "MessageFlag",
    "MessageType",
    "RecordedHello",
    "RecordedRequest",
    "Role",
    "Seen",
    "Upload",
    "User",
    "Watch",
]
