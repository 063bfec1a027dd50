"""A REST request's way through the loopback Discord: record, limits, faults, the deed, the answer."""

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from bot.core.ports import Clock
from bot.playground.loopback.changes import Changes
from bot.playground.loopback.faults import Fault, Faults, end_connection
from bot.playground.loopback.rate_limits import RateLimits, exceeded
from bot.playground.loopback.record import RecordedRequest
from bot.playground.loopback.refusals import Refusal, Unauthorized
from bot.playground.loopback.routes import Answer, Call, Route
from bot.playground.loopback.world import Upload

PREFIX = "/api/v10"
MOST_BYTES = 25 * 1024 * 1024
UNKNOWN_ROUTE = "/{unknown}"
VIA = {"Via": "1.1 google"}
CLOUDFLARE = "<!DOCTYPE html><html><head><title>{0}</title></head><body>error code: {0}</body></html>"
MALFORMED = object()


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A request that has come in, whole."""

    request: web.Request
    route: Route
    record: RecordedRequest
    body: Any
    files: list[Upload]


class Rest:
    """*token*: the bot's, changeable while it runs."""

    def __init__(
        self, clock: Clock, changes: Changes, limits: RateLimits, faults: Faults, *, token: str, latency: float
    ) -> None:
        self.token = token
        self.latency = latency
        self.requests: list[RecordedRequest] = []
        self._clock = clock
        self._changes = changes
        self._limits = limits
        self._faults = faults

    def install(self, app: web.Application, routes: list[Route]) -> None:
        for route in routes:
            app.router.add_route(route.method, PREFIX + route.path, self._serving(route))

    def install_fallback(self, app: web.Application) -> None:
        """Whatever else is asked for is recorded, too. To be installed last."""
        unknown = Route(method="*", path=UNKNOWN_ROUTE, act=_not_found, public=True)
        app.router.add_route("*", PREFIX + "/{unknown:.*}", self._serving(unknown))

    def _serving(self, route: Route) -> Any:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, route)

        return serve

    async def _serve(self, request: web.Request, route: Route) -> web.StreamResponse:
        body, files = await _read(request)
        record = RecordedRequest(
            method=request.method,
            path=request.path.removeprefix(PREFIX),
            route=route.path,
            query=dict(request.query),
            body=None if body is MALFORMED else body,
            files=tuple(file.filename for file in files),
            authorized=request.headers.get("Authorization") == f"Bot {self.token}",
            sent_at=self._clock.monotonic(),
        )
        self.requests.append(record)
        arrival = Arrival(request=request, route=route, record=record, body=body, files=files)
        await self._travel()
        record.arrived_at = self._clock.monotonic()
        fault = self._faults.take(record)
        record.fault = None if fault is None else fault.what
        self._changes.notify()
        response = self._answer(arrival) if fault is None else await self._fail(arrival, fault)
        await self._travel()
        self._note(record, response)
        return response

    def _answer(self, arrival: Arrival) -> web.Response:
        answer, headers = self._carry_out(arrival)
        arrival.record.answer = None if isinstance(answer.body, str) else answer.body
        return _response(answer, headers)

    def _carry_out(self, arrival: Arrival) -> tuple[Answer, dict[str, str]]:
        """Everything from here to the answer happens at one moment."""
        if self._limits.banned:
            return Answer(status=429, body=CLOUDFLARE.format(1015)), {}
        route, record, headers = arrival.route, arrival.record, dict[str, str]()
        params = dict(arrival.request.match_info)
        try:
            if not record.authorized and (not route.public or "Authorization" in arrival.request.headers):
                raise Unauthorized
            headers, over = self._limits.enter(route.method, route.path, params)
            if over is not None:
                return Answer(status=429, body=over.body), headers
            if arrival.body is MALFORMED:
                raise Refusal(50109)  # noqa: TRY301 -- all refusals are answered in one place
            call = Call(params=params, query=record.query, body=arrival.body, files=arrival.files)
            return route.act(call), headers
        except Refusal as refusal:
            return Answer(status=refusal.status, body=refusal.body()), headers

    async def _fail(self, arrival: Arrival, fault: Fault) -> web.Response:
        if fault.what == "hang":
            if fault.when == "before":
                await fault.released.wait()
                return self._answer(arrival)
            response = self._answer(arrival)
            await fault.released.wait()
            return response
        answer = self._carry_out(arrival)[0] if fault.when == "after" else None
        match fault.what:
            case "status":
                body = {"message": fault.message, "code": fault.code}
                arrival.record.answer = body if fault.errors is None else {**body, "errors": fault.errors}
                return _response(Answer(status=fault.status, body=arrival.record.answer), {})
            case "rate_limit":
                over = exceeded(fault.retry_after, scope=fault.scope, code=fault.code)
                arrival.record.answer = over.body
                return _response(Answer(status=429, body=over.body), over.headers)
            case "truncated":
                text = json.dumps({"message": "truncated"} if answer is None else answer.body)
                return _json_response(200, text[: len(text) // 2].encode(), {})
            case "reset" | "close":
                end_connection(arrival.request, reset=fault.what == "reset")
        return _html(fault.status)  # which nobody receives where the connection was ended

    async def _travel(self) -> None:
        if self.latency:
            await self._clock.sleep(self.latency / 2)

    def _note(self, record: RecordedRequest, response: web.StreamResponse) -> None:
        record.answered_at = self._clock.monotonic()
        record.headers = {
            name: value
            for name, value in response.headers.items()
            if name.startswith("X-RateLimit") or name in ("Retry-After", "Via")
        }
        record.bucket = record.headers.get("X-RateLimit-Bucket")
        if record.fault not in ("reset", "close"):
            record.status = response.status
        shared = record.headers.get("X-RateLimit-Scope") == "shared"
        self._limits.count_answer(response.status, shared=shared)
        self._changes.notify()


def _not_found(_: Call) -> Answer:
    raise Refusal(0)


def _response(answer: Answer, headers: dict[str, str]) -> web.Response:
    if isinstance(answer.body, str):
        return web.Response(status=answer.status, text=answer.body, content_type="text/html")
    if answer.body is None:
        return web.Response(status=answer.status, headers={**headers, **VIA})
    return _json_response(answer.status, json.dumps(answer.body).encode(), headers)


def _json_response(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    # Exactly this content type, without a charset, or discord.py takes the answer for text.
    return web.Response(status=status, body=body, headers={**headers, **VIA, "Content-Type": "application/json"})


def _html(status: int) -> web.Response:
    return web.Response(status=status, text=CLOUDFLARE.format(status), content_type="text/html")


async def _read(request: web.Request) -> tuple[Any, list[Upload]]:
    """The JSON body and the files that come with it."""
    if request.content_type.startswith("multipart/"):
        form = await request.post()
        payload = form.get("payload_json", "{}")
        files = [
            Upload(filename=field.filename, data=field.file.read(), content_type=field.content_type)
            for field in form.values()
            if isinstance(field, FileField)
        ]
        return _parse("" if isinstance(payload, FileField) else payload), files
    raw = await request.read()
    if not raw:
        return None, []
    if request.content_type != "application/json":
        return MALFORMED, []
    return _parse(raw), []


def _parse(raw: str | bytes | bytearray) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return MALFORMED
