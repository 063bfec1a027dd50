"""An OpenAI-compatible server on loopback that records every request and fails exactly as it is told to.

    async with ModelServer() as server:
        server.answer("The sky scatters blue light.")               # every request from here on
        server.script(Status(429, code="rate_limit_exceeded"), Answer(text="Second try."))  # the next two
        ... OpenAIChatModel(base_url=server.base_url, ...)
        assert server.requests[0]["messages"][-1]["content"] == "Why is the sky blue?"

What each piece waits for is the test's to decide: a `Gate` lets pieces out one by one, a *gap* is slept on
the clock that the server was given.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from bot.core.clock import SystemClock
from bot.core.ports import Clock

MODEL = "gpt-5.4"
USAGE = {
    "prompt_tokens": 21,
    "completion_tokens": 9,
    "total_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
Body = dict[str, Any]


class Gate:
    """Holds an answer's pieces back until the test lets them out."""

    def __init__(self) -> None:
        self._pieces = asyncio.Semaphore(0)
        self._opened = asyncio.Event()

    def let_out(self, pieces: int = 1) -> None:
        for _ in range(pieces):
            self._pieces.release()

    def open(self) -> None:
        """Let everything out, now and later."""
        self._opened.set()
        self._pieces.release()

    async def wait(self) -> None:
        if not self._opened.is_set():
            await self._pieces.acquire()
        if self._opened.is_set():
            self._pieces.release()  # whoever else waits at an open gate


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A streamed answer. Its parts go out in the order of the fields from *text* to *then*."""

    text: str = "All good, how may I help you?"
    chunk: int | None = None  # characters a piece; None: a word a piece
    gate: Gate | None = None  # asked before every piece, and once more before what follows the text
    gap: float = 0  # seconds of the server's clock before every piece
    events: tuple[Body | str, ...] = ()  # after the text, as they are: chunks of one's own, errors, rubbish
    finish_reason: str | None = "stop"  # None: the stream never says that it is over
    usage: Body | None = field(default_factory=lambda: dict(USAGE))  # sent if the request asks for it
    done: bool = True  # the closing [DONE]
    then: Literal["close", "drop", "hold"] = "close"  # end the body, abort the connection, or leave it open

    @classmethod
    def cut_off(cls, text: str, *, then: Literal["close", "drop", "hold"] = "close", **rest: Any) -> Self:
        """Some words, then no end worth the name: an early clean end, a lost connection, or silence."""
        return cls(text=text, finish_reason=None, usage=None, done=False, then=then, **rest)

    @classmethod
    def failed(cls, text: str, *, message: str = "The server had an error", code: str | None = None) -> Self:
        """Some words, then an error event in the middle of the stream."""
        error = {"error": {"message": message, "type": "server_error", "code": code, "param": None}}
        return cls(text=text, events=(error,), finish_reason=None, usage=None, done=False)

    @property
    def pieces(self) -> list[str]:
        if self.chunk is None:
            words = self.text.split(" ")
            return [word + " " for word in words[:-1]] + [word for word in words[-1:] if word]
        return [self.text[start : start + self.chunk] for start in range(0, len(self.text), self.chunk)]


@dataclass(frozen=True)
class Status:
    """An HTTP error instead of an answer. *body* replaces OpenAI's error object."""

    status: int
    code: str | None = None
    message: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | str | None = None


@dataclass(frozen=True)
class Silence:
    """Take the request and say nothing, not even headers, until the client hangs up."""


@dataclass(frozen=True)
class HangUp:
    """Take the request and abort the connection."""


Behaviour = Answer | Status | Silence | HangUp


class ModelServer:
    def __init__(self, *, clock: Clock | None = None, refuses: Iterable[str] = ()) -> None:
        """*refuses* names request fields that get HTTP 400, as from servers that do not know them."""
        self.requests: list[Body] = []
        self.headers: list[Mapping[str, str]] = []
        self.client_ports: list[int] = []  # a request's connection: two of one connection have the same
        self.hang_ups = 0  # answers that the client did not wait for
        self.answering = 0
        self.most_at_once = 0
        self._clock = clock or SystemClock()
        self._refuses = tuple(refuses)
        self._script: deque[Behaviour] = deque()
        self._usual: Callable[[Body], Behaviour] = lambda _: Answer()
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.base_url = ""

    def answer(self, text: str | Callable[[Body], str], **how: Any) -> None:
        """Answer every request that nothing is scripted for; *how* as the fields of Answer."""
        self.behave(lambda body: Answer(text=text if isinstance(text, str) else text(body), **how))

    def behave(self, usually: Callable[[Body], Behaviour]) -> None:
        """Do so at every request that nothing is scripted for."""
        self._usual = usually

    def script(self, *behaviours: Behaviour) -> None:
        """What the next requests get, one each, before the usual answer again."""
        self._script.extend(behaviours)

    async def received(self, count: int) -> None:
        """Wait until *count* requests have come in altogether."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def hung_up(self, count: int = 1) -> None:
        """Wait until the client has left *count* answers."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.hang_ups >= count)

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=64 * 1024**2)
        application.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner:
            await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body: Body = await request.json()
        async with self._changed:
            self.requests.append(body)
            self.headers.append(dict(request.headers))
            self.client_ports.append(request.get_extra_info("peername")[1])
            self._changed.notify_all()
        refused = next((name for name in self._refuses if name in body), None)
        if refused:
            return _error(Status(400, "unsupported_parameter", f"Unsupported parameter: '{refused}'"))

        behaviour = self._script.popleft() if self._script else self._usual(body)
        self.answering += 1
        self.most_at_once = max(self.most_at_once, self.answering)
        try:
            return await self._behave(request, body, behaviour)
        except (asyncio.CancelledError, ConnectionError):
            if not self._closing.is_set():
                async with self._changed:
                    self.hang_ups += 1
                    self._changed.notify_all()
            raise
        finally:
            self.answering -= 1

    async def _behave(self, request: web.Request, body: Body, behaviour: Behaviour) -> web.StreamResponse:
        match behaviour:
            case Status():
                return _error(behaviour)
            case Silence():
                await self._closing.wait()
                return web.Response(status=503)
            case HangUp():
                return _drop(request, web.StreamResponse())
            case Answer() if body.get("stream"):
                return await self._stream(request, body, behaviour)
            case Answer():
                return web.json_response(_completion(behaviour))

    async def _stream(self, request: web.Request, body: Body, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self._say(response, answer)
        await _end(response, answer, usage=bool((body.get("stream_options") or {}).get("include_usage")))
        if answer.then == "hold":
            await self._closing.wait()
        if answer.then == "drop":
            return _drop(request, response)
        await response.write_eof()
        return response

    async def _say(self, response: web.StreamResponse, answer: Answer) -> None:
        await _send(response, _chunk({"role": "assistant", "content": ""}))
        for piece in answer.pieces:
            if answer.gap:
                await self._clock.sleep(answer.gap)
            if answer.gate:
                await answer.gate.wait()
            await _send(response, _chunk({"content": piece}))
        if answer.gate:
            await answer.gate.wait()


def _error(status: Status) -> web.Response:
    body = status.body
    if body is None:
        body = {"error": {"message": status.message, "type": "error", "code": status.code, "param": None}}
    if isinstance(body, str):
        return web.Response(status=status.status, text=body, headers=status.headers)
    return web.json_response(body, status=status.status, headers=status.headers)


def _drop(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return response


async def _end(response: web.StreamResponse, answer: Answer, *, usage: bool) -> None:
    for event in answer.events:
        await _send(response, event)
    if answer.finish_reason:
        await _send(response, _chunk({}, finish_reason=answer.finish_reason))
    if usage and answer.usage:
        await _send(response, {**_chunk({}), "choices": [], "usage": answer.usage})
    if answer.done:
        await _send(response, "[DONE]")


async def _send(response: web.StreamResponse, event: Body | str) -> None:
    data = event if isinstance(event, str) else json.dumps(event)
    await response.write(f"data: {data}\n\n".encode())


def _chunk(delta: Body, *, finish_reason: str | None = None) -> Body:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def _completion(answer: Answer) -> Body:
    message = {"role": "assistant", "content": answer.text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish_reason}],
        "usage": answer.usage,
    }
