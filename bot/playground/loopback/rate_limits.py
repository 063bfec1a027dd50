"""Discord's rate limits: buckets a channel, 50 requests a second over all, and the ban for invalid ones.

Discord does not publish the buckets' sizes; these are the ones that people have measured. Interaction
endpoints are exempt from the limit over all (Discord's documentation, "Rate Limits").
"""

import hashlib
import math
from collections import deque
from dataclasses import dataclass

from bot.core.messages import snowflake_time
from bot.core.ports import Clock
from bot.playground.loopback.refusals import Json

GLOBAL_REQUESTS, GLOBAL_SECONDS = 50, 1.0
INVALID_REQUESTS, INVALID_SECONDS = 10_000, 600.0
INVALID_STATUSES = (401, 403, 429)
YOUNG_SECONDS, OLD_SECONDS, EDITED_LATE_SECONDS = 10.0, 14 * 86_400.0, 3600.0
EDITED_LATE_CODE = 30046
RATE_LIMITED = "You are being rate limited."

ONE_MESSAGE = "/channels/{channel_id}/messages/{message_id}"


@dataclass(frozen=True, kw_only=True)
class Limit:
    name: str
    requests: int
    seconds: float

    @property
    def bucket(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()[:32]


POST = Limit(name="post message", requests=5, seconds=5.0)
EDIT = Limit(name="edit message", requests=5, seconds=5.0)
LATE_EDIT = Limit(name="edit message late", requests=3, seconds=6.0)
DELETE = Limit(name="delete message", requests=5, seconds=1.0)
YOUNG_DELETE = Limit(name="delete young message", requests=3, seconds=1.0)
OLD_DELETE = Limit(name="delete old message", requests=30, seconds=120.0)
TYPING = Limit(name="typing", requests=5, seconds=5.0)
READ = Limit(name="read messages", requests=5, seconds=1.0)
WEBHOOK = Limit(name="webhook", requests=5, seconds=2.0)
BY_ROUTE = {
    ("POST", "/channels/{channel_id}/messages"): POST,
    ("GET", "/channels/{channel_id}/messages"): READ,
    ("GET", ONE_MESSAGE): READ,
    ("PATCH", ONE_MESSAGE): EDIT,
    ("POST", "/channels/{channel_id}/typing"): TYPING,
    ("POST", "/webhooks/{webhook_id}/{webhook_token}"): WEBHOOK,
}
MAJOR_PARAMETERS = ("channel_id", "guild_id", "webhook_id", "webhook_token", "interaction_token")


@dataclass(frozen=True, kw_only=True)
class Exceeded:
    """A 429's body and headers."""

    body: Json
    headers: dict[str, str]


@dataclass(kw_only=True)
class Window:
    """It opens with its first request."""

    ends_at: float
    used: int = 0


class RateLimits:
    def __init__(self, clock: Clock, *, enabled: bool) -> None:
        self.enabled = enabled
        self._clock = clock
        self._windows: dict[tuple[str, str], Window] = {}
        self._all: deque[float] = deque()
        self._invalid: deque[float] = deque()

    @property
    def invalid_requests(self) -> int:
        """Those of the last ten minutes that were answered 401, 403 or 429."""
        return _recent(self._invalid, self._clock.monotonic() - INVALID_SECONDS)

    @property
    def banned(self) -> bool:
        return self.enabled and self.invalid_requests >= INVALID_REQUESTS

    def count_answer(self, status: int, *, shared: bool) -> None:
        if status in INVALID_STATUSES and not shared:
            self._invalid.append(self._clock.monotonic())

    def enter(self, method: str, route: str, params: dict[str, str]) -> tuple[dict[str, str], Exceeded | None]:
        """Count a request: its answer's headers, and the 429 if it was one too many."""
        if not self.enabled:
            return {}, None
        exempt = route.startswith(("/interactions/", "/webhooks/"))
        if not exempt and (over := self._enter_global()) is not None:
            return over.headers, over
        limit = _limit(method, route, self._age(params))
        major = "/".join(params[name] for name in MAJOR_PARAMETERS if name in params)
        if limit is EDIT and self._age(params) > EDITED_LATE_SECONDS:
            late = self._window(LATE_EDIT, major)
            if late.used >= LATE_EDIT.requests:
                return self._exceeded(LATE_EDIT, late, code=EDITED_LATE_CODE)
            late.used += 1
        window = self._window(limit, major)
        if window.used >= limit.requests:
            return self._exceeded(limit, window)
        window.used += 1
        return self._headers(limit, window), None

    def _exceeded(self, limit: Limit, window: Window, *, code: int = 0) -> tuple[dict[str, str], Exceeded]:
        headers = self._headers(limit, window)
        over = exceeded(window.ends_at - self._clock.monotonic(), scope="user", code=code, headers=headers)
        return over.headers, over

    def _enter_global(self) -> Exceeded | None:
        now = self._clock.monotonic()
        if _recent(self._all, now - GLOBAL_SECONDS) >= GLOBAL_REQUESTS:
            return exceeded(self._all[0] + GLOBAL_SECONDS - now, scope="global")
        self._all.append(now)
        return None

    def _window(self, limit: Limit, major: str) -> Window:
        now = self._clock.monotonic()
        window = self._windows.get((limit.name, major))
        if window is None or window.ends_at <= now:
            window = self._windows[limit.name, major] = Window(ends_at=now + limit.seconds)
        return window

    def _headers(self, limit: Limit, window: Window) -> dict[str, str]:
        after = max(0.0, window.ends_at - self._clock.monotonic())
        return {
            "X-RateLimit-Limit": str(limit.requests),
            "X-RateLimit-Remaining": str(limit.requests - window.used),
            "X-RateLimit-Reset": f"{self._clock.now().timestamp() + after:.3f}",
            "X-RateLimit-Reset-After": f"{after:.3f}",
            "X-RateLimit-Bucket": limit.bucket,
        }

    def _age(self, params: dict[str, str]) -> float:
        message_id = params.get("message_id", "")
        if not message_id.isdecimal():
            return 0.0
        return (self._clock.now() - snowflake_time(int(message_id))).total_seconds()


def exceeded(retry_after: float, *, scope: str, code: int = 0, headers: dict[str, str] | None = None) -> Exceeded:
    """A 429 of *scope* "user", "shared" or "global"."""
    retry_after = round(max(retry_after, 0.001), 3)
    all_headers = {
        **(headers or {}),
        "Retry-After": str(math.ceil(retry_after)),
        "X-RateLimit-Scope": scope,
    }
    if scope == "global":
        all_headers["X-RateLimit-Global"] = "true"
    body: Json = {
        "message": RATE_LIMITED,
        "retry_after": retry_after,
        "global": scope == "global",
        "code": code,
    }
    return Exceeded(body=body, headers=all_headers)


def _limit(method: str, route: str, age: float) -> Limit:
    if (method, route) == ("DELETE", ONE_MESSAGE):
        if age < YOUNG_SECONDS:
            return YOUNG_DELETE
        return OLD_DELETE if age > OLD_SECONDS else DELETE
    return BY_ROUTE.get((method, route)) or Limit(name=f"{method} {route}", requests=5, seconds=1.0)


def _recent(times: deque[float], since: float) -> int:
    while times and times[0] <= since:
        times.popleft()
    return len(times)
