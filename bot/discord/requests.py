"""Requests to Discord: each waits for its turn, has a deadline, and ends in a plain fault or in its answer."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import discord
from discord.http import Route

from bot.core.errors import BotError, DiscordUnavailable
from bot.core.ports import Clock
from bot.discord.pacer import Importance, Pacer
from bot.discord.payloads import Body, Button, Content
from bot.discord.refusals import (
    REQUEST_ERRORS,
    FileRefused,
    NotAllowed,
    OutcomeUnknown,
    RefusedMeanwhile,
    translate,
)
from bot.discord.tries import Tries, counting

log = logging.getLogger(__name__)

REQUEST_SECONDS = 60.0
SECONDS_BEFORE_RETRIES = (1.0, 3.0)
SECONDS_TO_CLOSE = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A message of ours, as Discord says it stands. *content* is None where it did not say."""

    message_id: int
    content: str | None
    button: Button | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """A message on its way to Discord. *body* is asked for when its turn has come: latest wins."""

    route: Route
    body: Callable[[], Body]
    importance: Importance = Importance.FINAL
    patient: bool = False  # tried again when it is unknown what became of it
    once: bool = False  # not even the library may repeat it where that is unknown
    heard: asyncio.Future[Posted] | None = None  # how it was told over the gateway
    unless: asyncio.Event | None = None  # set: it is wanted no longer, if its turn has not come


class Requests:
    """Methods raise Undeliverable and DiscordUnavailable."""

    def __init__(self, client: discord.Client, *, clock: Clock, pacer: Pacer) -> None:
        self._client = client
        self._clock = clock
        self._pacer = pacer
        self._under_way: set[asyncio.Task[Any]] = set()

    async def write(self, writing: Writing) -> Posted:
        """The message as Discord answers it, or as it was heard over the gateway, whichever comes first."""
        tries = Tries(once=writing.once)
        for seconds in SECONDS_BEFORE_RETRIES if writing.patient else ():
            try:
                return await self._write_once(writing, tries)
            except OutcomeUnknown as error:
                route = writing.route
                log.info("asking Discord again in %.0f s: %s %s: %s", seconds, route.method, route.path, error)
            await self._clock.sleep(seconds)
        return await self._write_once(writing, tries)

    async def ask(
        self,
        route: Route,
        importance: Importance = Importance.OTHER,
        *,
        params: Mapping[str, int] | None = None,
        body: Body | None = None,
    ) -> Any:
        """A request that posts nothing; it ends with whoever asks."""
        async with self._pacer.turn(route, importance):
            request = self._begin(route, body, params)
            try:
                await asyncio.wait({request})
            except asyncio.CancelledError:
                request.cancel()
                raise
        return _answer(request)

    async def close(self) -> None:
        """Give the requests that the library still holds a moment, then let go of them."""
        if self._under_way:
            try:
                async with self._clock.deadline(SECONDS_TO_CLOSE):
                    await asyncio.wait(self._under_way)
            except TimeoutError:
                log.info("requests let go of: %d", len(self._under_way))
        for request in self._under_way:
            request.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _write_once(self, writing: Writing, tries: Tries) -> Posted:
        heard = writing.heard
        if heard is not None and heard.done():
            return heard.result()
        async with self._pacer.turn(writing.route, writing.importance, unless=writing.unless):
            if heard is not None and heard.done():
                return heard.result()
            # What writes something goes on to its end, whatever becomes of who asked for it.
            body = writing.body()
            with counting(tries):
                request = self._begin(writing.route, body)
            first: set[asyncio.Future[Any]] = {request} if heard is None else {request, heard}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if heard is not None and heard.done():
            return heard.result()  # the request goes on: the library sleeps in it until its bucket refills
        try:
            return _posted(_answer(request))
        except NotAllowed as error:
            if body.file is not None:
                raise FileRefused(str(error)) from error
            if not tries.may_have_been_carried_out:
                raise
            raise RefusedMeanwhile(f"{error}, after another try") from error
        except DiscordUnavailable as error:
            if isinstance(error, OutcomeUnknown) or not tries.may_have_been_carried_out:
                raise
            raise OutcomeUnknown(f"{error}, after another try") from error

    def _begin(
        self, route: Route, body: Body | None, params: Mapping[str, int] | None = None
    ) -> asyncio.Task[object]:
        request = asyncio.create_task(self._request(route, body, params))
        self._under_way.add(request)
        request.add_done_callback(self._ended)
        return request

    async def _request(self, route: Route, body: Body | None, params: Mapping[str, int] | None) -> object:
        http = self._client.http
        async with self._clock.deadline(REQUEST_SECONDS):
            if body is None:
                return await http.request(route, params=params)
            if body.file is None:
                return await http.request(route, json=body.json)
            return await http.request(route, form=body.form(body.file))

    def _ended(self, request: asyncio.Task[Any]) -> None:
        self._under_way.discard(request)
        if not request.cancelled() and (error := request.exception()) is not None:
            log.debug("a request ended with %s", type(error).__name__)


def _answer(request: asyncio.Task[object]) -> object:
    try:
        return request.result()
    except BotError:
        raise
    except REQUEST_ERRORS as error:
        raise translate(error) from error


def _posted(answer: object) -> Posted:
    if not isinstance(answer, dict) or "id" not in answer:
        raise OutcomeUnknown("the answer was no message")
    return Posted(message_id=int(answer["id"]), content=answer.get("content"))


def as_sent(posted: Posted, sent: Content) -> Posted:
    """*posted* with our own words, where Discord's differ in white space at the ends or were not told."""
    if posted.content is None or posted.content.strip() == sent.text.strip():
        return Posted(message_id=posted.message_id, content=sent.text, button=sent.button)
    return posted
