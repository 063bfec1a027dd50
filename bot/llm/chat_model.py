"""Chat completions, of OpenAI and of whatever else speaks them, as the core's ChatModel."""

import asyncio
import ipaddress
import logging
import re
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from aiohttp import ClientSession
from openai import APIStatusError, AsyncOpenAI, AsyncStream, DefaultAioHttpClient, Timeout
from pydantic_core import to_json

from bot.connections import NewestFirst
from bot.core.completions import Delta, Finished, FinishReason, Prompt, Usage
from bot.core.errors import ContextTooLong, ModelError, ModelKeyRefused, ModelUnavailable, RequestRejected
from bot.llm.chunks import Chunk, read_chunk
from bot.llm.dialect import Dialect
from bot.llm.errors import PROVIDER_FAILURES, translate

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_HOST = re.compile(r"([a-z]{2}\.)?api\.openai\.com")  # a region may stand in front
CONNECT_SECONDS = 10.0
SECONDS_BETWEEN_CALLS = 5.0  # that a connection is kept for; servers of one's own close theirs about then
READ_SECONDS = 600.0  # between two pieces; the core's deadlines are the ones that count
SECONDS_FOR_USAGE = 2.0  # after finish_reason: some servers leave the stream open for good

_END = object()
_log = logging.getLogger(__name__)


class OpenAIChatModel:
    def __init__(
        self,
        *,
        model: str,
        api_key: str | None,
        base_url: str | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        seconds_for_usage: float = SECONDS_FOR_USAGE,
    ) -> None:
        """Servers of one's own need no *api_key*. *base_url* None: OpenAI's."""
        url = base_url or OPENAI_URL
        self._model = model
        self._seconds_for_usage = seconds_for_usage
        self._dialect = Dialect(cache_retention=bool(OPENAI_HOST.fullmatch(urlsplit(url).hostname or "")))
        timeout = Timeout(read_seconds, connect=connect_seconds)
        self._client = AsyncOpenAI(
            api_key=api_key or "none",
            base_url=url,
            max_retries=0,
            timeout=timeout,
            http_client=_http_client(url, timeout),
        )

    @property
    def name(self) -> str:
        return self._model

    @property
    def dialect(self) -> Dialect:
        """What the server was found to understand, so far."""
        return self._dialect

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.close()

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Finished, None]:
        """Ask once; pieces of text, then Finished as the last item. Raises ModelError; never retries."""
        reason: FinishReason | None = None
        refused = False
        usage = Usage()
        async with await self._ask(prompt) as events:
            # Usage comes behind finish_reason, and from some servers more text does.
            while chunk := await (self._next_chunk(events) if reason is None else self._afterword(events)):
                if chunk.text:
                    yield Delta(text=chunk.text)
                reason = chunk.finish_reason or reason
                refused = refused or chunk.refused
                usage = chunk.usage or usage
        if reason is None:
            raise ModelUnavailable("the stream ended without finish_reason")
        yield Finished(reason=FinishReason.REFUSED if refused else reason, usage=usage)

    async def _ask(self, prompt: Prompt) -> AsyncStream[object]:
        """The response's events. A server that refuses our dialect is asked again at once in its own."""
        dialect = known = self._dialect
        while True:
            body = dialect.body(prompt, model=self._model)
            try:
                events = await self._post(body)
            except PROVIDER_FAILURES as error:
                failure = translate(error)
                if not isinstance(error, APIStatusError) or isinstance(failure, ContextTooLong):
                    raise failure from error
                other = dialect.after(error)
                if other == dialect and isinstance(failure, RequestRejected):
                    other = dialect.without_extras()
                if other.body(prompt, model=self._model) == body:
                    raise failure from error
                dialect = other
            else:
                if dialect != known:
                    self._dialect = dialect
                return events

    async def _post(self, body: dict[str, object]) -> AsyncStream[object]:
        # Not chat.completions.create(): its typed transform of 200 turns blocks the loop for 30 to 50 ms, and
        # making a pydantic model of every chunk takes two thirds of what a stream costs. pydantic's JSON takes a
        # fifth of the time of Python's, where all strings are plain ones.
        try:
            return await self._client.post(
                "/chat/completions",
                cast_to=object,
                content=to_json(body),
                stream=True,
                stream_cls=AsyncStream[object],
            )
        except UnicodeEncodeError as error:
            raise ModelKeyRefused("the key holds characters that an HTTP header cannot carry") from error

    async def _next_chunk(self, events: AsyncStream[object]) -> Chunk | None:
        try:
            data = await anext(events, _END)
        except PROVIDER_FAILURES as error:
            raise translate(error) from error
        return None if data is _END else read_chunk(data)

    async def _afterword(self, events: AsyncStream[object]) -> Chunk | None:
        """What comes after finish_reason: the answer is complete, so nothing here is a fault or worth a wait."""
        try:
            async with asyncio.timeout(self._seconds_for_usage):
                return await self._next_chunk(events)
        except (TimeoutError, ModelError) as error:
            _log.debug("the stream of a complete answer did not end properly: %s", type(error).__name__)
            return None


def _http_client(url: str, timeout: Timeout) -> DefaultAioHttpClient:
    # A proxy from the environment does not lead back to this machine.
    client = DefaultAioHttpClient(timeout=timeout, trust_env=not is_loopback(url))
    # A transport given to it from outside would do away with the environment's proxies.
    transport: Any = client._transport  # noqa: SLF001
    transport.client = lambda: ClientSession(
        connector=NewestFirst(limit=0, keepalive_timeout=SECONDS_BETWEEN_CALLS, ssl=transport.ssl_context)
    )
    return client


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
