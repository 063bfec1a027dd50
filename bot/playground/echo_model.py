"""An OpenAI-compatible server that repeats what it is told: for platforms without the local model."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from bot.core.clock import SystemClock
from bot.core.ports import Clock
from bot.core.tokens import estimate_tokens

MODEL = "echo"
SECONDS_BETWEEN_WORDS = 0.04  # about as fast as a model writes


@asynccontextmanager
async def serve_echo(*, clock: Clock | None = None) -> AsyncIterator[str]:
    """The base URL of the server."""
    application = web.Application(client_max_size=64 * 1024**2)
    application.router.add_post("/v1/chat/completions", _Echo(clock or SystemClock()).complete)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/v1"
    finally:
        await runner.cleanup()


class _Echo:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Always a stream: the bot asks for nothing else."""
        asked: list[Mapping[str, str]] = (await request.json())["messages"]
        answer = f"You said: {asked[-1]['content']}"

        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, word in enumerate(answer.split(" ")):
            await self._clock.sleep(SECONDS_BETWEEN_WORDS)
            await _send(response, _chunk({"content": f" {word}" if number else word}))
        await _send(response, _chunk({}, finish_reason="stop"))
        await _send(response, {**_chunk({}), "choices": [], "usage": _usage(asked, answer)})
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


async def _send(response: web.StreamResponse, chunk: Mapping[str, Any]) -> None:
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


def _chunk(delta: Mapping[str, str], *, finish_reason: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-echo",
        "object": "chat.completion.chunk",
        "model": MODEL,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def _usage(asked: list[Mapping[str, str]], answer: str) -> dict[str, int]:
    prompt = sum(estimate_tokens(message["content"]) for message in asked)
    completion = estimate_tokens(answer)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
