"""Discord's rate-limit buckets: which one a request is of, and how much is left of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from discord.http import Route

from bot.core.messages import snowflake_time

ASSUMED_LIMIT, ASSUMED_SECONDS = 5, 5.0  # of a bucket that no answer has told of yet; the smallest one known
SECONDS_AFTER_RESET = 0.01
NEVER = float("inf")

# An edit of an older message has a smaller bucket besides, which no answer tells of.
LATE_EDIT_AGE, LATE_EDIT_LIMIT, LATE_EDIT_SECONDS = 3600.0, 3, 6.0
# So have deletions of messages that are young and old; their answers tell, but one route's keep changing.
YOUNG_AGE, OLD_AGE = 10.0, 14 * 86_400.0

Key = tuple[str, str, str]  # method, route with {id} for ids, and the channel or token that has the bucket

_ID = re.compile(r"/\d{15,20}(?=/|$)")
_INTERACTION = re.compile(r"^/interactions/[^/]+/[^/]+")
_WEBHOOK = re.compile(r"^/webhooks/[^/]+/([^/]+)")
_MESSAGE = re.compile(r"/messages/(\d+)$")
_LATE, _YOUNG, _OLD = " (late)", " (young)", " (old)"


@dataclass(slots=True, eq=False)
class Bucket:
    """What is left of one bucket, as far as is known."""

    limit: int = ASSUMED_LIMIT
    remaining: int = ASSUMED_LIMIT
    resets_at: float | None = None
    under_way: int = 0
    blocked_until: float = 0.0  # by a 429 of its own
    known: bool = False  # its size is not for its answers to tell

    def opens_at(self, now: float, *, reserve: int) -> float:
        """When its next request may go: *now* or earlier at once, infinity if that takes a response."""
        if now < self.blocked_until:
            return self.blocked_until
        self._reset(now)
        if self.remaining - self.under_way > min(reserve, self.limit - 1):
            return now
        return NEVER if self.resets_at is None else self.resets_at

    def learn(self, headers: Mapping[str, str], *, now: float) -> None:
        """What a response says of its bucket; without such headers it has none."""
        try:
            limit = int(headers["X-RateLimit-Limit"])
            remaining = int(headers["X-RateLimit-Remaining"])
            resets_at = now + float(headers["X-RateLimit-Reset-After"]) + SECONDS_AFTER_RESET
        except (KeyError, ValueError):
            return
        if self.known:
            self.use_up(now=now)
            return
        self._reset(now)
        if self.resets_at is not None and limit == self.limit:
            # Answers from one window may come in any order: the one that leaves less is the later.
            self.remaining, self.resets_at = min(self.remaining, remaining), max(self.resets_at, resets_at)
        else:
            self.limit, self.remaining, self.resets_at = limit, remaining, resets_at

    def use_up(self, *, now: float) -> None:
        """Count a request of whose counting no answer tells."""
        self._reset(now)
        self.remaining -= 1
        if self.resets_at is None:
            self.resets_at = now + (LATE_EDIT_SECONDS if self.known else ASSUMED_SECONDS)

    def _reset(self, now: float) -> None:
        if self.resets_at is not None and now >= self.resets_at:
            self.remaining, self.resets_at = self.limit, None


def new_bucket(key: Key) -> Bucket:
    if key[1].endswith(_LATE):
        return Bucket(LATE_EDIT_LIMIT, LATE_EDIT_LIMIT, known=True)
    return Bucket()


def key_of(method: str, url: str, *, now: datetime | None = None) -> Key:
    """The bucket of a request; with *now*, that of its message's age, where ages have buckets of their own."""
    path = url.removeprefix(Route.BASE).partition("?")[0]
    if webhook := _WEBHOOK.match(path):
        return method, _ID.sub("/{id}", _WEBHOOK.sub("/webhooks/{id}/{token}", path)), webhook[1]
    major = path.split("/")[2] if path.startswith(("/channels/", "/guilds/")) else ""
    route = _ID.sub("/{id}", _INTERACTION.sub("/interactions/{id}/{token}", path))
    return method, route + (_age_class(method, path, now) if now else ""), major


def _age_class(method: str, path: str, now: datetime) -> str:
    message = _MESSAGE.search(path)
    if message is None or method not in ("PATCH", "DELETE"):
        return ""
    age = (now - snowflake_time(int(message[1]))).total_seconds()
    if method == "PATCH":
        return _LATE if age > LATE_EDIT_AGE else ""
    return _YOUNG if age < YOUNG_AGE else _OLD if age > OLD_AGE else ""
