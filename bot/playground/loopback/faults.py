"""What can be made to go wrong: requests that fail, and a gateway that misbehaves."""

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from bot.playground.loopback.gateway import Gateway
from bot.playground.loopback.gateway_line import HEARTBEAT, INVALID_SESSION, RECONNECT, GatewayDoor, GatewayLine
from bot.playground.loopback.record import RecordedRequest

What = Literal["status", "rate_limit", "html", "truncated", "reset", "close", "hang"]
When = Literal["before", "after"]


@dataclass(kw_only=True)
class Fault:
    """What happens to the next *times* requests that match, after letting *skip* of them pass.

    *what*: "status" answers with an error body (*errors* tells of its fields), "rate_limit" with a 429 of
    Discord's (*scope* "user", "shared" or "global"), "html" as Cloudflare does, "truncated" with half of the
    JSON; "reset" and "close" end the connection without an answer, "hang" never answers until `release` is
    called. *when*: "after" carries the request out first, so Discord has done what was asked and the client
    does not know.
    """

    method: str
    route: re.Pattern[str]
    times: int
    skip: int = 0
    what: What = "status"
    when: When = "before"
    status: int = 500
    code: int = 0
    message: str = ""
    errors: dict[str, Any] | None = None
    scope: str = "user"
    retry_after: float = 1.0
    matches: Callable[[RecordedRequest], bool] = field(default=lambda _: True)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let the requests that hang go on: they are answered as if nothing had been."""
        self.released.set()

    def takes(self, request: RecordedRequest) -> bool:
        if self.times <= 0 or self.method not in ("*", request.method):
            return False
        hit = self.route.search(request.path) or self.route.search(request.route)
        if not hit or not self.matches(request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Faults:
    def __init__(self, gateway: Gateway, door: GatewayDoor) -> None:
        self._gateway = gateway
        self._door = door
        self._faults: list[Fault] = []

    # -- requests

    def add(
        self,
        method: str,
        route: str,
        *,
        times: int = 1,
        skip: int = 0,
        status: int | None = None,
        what: What = "status",
        when: When = "before",
        code: int = 0,
        message: str = "",
        errors: dict[str, Any] | None = None,
        scope: str = "user",
        retry_after: float = 1.0,
        matches: Callable[[RecordedRequest], bool] = lambda _: True,
    ) -> Fault:
        """Let matching requests fail; see `Fault`. *route* is a regular expression, *method* may be "*"."""
        if status is None:
            status = 502 if what == "html" else 500
        fault = Fault(
            method=method,
            route=re.compile(route),
            times=times,
            skip=skip,
            what=what,
            when=when,
            status=429 if what == "rate_limit" else status,
            code=code,
            message=message or f"{status}: injected",
            errors=errors,
            scope=scope,
            retry_after=retry_after,
            matches=matches,
        )
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        for fault in self._faults:
            fault.release()
        self._faults.clear()

    def take(self, request: RecordedRequest) -> Fault | None:
        return next((fault for fault in self._faults if fault.takes(request)), None)

    # -- the gateway

    def close_gateway(self, code: int = 4000) -> None:
        """Close each connection with this code. 4007, 4009 and 1000 end their sessions, too."""
        for line in self._lines():
            line.hang_up(code)

    def cut_gateway(self) -> None:
        """Lose each connection without a closing word; the sessions can be resumed."""
        for line in self._lines():
            line.cut()

    def ask_to_reconnect(self) -> None:
        """Op 7."""
        for line in self._lines():
            line.say(RECONNECT)

    def ask_for_heartbeats(self) -> None:
        """Op 1, which each connection answers at once."""
        for line in self._lines():
            line.say(HEARTBEAT)

    def invalidate_session(self, *, resumable: bool) -> None:
        """Op 9; unless *resumable*, the session and what it missed are gone."""
        for line in self._lines():
            if not resumable:
                line.end_session()
            line.say(INVALID_SESSION, resumable)

    def refuse_handshakes(self, times: int, *, status: int = 503) -> None:
        """The next connections to the gateway are answered with *status* instead of an upgrade."""
        self._door.refusals.extend([status] * times)

    def use_up_sessions(self, *, left: int) -> None:
        """As if others had begun sessions with this token, all but so many that a day has."""
        while self._door.sessions_left > left:
            self._door.count_session()

    @property
    def drop_heartbeat_acks(self) -> bool:
        return self._door.drop_acks

    @drop_heartbeat_acks.setter
    def drop_heartbeat_acks(self, drop: bool) -> None:
        self._door.drop_acks = drop

    @property
    def event_copies(self) -> int:
        """How often each event is sent, one after the other."""
        return self._gateway.event_copies

    @event_copies.setter
    def event_copies(self, copies: int) -> None:
        self._gateway.event_copies = copies

    def _lines(self) -> list[GatewayLine]:
        return list(self._door.lines)


def end_connection(request: web.Request, *, reset: bool) -> None:
    """Close the client's connection; with *reset* it sees ECONNRESET instead of an orderly end."""
    transport = request.transport
    if transport is None:
        return
    if reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
