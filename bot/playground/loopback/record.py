"""What was asked of the loopback Discord: every request, and every hello on the gateway."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(kw_only=True)
class RecordedRequest:
    """One REST request. Times are the clock's monotonic seconds; the last four come with the answer.

    *route* is the path's template as in Discord's OpenAPI description. *sent_at* is when it left the client,
    *arrived_at* (half the latency later) when Discord acted on it, *answered_at* when the answer was back.
    """

    method: str
    path: str
    route: str
    query: dict[str, str]
    body: Any = None
    files: tuple[str, ...] = ()
    authorized: bool = False
    sent_at: float
    arrived_at: float | None = None
    answered_at: float | None = None
    status: int | None = None
    answer: Any = None
    bucket: str | None = None
    fault: str | None = None
    headers: dict[str, str] = field(default_factory=dict)  # the answer's, about rate limits

    def is_to(self, method: str, route: str) -> bool:
        return self.method == method and self.route == route


@dataclass(frozen=True, kw_only=True)
class RecordedHello:
    """An IDENTIFY or a RESUME, and what came of it: *outcome* is "ready", "resumed" or a close code."""

    kind: Literal["identify", "resume"]
    at: float
    intents: int | None = None
    session_id: str | None = None
    outcome: str
