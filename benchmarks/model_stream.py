"""A model server that answers every question with one fixed text, in fixed pieces, at fixed gaps."""

import asyncio
import json
import re
import time
from dataclasses import dataclass

from aiohttp import web

# The first piece is a sentence: a program that waits for presentable first words has them at once.
FIRST = "The sky is blue because air scatters short waves of light more than long ones."
REST = (
    " Sunlight holds all colours. On its way through the air it meets molecules that are far smaller than its"
    " waves, and these send blue light off in every direction, about five times as much of it as of red. So blue"
    " reaches your eye from everywhere, and you call that the sky. In the evening the light comes a longer way,"
    " most of the blue is gone before it arrives, and what is left is red. Violet is scattered even more, but the"
    " sun sends less of it, and our eyes see it badly."
)
PIECE = 12  # characters
GAP_SECONDS = 0.06
LATENCY_SECONDS = 0.03  # of a Discord request, there and back
LONG = (FIRST, *(REST[start : start + PIECE] for start in range(0, len(REST), PIECE)))
BRIEF = ("Because of the air.",)


@dataclass(kw_only=True)
class Asked:
    """One request; times are `time.monotonic()`."""

    at: float
    messages: int
    first_sent: float = 0.0
    last_sent: float = 0.0


class ModelStream:
    """Questions hold "question N": what was asked and sent is kept by that number."""

    def __init__(self) -> None:
        self.pieces: tuple[str, ...] = BRIEF
        self.asked: dict[int, Asked] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        at = time.monotonic()
        body = await request.json()
        number = int(re.findall(r"question (\d+)", body["messages"][-1]["content"])[-1])
        asked = self.asked.setdefault(number, Asked(at=at, messages=len(body["messages"])))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        asked.first_sent = due = time.monotonic()
        for piece in self.pieces[:-1]:
            await response.write(chunk(piece))
            due += GAP_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        asked.last_sent = time.monotonic()
        if len(self.pieces) == 1:
            asked.first_sent = asked.last_sent
        end = chunk(self.pieces[-1]) + chunk("", finish_reason="stop")
        await response.write(end + usage() + b"data: [DONE]\n\n")
        return response


def chunk(text: str, finish_reason: str | None = None) -> bytes:
    """One server-sent event."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return _event({"choices": [choice]})


def usage() -> bytes:
    return _event({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 150, "total_tokens": 180}})


def _event(body: dict) -> bytes:
    whole = {"id": "bench", "object": "chat.completion.chunk", "created": 0, "model": "gpt-5.4", **body}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"
