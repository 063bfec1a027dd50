"""A bot of a few lines on the loopback Discord: it answers what it hears, as a test tells it to."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bot.playground.loopback import LoopbackDiscord

GUILDS_MESSAGES_AND_CONTENT = 1 << 0 | 1 << 9 | 1 << 15
PRIVATE = {"name": "private", "description": "Unseen by others", "type": 5}
CHAT = {
    "name": "chat",
    "description": "Ask",
    "options": [{"name": "message", "description": "What", "type": 3, "required": True}, PRIVATE],
}
WHAT = {
    "name": "what",
    "description": "Of what",
    "type": 3,
    "choices": [{"name": "my data", "value": "my-data"}],
}
RESET = {"name": "reset", "description": "Start anew", "options": [PRIVATE]}
EXPORT = {"name": "export", "description": "Take along", "options": [WHAT]}
WHY = {"name": "Why this answer?", "type": 3}


class SmallBot:
    """*reply* makes the texts that an answer has while it grows; the last one stays."""

    def __init__(self, loopback: LoopbackDiscord, session: aiohttp.ClientSession) -> None:
        self.reply: Callable[[str], list[str]] = lambda text: [f"You said: {text}"]
        self.failing = False
        self.silent = False
        self.button: str | None = None  # below each answer
        self.refusal: str | None = None  # whispered to who presses it
        self._loopback = loopback
        self._session = session
        self._ended: dict[int, bool] = {}
        self._changed = asyncio.Condition()

    async def answered(self, question_id: int) -> bool:
        async with self._changed:
            await self._changed.wait_for(lambda: question_id in self._ended)
        return self._ended[question_id]

    async def serve(self) -> None:
        async with self._session.ws_connect(self._loopback.gateway_url + "?v=10&encoding=json") as socket:
            properties = {"os": "linux", "browser": "small", "device": "small"}
            intents = GUILDS_MESSAGES_AND_CONTENT
            identify = {"token": self._loopback.token, "intents": intents, "properties": properties}
            await socket.send_json({"op": 2, "d": identify})
            path = f"/applications/{self._loopback.application_id}/commands"
            await self._ask("PUT", path, [CHAT, RESET, EXPORT, WHY])
            async for frame in socket:
                event = frame.json()
                if event.get("t") == "MESSAGE_CREATE" and not event["d"]["author"].get("bot"):
                    await self._answer(event["d"])
                elif event.get("t") == "INTERACTION_CREATE" and "message" in event["d"]:
                    await self._answer_press(event["d"])
                elif event.get("t") == "INTERACTION_CREATE":
                    await self._answer_command(event["d"])

    async def _answer(self, message: dict[str, Any]) -> None:
        if self.silent:
            return
        path = f"/channels/{message['channel_id']}/messages"
        await self._ask("POST", f"/channels/{message['channel_id']}/typing")
        first, *grown = self.reply(message["content"])
        posted = await self._ask("POST", path, {"content": first, "components": self._row()})
        for text in grown:
            await self._ask("PATCH", f"{path}/{posted['id']}", {"content": text})
        await self._end(int(message["id"]))

    async def _answer_command(self, command: dict[str, Any]) -> None:
        if self.silent:
            return
        options = command["data"].get("options", [])
        said = [option["value"] for option in options if option["name"] == "message"]
        text = self.reply(said[0])[-1] if said else "A new conversation begins."
        for target in command["data"].get("resolved", {}).get("messages", {}).values():
            text = f"Because of {target['content']!r}."
        callback = f"/interactions/{command['id']}/{command['token']}/callback"
        await self._ask("POST", callback, {"type": 5})
        original = f"/webhooks/{self._loopback.application_id}/{command['token']}/messages/@original"
        await self._ask("PATCH", original, {"content": text})
        await self._end(int(command["id"]))

    async def _answer_press(self, press: dict[str, Any]) -> None:
        if self.silent:
            return
        callback = f"/interactions/{press['id']}/{press['token']}/callback"
        if self.refusal is not None:
            await self._ask("POST", callback, {"type": 4, "data": {"content": self.refusal, "flags": 64}})
            return
        await self._ask("POST", callback, {"type": 6})
        message = f"/channels/{press['channel_id']}/messages/{press['message']['id']}"
        for text in self.reply(press["data"]["custom_id"]):
            await self._ask("PATCH", message, {"content": text, "components": self._row()})

    def _row(self) -> list[dict[str, Any]]:
        button = {"type": 2, "style": 2, "label": self.button, "custom_id": "pressed"}
        return [{"type": 1, "components": [button]}] if self.button else []

    async def _end(self, question_id: int) -> None:
        async with self._changed:
            self._ended[question_id] = not self.failing
            self._changed.notify_all()

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bot {self._loopback.token}"}
        async with self._session.request(
            method, self._loopback.api_url + path, json=body, headers=headers
        ) as response:
            response.raise_for_status()
            return await response.json() if response.content_type == "application/json" else None


@asynccontextmanager
async def small_bot(loopback: LoopbackDiscord):
    async with aiohttp.ClientSession() as session:
        bot = SmallBot(loopback, session)
        serving = asyncio.create_task(bot.serve())
        try:
            await loopback.until(lambda: (loopback.sessions and loopback.commands) or serving.done())
            yield bot
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
