"""The gateway's sessions: which events they get, what they missed, and when they are over."""

import json
import secrets
from collections import deque
from collections.abc import Callable
from enum import IntFlag
from typing import Protocol

from bot.core.ports import Clock
from bot.playground.loopback import payloads
from bot.playground.loopback.changes import Changes
from bot.playground.loopback.refusals import Json
from bot.playground.loopback.world import Channel, ChannelType, Guild, World

RESUMABLE_SECONDS = 180.0  # "a few minutes", Discord says
REPLAYED_EVENTS = 10_000


class Intent(IntFlag):
    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_MESSAGE_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15


KNOWN_INTENTS = sum(1 << bit for bit in (*range(17), 20, 21, 24, 25))


class Line(Protocol):
    """A connection that a session speaks through."""

    def send(self, text: str) -> None: ...

    def hang_up(self, code: int) -> None: ...


class Session:
    """One IDENTIFY and what follows from it, over any number of connections."""

    def __init__(self, *, intents: int, shard: tuple[int, int]) -> None:
        self.id = secrets.token_hex(16)
        self.intents = Intent(intents)
        self.shard = shard
        self.sequence = 0
        self.line: Line | None = None
        self.left_at: float | None = None
        self._sent: deque[tuple[int, str]] = deque(maxlen=REPLAYED_EVENTS)

    def covers(self, guild: Guild | None) -> bool:
        number, shards = self.shard
        return (number == 0) if guild is None else (guild.id >> 22) % shards == number

    def dispatch(self, event: str, payload: Json) -> None:
        self.sequence += 1
        text = json.dumps({"op": 0, "t": event, "s": self.sequence, "d": payload}, separators=(",", ":"))
        self._sent.append((self.sequence, text))
        if self.line is not None:
            self.line.send(text)

    def can_replay(self, sequence: int) -> bool:
        return not self._sent or sequence >= self._sent[0][0] - 1

    def replay(self, sequence: int) -> None:
        """Send again what the client has not seen, in order."""
        if self.line is not None:
            for number, text in self._sent:
                if number > sequence:
                    self.line.send(text)


class Gateway:
    """*event_copies*: how often each event is sent; Discord promises no more than "up to N times"."""

    def __init__(self, world: World, clock: Clock, changes: Changes) -> None:
        self.address = ""
        self.event_copies = 1
        self.content_intent = world.message_content_granted  # of the newest session: governs REST, too
        self._world = world
        self._clock = clock
        self._changes = changes
        self._sessions: dict[str, Session] = {}

    @property
    def sessions(self) -> list[Session]:
        """Those that are connected right now."""
        return [session for session in self._sessions.values() if session.line is not None]

    def begin(self, line: Line, *, intents: int, shard: tuple[int, int]) -> Session:
        """A new session: READY, then each guild."""
        session = Session(intents=intents, shard=shard)
        self._sessions[session.id] = session
        session.line = line
        self.content_intent = self._world.message_content_granted and bool(
            session.intents & Intent.MESSAGE_CONTENT
        )
        guilds = [guild for guild in self._world.guilds.values() if guild.has_bot and session.covers(guild)]
        session.dispatch("READY", self._ready(session, guilds))
        if session.intents & Intent.GUILDS:
            for guild in guilds:
                if guild.available:
                    session.dispatch("GUILD_CREATE", payloads.guild(guild, self._world))
        self._changes.notify()
        return session

    def resume(self, line: Line, session_id: str, sequence: int) -> Session | None:
        """The session, if it still exists; what it missed is replayed by `catch_up`."""
        session = self._sessions.get(session_id)
        if session is None or not session.can_replay(sequence):
            return None
        if session.left_at is not None and self._clock.monotonic() - session.left_at > RESUMABLE_SECONDS:
            del self._sessions[session_id]
            return None
        if session.line is not None:
            session.line.hang_up(4000)
        session.line = line
        session.left_at = None
        return session

    def catch_up(self, session: Session, sequence: int) -> None:
        session.replay(sequence)
        session.dispatch("RESUMED", {"_trace": ["loopback"]})
        self._changes.notify()

    def leave(self, session: Session, line: Line, *, for_good: bool) -> None:
        """A connection is gone; *for_good* ends its session, too."""
        if session.line is not line:  # it was resumed on another one meanwhile
            return
        session.line = None
        session.left_at = self._clock.monotonic()
        if for_good:
            self._sessions.pop(session.id, None)
        self._changes.notify()

    def dispatch(
        self,
        event: str,
        *,
        intent: int,
        place: Channel | Guild | None,
        build: Callable[[bool], Json],
    ) -> None:
        """Send an event to the sessions that asked for it. *build* gets whether they may read content.

        *place* is where it happened; the bot hears nothing of channels that it cannot see.
        """
        if isinstance(place, Channel) and not self._hears(place):
            return
        guild = place.guild if isinstance(place, Channel) else place
        built: dict[bool, Json] = {}
        for session in self._sessions.values():
            if (intent and not session.intents & intent) or not session.covers(guild):
                continue
            content_intent = bool(session.intents & Intent.MESSAGE_CONTENT)
            if content_intent not in built:
                built[content_intent] = build(content_intent)
            for _ in range(self.event_copies):
                session.dispatch(event, built[content_intent])

    def _hears(self, channel: Channel) -> bool:
        if channel.type == ChannelType.DM:
            return True
        available = channel.guild is None or channel.guild.available
        return available and bool(self._world.permissions(channel))

    def _ready(self, session: Session, guilds: list[Guild]) -> Json:
        return {
            "v": 10,
            "user": payloads.own_user(self._world.bot),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.address,
            "shard": list(session.shard),
            "application": {
                "id": str(self._world.application_id),
                "flags": payloads.application_flags(self._world),
            },
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "user_settings": {},
            "_trace": ["loopback"],
        }
