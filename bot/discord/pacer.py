"""Every request waits here for its turn, so that Discord never has to say 429.

Two limits hold for each request: that of its bucket, which its answers tell, and the token's limit over all. In
each bucket one request stays in reserve for what an answer needs to stand.

What waits goes by importance, then by age. Responses to interactions are exempt from the limit over all
(Discord, "Rate Limits"), and acknowledgements from everything.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from types import SimpleNamespace
from typing import Any, NamedTuple

import aiohttp
from discord.http import Route

from bot.core.clock import wait_at_most
from bot.core.errors import DiscordUnavailable
from bot.core.ports import Clock
from bot.discord.buckets import NEVER, Bucket, Key, key_of, new_bucket
from bot.discord.invalid_requests import InvalidRequests
from bot.discord.limit_over_all import LimitOverAll
from bot.discord.refusals import TOO_MANY_REQUESTS, UNAUTHORIZED
from bot.discord.tries import NO_RESPONSE, try_begins, try_ended

log = logging.getLogger(__name__)

BUCKETS_KEPT = 1_000  # before idle ones are forgotten
SECONDS_WITHOUT_ADVICE = 60.0  # after a refusal that does not say how long it lasts


class Importance(IntEnum):
    """What goes first of the requests that wait."""

    FINAL = 0  # an answer's wanted text
    FIRST = 1  # its first words
    NOTICE = 2  # a plain sentence
    OTHER = 3  # commands registered, drafts deleted, channels read
    DRAFT = 4  # an answer growing
    TYPING = 5


_PUT_OFF = (Importance.DRAFT, Importance.TYPING)


class Slot:
    """The right to make one request now."""

    __slots__ = ("bucket", "exempt", "importance", "key", "started")

    def __init__(self, key: Key, bucket: Bucket, importance: Importance) -> None:
        self.key = key
        self.bucket = bucket
        self.importance = importance
        self.exempt = key[1].startswith("/webhooks/")  # from the limit over all
        self.started = False

    @property
    def can_wait(self) -> bool:
        return self.importance in _PUT_OFF


class GaveUpItsTurn(DiscordUnavailable):
    """The request was wanted no longer before its turn came."""


class _LineKey(NamedTuple):
    importance: Importance
    exempt: bool  # from the limit over all


@dataclass(slots=True, eq=False)
class _Waiting:
    slot: Slot
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def line(self) -> _LineKey:
        return _LineKey(self.slot.importance, self.slot.exempt)


_slot: ContextVar[Slot | None] = ContextVar("slot", default=None)


class Pacer:
    """The budget of one token.

    `turn` is waited for by who is about to make a request. The library's own retries, and its requests that
    nobody paid for, wait in `trace`, which the client is made with.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[Key, Bucket] = {}
        # In the order in which they go. The limit over all closes a whole line: nobody in it is looked at then.
        self._lines: dict[_LineKey, deque[_Waiting]] = {
            _LineKey(importance, exempt): deque() for importance in Importance for exempt in (False, True)
        }
        self._over_all = LimitOverAll()
        self._buckets_worth_a_look = BUCKETS_KEPT
        self.invalid = InvalidRequests(clock)
        self.token_doubted = asyncio.Event()  # one request was refused: whether all are is to be asked
        self.token_refused = asyncio.Event()  # the bot's own, not a command's: nothing goes out any more
        self._changed = asyncio.Event()
        self._server: asyncio.Task[None] | None = None
        self.counts: Counter[tuple[str, str, int]] = Counter()  # by method, route and status

    def made_before(self, requests: int) -> None:
        """Count requests that were made a moment ago, when nobody asked the pacer."""
        self._over_all.made(self._clock.monotonic(), requests)

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return sum(map(len, self._lines.values()))

    @property
    def at_leisure(self) -> bool:
        """There is room for what is merely nice to have, such as typing."""
        return not self.waiting and self._over_all.has_room_for_drafts(self._clock.monotonic())

    @asynccontextmanager
    async def turn(
        self, route: Route, importance: Importance, *, unless: asyncio.Event | None = None
    ) -> AsyncIterator[None]:
        """Wait for the turn of one request, to be made within the block; a block that makes none costs nothing.

        Raises GaveUpItsTurn once *unless* is set, and DiscordUnavailable.
        """
        slot = await self._acquire(route.method, route.url, importance, unless)
        token = _slot.set(slot)
        try:
            yield
        finally:
            _slot.reset(token)
            if not slot.started:
                self._give_back(slot)

    def trace(self) -> aiohttp.TraceConfig:
        """What `discord.Client(http_trace=…)` takes."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._request_starts)
        trace.on_request_end.append(self._request_ends)
        trace.on_request_exception.append(self._request_fails)
        return trace

    async def close(self) -> None:
        if self._server is not None:
            self._server.cancel()
            await asyncio.gather(self._server, return_exceptions=True)

    # The library's requests

    async def _request_starts(
        self, _session: object, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams
    ) -> None:
        url = str(request.url)
        context.key = key_of(request.method, url) if url.startswith(Route.BASE) else None
        context.slot = None
        try_begins()
        if context.key is None or "/interactions/" in url:
            return
        slot = _slot.get()
        if slot is None or slot.started:
            slot = await self._acquire(request.method, url, slot.importance if slot else Importance.OTHER)
        slot.started = True
        context.slot, context.key = slot, slot.key

    async def _request_ends(
        self, _session: object, context: SimpleNamespace, request: aiohttp.TraceRequestEndParams
    ) -> None:
        if context.key is None:
            return
        status, headers = request.response.status, request.response.headers
        try_ended(status)
        method, route, _ = context.key
        self.counts[method, route, status] += 1
        self.invalid.note(status, headers)
        if status == UNAUTHORIZED and not route.startswith(("/webhooks/", "/interactions/")):
            self.token_doubted.set()
        now = self._clock.monotonic()
        if status == TOO_MANY_REQUESTS:
            self._refused(context.key, headers, now=now)
        slot: Slot | None = context.slot
        if slot is not None:
            if status != TOO_MANY_REQUESTS:
                slot.bucket.learn(headers, now=now)
            self._respond(slot, now=now)

    async def _request_fails(
        self, _session: object, context: SimpleNamespace, _request: aiohttp.TraceRequestExceptionParams
    ) -> None:
        try_ended(NO_RESPONSE)
        slot: Slot | None = context.slot
        if slot is not None:
            now = self._clock.monotonic()
            slot.bucket.use_up(now=now)  # it may have arrived
            self._respond(slot, now=now)

    # Slots

    async def _acquire(
        self, method: str, url: str, importance: Importance, unless: asyncio.Event | None = None
    ) -> Slot:
        if self.invalid.too_many.is_set():
            raise DiscordUnavailable("too many requests were refused: one more might get this machine banned")
        if self.token_refused.is_set():
            raise DiscordUnavailable("the token is refused")
        key = key_of(method, url, now=self._clock.now())
        bucket = self._bucket(key)
        waiting = _Waiting(Slot(key, bucket, importance))
        self._lines[waiting.line].append(waiting)
        self._grant()
        if waiting.granted.done():
            return waiting.slot
        self._serve()
        try:
            await _first_of(waiting.granted, unless)
        except asyncio.CancelledError:
            self._leave(waiting)
            raise
        if not waiting.granted.done():
            self._leave(waiting)
            raise GaveUpItsTurn("it was wanted no longer")
        return waiting.slot

    def _leave(self, waiting: _Waiting) -> None:
        if waiting.granted.done() and not waiting.granted.cancelled():
            self._give_back(waiting.slot)
        else:
            self._lines[waiting.line].remove(waiting)

    def _grant(self) -> float | None:
        """Grant what may go now. Seconds until more may, None where only a response can change that."""
        now = self._clock.monotonic()
        soonest = min(
            (self._grant_line(key, line, now) for key, line in self._lines.items() if line), default=NEVER
        )
        return soonest - now if soonest < NEVER else None

    def _grant_line(self, key: _LineKey, line: deque[_Waiting], now: float) -> float:
        """Grant what may go now of those who wait in one line; when the next of them may."""
        soonest, reserve = NEVER, int(key.importance > Importance.FIRST)
        for waiting in tuple(line):
            slot = waiting.slot
            opens_at = self._over_all.opens_at(now, exempt=slot.exempt, can_wait=slot.can_wait)
            if opens_at > now:
                return min(soonest, opens_at)
            opens_at = slot.bucket.opens_at(now, reserve=reserve)
            if opens_at > now:
                soonest = min(soonest, opens_at)
                continue
            line.remove(waiting)
            slot.bucket.under_way += 1
            self._over_all.granted(now, exempt=slot.exempt, can_wait=slot.can_wait)
            waiting.granted.set_result(None)
        return soonest

    def _respond(self, slot: Slot, *, now: float) -> None:
        slot.bucket.under_way -= 1
        self._over_all.responded(now, exempt=slot.exempt, can_wait=slot.can_wait)
        self._changed.set()

    def _give_back(self, slot: Slot) -> None:
        slot.started = True  # whoever still means to use it waits for another
        slot.bucket.under_way -= 1
        self._over_all.given_back(exempt=slot.exempt)
        self._changed.set()

    def _serve(self) -> None:
        self._changed.set()
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._grant_in_time(), name="pacer")

    async def _grant_in_time(self) -> None:
        while True:
            self._changed.clear()
            seconds = self._grant()
            if not self.waiting:
                return
            if seconds is None:
                await self._changed.wait()
                continue
            await wait_at_most(self._changed, seconds, clock=self._clock)

    def _bucket(self, key: Key) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._buckets_worth_a_look:
                self._forget_idle_buckets()
            bucket = self._buckets[key] = new_bucket(key)
        return bucket

    def _forget_idle_buckets(self) -> None:
        now = self._clock.monotonic()
        wanted = {waiting.slot.key for line in self._lines.values() for waiting in line}
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if bucket.under_way or key in wanted or now < max(bucket.resets_at or 0.0, bucket.blocked_until)
        }
        self._buckets_worth_a_look = max(BUCKETS_KEPT, 2 * len(self._buckets))

    # Refusals

    def _refused(self, key: Key, headers: Mapping[str, str], *, now: float) -> None:
        """A 429 all the same: somebody else's requests, a limit that nobody told, or Cloudflare's."""
        until = now + _retry_after(headers)
        scope = headers.get("X-RateLimit-Scope", "user") if "Via" in headers else "Cloudflare"
        if scope == "Cloudflare":
            self._over_all.shut_out(until=until)
        elif scope == "global":
            self._over_all.pause(until=until)
        else:
            bucket = self._bucket(key)
            bucket.blocked_until = max(bucket.blocked_until, until)
        log.warning("Discord said 429 (%s): %s %s, for %.1f s", scope, key[0], key[1], until - now)


async def _first_of(granted: asyncio.Future[None], unless: asyncio.Event | None) -> None:
    # Unlike a plain await, waiting leaves a future alone when it is cancelled.
    if unless is None:
        await asyncio.wait({granted})
        return
    given_up = asyncio.ensure_future(unless.wait())
    first: set[asyncio.Future[Any]] = {granted, given_up}
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    finally:
        given_up.cancel()


def _retry_after(headers: Mapping[str, str]) -> float:
    try:
        return max(float(headers["Retry-After"]), 0.0)
    except (KeyError, ValueError):
        return SECONDS_WITHOUT_ADVICE
