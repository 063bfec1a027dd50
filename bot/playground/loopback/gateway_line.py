"""One gateway connection: hello, heartbeats, IDENTIFY or RESUME, and the codes that close it."""

import asyncio
import json
import zlib
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from bot.core.ports import Clock
from bot.playground.loopback import payloads
from bot.playground.loopback.changes import Changes
from bot.playground.loopback.gateway import KNOWN_INTENTS, Gateway, Intent, Session
from bot.playground.loopback.record import RecordedHello
from bot.playground.loopback.refusals import Json
from bot.playground.loopback.world import World

HEARTBEAT_MILLISECONDS = 41_250
MOST_BYTES = 4096  # of one message to the gateway
MOST_SENT, SENT_WINDOW_SECONDS = 120, 60.0
SESSIONS_A_DAY, DAY_SECONDS = 1000, 86_400.0
HEARTBEAT, IDENTIFY, PRESENCE, VOICE_STATE, RESUME = 1, 2, 3, 4, 6
RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 8, 9, 10, 11
UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED, AUTHENTICATION_FAILED = 4001, 4002, 4003, 4004
ALREADY_AUTHENTICATED, INVALID_SEQUENCE, RATE_LIMITED, TIMED_OUT = 4005, 4007, 4008, 4009
INVALID_SHARD, INVALID_VERSION, INVALID_INTENTS, DISALLOWED_INTENTS = 4010, 4012, 4013, 4014
ENDS_SESSION = {1000, 1001, AUTHENTICATION_FAILED, INVALID_SEQUENCE, TIMED_OUT}


class Hangup(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class GatewayDoor:
    """Where gateway connections come in, and what can be made to go wrong with them."""

    def __init__(
        self, gateway: Gateway, world: World, clock: Clock, changes: Changes, *, token: Callable[[], str]
    ) -> None:
        self.gateway = gateway
        self.world = world
        self.clock = clock
        self.token = token
        self.hellos: list[RecordedHello] = []
        self.lines: set[GatewayLine] = set()
        self.drop_acks = False
        self.refusals: list[int] = []
        self._changes = changes
        self._started: list[float] = []

    @property
    def sessions_left(self) -> int:
        since = self.clock.monotonic() - DAY_SECONDS
        return SESSIONS_A_DAY - sum(started > since for started in self._started)

    def count_session(self) -> None:
        self._started.append(self.clock.monotonic())

    def record(self, hello: RecordedHello) -> None:
        self.hellos.append(hello)
        self._changes.notify()

    async def connect(self, request: web.Request) -> web.StreamResponse:
        if self.refusals:
            return web.Response(status=self.refusals.pop(0), text="upstream connect error")
        socket = web.WebSocketResponse(compress=False, autoping=True)
        await socket.prepare(request)
        line = GatewayLine(self, socket, request)
        self.lines.add(line)
        try:
            await line.serve()
        finally:
            self.lines.discard(line)
        return socket

    async def close(self) -> None:
        for line in list(self.lines):
            await line.close(1001)


class GatewayLine:
    def __init__(self, door: GatewayDoor, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._door = door
        self._socket = socket
        self._request = request
        self._outgoing: asyncio.Queue[str | int] = asyncio.Queue()
        self._deflate = (
            zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        )  # other compressions are answered in plain text, which clients accept
        self._session: Session | None = None
        self._received: list[float] = []
        self._hung_up_with: int | None = None

    def send(self, text: str) -> None:
        self._outgoing.put_nowait(text)

    def say(self, op: int, data: object = None) -> None:
        self.send(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    def hang_up(self, code: int) -> None:
        """Close after what was said before; the codes that end a session end it."""
        self._outgoing.put_nowait(code)

    def cut(self) -> None:
        """Lose the connection without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self, code: int) -> None:
        await self._socket.close(code=code)

    def end_session(self) -> None:
        if self._session is not None:
            self._door.gateway.leave(self._session, self, for_good=True)
            self._session = None

    async def serve(self) -> None:
        writing = asyncio.create_task(self._write())
        try:
            if self._request.query.get("v", "10") not in ("9", "10"):
                raise Hangup(INVALID_VERSION)  # noqa: TRY301 -- one place closes
            self.say(HELLO, {"heartbeat_interval": HEARTBEAT_MILLISECONDS, "_trace": ["loopback"]})
            async for message in self._socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                self._receive(message.data)
        except Hangup as hangup:
            self.hang_up(hangup.code)
            await writing
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            if self._session is not None:
                # Who closes first decides; the other side's code is a mere echo.
                ended = (self._hung_up_with or self._socket.close_code) in ENDS_SESSION
                self._door.gateway.leave(self._session, self, for_good=ended)

    async def _write(self) -> None:
        while True:
            item = await self._outgoing.get()
            if self._socket.closed:
                return
            if isinstance(item, int):
                self._hung_up_with = item
                if item in ENDS_SESSION:
                    self.end_session()
                await self._socket.close(code=item)
                return
            try:
                if self._deflate is None:
                    await self._socket.send_str(item)
                else:
                    data = self._deflate.compress(item.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                    await self._socket.send_bytes(data)
            except ConnectionError:  # the client is gone, and `serve` is about to notice
                return

    def _receive(self, data: str | bytes) -> None:
        now = self._door.clock.monotonic()
        self._received = [at for at in self._received if at > now - SENT_WINDOW_SECONDS] + [now]
        if len(self._received) > MOST_SENT:
            raise Hangup(RATE_LIMITED)
        if len(data) > MOST_BYTES:
            raise Hangup(DECODE_ERROR)
        try:
            frame = json.loads(data)
            op, content = frame["op"], frame.get("d")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Hangup(DECODE_ERROR) from None
        self._act(op, content)

    def _act(self, op: Any, content: Any) -> None:
        if op == HEARTBEAT:
            if not self._door.drop_acks:
                self.say(HEARTBEAT_ACK)
        elif op == IDENTIFY:
            self._identify(content)
        elif op == RESUME:
            self._resume(content)
        elif op not in (PRESENCE, VOICE_STATE, REQUEST_MEMBERS):
            raise Hangup(UNKNOWN_OPCODE)
        elif self._session is None:
            raise Hangup(NOT_AUTHENTICATED)
        elif op == REQUEST_MEMBERS:
            self._send_members(self._session, content)

    def _identify(self, content: Json) -> None:
        intents = content.get("intents", 0)
        try:
            number, shards = content.get("shard", (0, 1))
            self._check_identify(content, intents=intents, number=number, shards=shards)
        except Hangup as hangup:
            self._record("identify", intents=intents, outcome=str(hangup.code))
            raise
        self._door.count_session()
        self._session = self._door.gateway.begin(self, intents=intents, shard=(number, shards))
        self._record("identify", intents=intents, session_id=self._session.id, outcome="ready")

    def _check_identify(self, content: Json, *, intents: int, number: int, shards: int) -> None:
        if self._session is not None:
            raise Hangup(ALREADY_AUTHENTICATED)
        if content.get("token") != self._door.token() or self._door.sessions_left <= 0:
            raise Hangup(AUTHENTICATION_FAILED)
        if not 0 <= number < shards:
            raise Hangup(INVALID_SHARD)
        if intents & ~KNOWN_INTENTS or "properties" not in content:
            raise Hangup(INVALID_INTENTS)
        privileged = Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES
        if not self._door.world.message_content_granted:
            privileged |= Intent.MESSAGE_CONTENT
        if intents & privileged:
            raise Hangup(DISALLOWED_INTENTS)

    def _resume(self, content: Json) -> None:
        session_id, sequence = content.get("session_id"), content.get("seq")
        if content.get("token") != self._door.token():
            self._record("resume", session_id=session_id, outcome=str(AUTHENTICATION_FAILED))
            raise Hangup(AUTHENTICATION_FAILED)
        if not isinstance(sequence, int):
            raise Hangup(DECODE_ERROR)
        session = self._door.gateway.resume(self, str(session_id), sequence)
        if session is None:
            self._record("resume", session_id=session_id, outcome="invalid session")
            self.say(INVALID_SESSION, data=False)
            return
        self._session = session
        if sequence > session.sequence:
            self._record("resume", session_id=session_id, outcome=str(INVALID_SEQUENCE))
            raise Hangup(INVALID_SEQUENCE)
        self._record("resume", session_id=session_id, outcome="resumed")
        self._door.gateway.catch_up(session, sequence)

    def _send_members(self, session: Session, content: Json) -> None:
        """Members by id or the beginning of their name; all of them would need the members intent."""
        world = self._door.world
        wanted = {int(each) for each in content.get("user_ids", ())}
        query = content.get("query")
        found = [
            user
            for user in (world.bot, *world.users.values())
            if user.id in wanted or (query and user.name.startswith(query))
        ]
        guild = world.guilds[int(content["guild_id"])]
        chunk: Json = {
            "guild_id": str(guild.id),
            "members": [payloads.member(user, guild) for user in found],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [],
        }
        if nonce := content.get("nonce"):
            chunk["nonce"] = nonce
        session.dispatch("GUILD_MEMBERS_CHUNK", chunk)

    def _record(self, kind: Any, *, outcome: str, intents: int | None = None, session_id: Any = None) -> None:
        at = self._door.clock.monotonic()
        self._door.record(RecordedHello(kind=kind, at=at, intents=intents, session_id=session_id, outcome=outcome))
