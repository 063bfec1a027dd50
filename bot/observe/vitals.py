"""What can be asked of a running bot at any moment; observing.py fills it in."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Seconds = Callable[[], float | None]  # None: it has not happened yet, or there is none


@dataclass(frozen=True, kw_only=True, slots=True)
class Vitals:
    gateway_heard_seconds_ago: Seconds  # None: not connected
    event_seconds_ago: Seconds
    stored_seconds_ago: Seconds
    model_succeeded_seconds_ago: Seconds
    waiting: Callable[[], int]
    oldest_waiting_seconds: Seconds
    answering: Callable[[], int]
    requests_waiting: Callable[[], int]  # for their turn at Discord
    requests: Callable[[], Mapping[tuple[str, str, int], int]]  # by method, route and status
    invalid_requests: Callable[[], int]  # of the last ten minutes
    model_admits: Callable[[], bool]  # some model may be asked
    owns_database: Callable[[], bool]
    stopping: Callable[[], bool]
    write: Callable[[], Awaitable[None]]  # one small write; raises BotError
