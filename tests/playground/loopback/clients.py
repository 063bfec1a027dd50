"""Clients of the loopback Discord: bare ones that show every byte, and a real discord.Client."""

import asyncio
import json
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from bot.playground.loopback import Intent, LoopbackDiscord

EVERYTHING = int(
    Intent.GUILDS
    | Intent.GUILD_MESSAGES
    | Intent.GUILD_MESSAGE_TYPING
    | Intent.DIRECT_MESSAGES
    | Intent.DIRECT_MESSAGE_TYPING
    | Intent.MESSAGE_CONTENT
)
SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Answered:
    status: int
    headers: Any
    body: Any

    @property
    def code(self):
        return self.body["code"]


class RestClient:
    """Says exactly what it is told to; `await rest.post(path, body)` and so on."""

    def __init__(self, loopback: LoopbackDiscord, session: aiohttp.ClientSession) -> None:
        self._loopback = loopback
        self._session = session

    async def request(self, method: str, path: str, body=None, *, token: str | None = "", data=None) -> Answered:
        headers = {}
        if token is not None:
            headers["Authorization"] = f"Bot {token or self._loopback.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body)
        async with self._session.request(method, self._loopback.api_url + path, data=data, headers=headers) as got:
            text = await got.text()
            is_json = got.headers.get("Content-Type") == "application/json"
            return Answered(status=got.status, headers=got.headers, body=json.loads(text) if is_json else text)

    async def get(self, path: str, **how) -> Answered:
        return await self.request("GET", path, **how)

    async def post(self, path: str, body=None, **how) -> Answered:
        return await self.request("POST", path, body, **how)

    async def patch(self, path: str, body=None, **how) -> Answered:
        return await self.request("PATCH", path, body, **how)

    async def put(self, path: str, body=None, **how) -> Answered:
        return await self.request("PUT", path, body, **how)

    async def delete(self, path: str, **how) -> Answered:
        return await self.request("DELETE", path, **how)


@asynccontextmanager
async def rest_client(loopback: LoopbackDiscord):
    async with aiohttp.ClientSession() as session:
        yield RestClient(loopback, session)


class GatewayClient:
    """Keeps every frame; *closed* is the code it was closed with."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.frames: list[dict] = []
        self.closed: int | None = None
        self._socket = socket
        self._token = token
        self._inflate = zlib.decompressobj()
        self._came = asyncio.Condition()

    async def listen(self) -> None:
        async for message in self._socket:
            data = message.data
            if message.type is aiohttp.WSMsgType.BINARY:
                data = self._inflate.decompress(data)
            async with self._came:
                self.frames.append(json.loads(data))
                self._came.notify_all()
        async with self._came:
            self.closed = self._socket.close_code
            self._came.notify_all()

    async def send(self, op: int, content: Any = None) -> None:
        await self._socket.send_str(json.dumps({"op": op, "d": content}))

    async def send_text(self, text: str) -> None:
        await self._socket.send_str(text)

    async def identify(self, intents: int = EVERYTHING, *, token: str = "", **more) -> dict:
        await self.send(
            2, {"token": token or self._token, "intents": intents, "properties": {"os": "linux"}, **more}
        )
        return await self.event("READY")

    async def resume(self, session_id: str, sequence: int, *, token: str = "") -> None:
        await self.send(6, {"token": token or self._token, "session_id": session_id, "seq": sequence})

    async def event(self, name: str, *, number: int = 1) -> dict:
        """The content of the *number*th event of this name."""
        await self.until(lambda: len(self.events(name)) >= number or self.closed)
        return self.events(name)[number - 1]

    async def op(self, op: int) -> dict:
        await self.until(lambda: any(frame["op"] == op for frame in self.frames) or self.closed)
        return next(frame for frame in self.frames if frame["op"] == op)

    async def close_code(self) -> int:
        await self.until(lambda: self.closed is not None)
        assert self.closed is not None
        return self.closed

    async def until(self, becomes_true) -> None:
        async with asyncio.timeout(SECONDS), self._came:
            await self._came.wait_for(becomes_true)

    def events(self, name: str) -> list[dict]:
        return [frame["d"] for frame in self.frames if frame["t"] == name]

    @property
    def names(self) -> list[str]:
        return [frame["t"] for frame in self.frames if frame["op"] == 0]

    @property
    def sequence(self) -> int:
        return max(frame["s"] for frame in self.frames if frame["s"] is not None)

    async def all_sent_so_far(self) -> None:
        """Wait for a heartbeat's echo: what was sent before it is here, too."""
        echoes = sum(frame["op"] == 11 for frame in self.frames)
        await self.send(1, None)
        await self.until(lambda: sum(frame["op"] == 11 for frame in self.frames) > echoes or self.closed)

    async def close(self, code: int = 1000) -> None:
        await self._socket.close(code=code)


@asynccontextmanager
async def gateway_client(loopback: LoopbackDiscord, *, query: str = "?v=10&encoding=json"):
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(loopback.gateway_url + query, max_msg_size=0) as socket,
    ):
        client = GatewayClient(socket, loopback.token)
        listening = asyncio.create_task(client.listen())
        try:
            await client.until(lambda: client.frames or client.closed)
            yield client
        finally:
            await client.close()
            await listening


class RecordingClient(discord.Client):
    """A real discord.py client that notes what it hears."""

    connecting: asyncio.Task[None]

    def __init__(self, loopback: LoopbackDiscord, **options) -> None:
        intents = discord.Intents.none()
        intents.value = EVERYTHING
        super().__init__(intents=options.pop("intents", intents), max_messages=None, **options)
        self.loopback = loopback
        self.heard: list[discord.Message] = []
        self.edited: list[discord.RawMessageUpdateEvent] = []
        self.deleted: list[Any] = []
        self.called: list[discord.Interaction] = []
        self.other: list[tuple[str, Any]] = []
        self.resumed = 0

    async def on_message(self, message):
        self._note(self.heard, message)

    async def on_raw_message_edit(self, payload):
        self._note(self.edited, payload)

    async def on_raw_message_delete(self, payload):
        self._note(self.deleted, payload)

    async def on_raw_bulk_message_delete(self, payload):
        self._note(self.deleted, payload)

    async def on_interaction(self, interaction):
        self._note(self.called, interaction)

    async def on_guild_channel_create(self, channel):
        self._note(self.other, ("created", channel.id))

    async def on_guild_channel_delete(self, channel):
        self._note(self.other, ("channel", channel.id))

    async def on_raw_thread_delete(self, payload):
        self._note(self.other, ("thread", payload.thread_id))

    async def on_guild_remove(self, guild):
        self._note(self.other, ("guild", guild.id))

    async def on_guild_unavailable(self, guild):
        self._note(self.other, ("unavailable", guild.id))

    async def on_resumed(self):
        self.resumed += 1
        self.loopback._changes.notify()

    def _note(self, notes: list, what: Any) -> None:
        notes.append(what)
        self.loopback._changes.notify()


@asynccontextmanager
async def discord_client(loopback: LoopbackDiscord, monkeypatch, **options):
    """Logged in, connected, and with its guilds."""
    monkeypatch.setattr(Route, "BASE", loopback.api_url)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", URL(loopback.gateway_url))
    client = RecordingClient(loopback, **options)
    await client.login(loopback.token)
    client.connecting = connecting = asyncio.create_task(client.connect())
    try:
        await loopback.until(lambda: loopback.hellos)
        yield client
    finally:
        await client.close()
        await asyncio.gather(connecting, return_exceptions=True)
