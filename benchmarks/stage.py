"""The child process that everything measured talks to: a Discord 30 ms away, and a model server.

It asks the questions and holds the clock, so that every program is measured alike and none shares its event loop.
"""

import asyncio
import time
from typing import Any

from aiohttp import web

from benchmarks.model_stream import BRIEF, LATENCY_SECONDS, LONG, Asked, ModelStream
from benchmarks.serving import serve
from bot.playground.loopback import LoopbackDiscord

PATIENCE_SECONDS = 30


class Stage:
    def __init__(self, discord: LoopbackDiscord, model: ModelStream) -> None:
        self._discord = discord
        self._model = model
        self._questions = 0
        self._author = discord.user("you")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._model.answer),
            web.post("/stage/ask", self._ask),
        ]

    async def _ask(self, request: web.Request) -> web.Response:
        """Ask a question in each channel, so many seconds apart, and wait for the answers: what came when."""
        asked = await request.json()
        self._model.pieces = LONG if asked["text"] == "long" else BRIEF
        wanted = "".join(self._model.pieces)
        self._discord.requests.clear()
        sent = {}
        for channel_id in asked["channels"]:
            self._questions += 1
            question = f"<@{self._discord.bot_user.id}> Why is the sky blue? This is question {self._questions}"
            sent[channel_id] = (self._questions, time.monotonic())
            await self._discord.post(self._discord.world.channels[channel_id], self._author, question)
            await asyncio.sleep(asked["seconds_apart"])

        def all_stand() -> bool:
            shown = (self._discord.messages(self._discord.world.channels[channel_id]) for channel_id in sent)
            return all(messages and wanted in messages[-1].content for messages in shown)

        try:
            await self._discord.until(all_stand, seconds=PATIENCE_SECONDS)
        except TimeoutError as late:
            return web.json_response({"error": str(late)}, status=504)
        return web.json_response(
            [
                self._measured(channel_id, self._model.asked[number], at, wanted)
                for channel_id, (number, at) in sent.items()
            ]
        )

    def _measured(self, channel_id: int, asked: Asked, question_at: float, wanted: str) -> dict[str, Any]:
        """Milliseconds; see README.md for what each means."""
        writes = [
            (request.arrived_at, request.body["content"])
            for request in self._discord.requests
            if request.path.startswith(f"/channels/{channel_id}/messages")
            and request.method in ("POST", "PATCH")
            and request.status != 429
            and request.arrived_at
        ]
        first = min(at for at, content in writes if content.strip())
        final = min(at for at, content in writes if wanted in content)
        return {
            "request": (asked.at - question_at) * 1000,
            "request_at": asked.at,
            "first": (first - asked.first_sent) * 1000,
            "final": (final - asked.last_sent) * 1000,
            "messages": asked.messages,
            "writes": len(writes),
            "refused": sum(request.status == 429 for request in self._discord.requests),
        }


async def main() -> None:
    model = ModelStream()
    async with LoopbackDiscord(latency=LATENCY_SECONDS) as discord:
        await serve(discord, Stage(discord, model).routes(), largest_request=2**24)


asyncio.run(main())
