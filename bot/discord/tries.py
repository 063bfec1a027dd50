"""What came of each try of a request: the library makes up to five of its own accord."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bot.discord.refusals import TOO_MANY_REQUESTS, OutcomeUnknown

NO_RESPONSE = 0


class Tries:
    """*once*: nobody could tell a second one from the first, so none follows one that may have worked."""

    def __init__(self, *, once: bool) -> None:
        self._once = once
        self._statuses: list[int] = []

    @property
    def may_have_been_carried_out(self) -> bool:
        return any(status == NO_RESPONSE or status >= 500 for status in self._statuses)  # noqa: PLR2004 - a server's

    def begins(self) -> None:
        """Raises OutcomeUnknown."""
        if self._once and any(status != TOO_MANY_REQUESTS for status in self._statuses):
            raise OutcomeUnknown("it may have been carried out, and is not repeated")

    def ended(self, status: int) -> None:
        self._statuses.append(status)


_tries: ContextVar[Tries | None] = ContextVar("tries", default=None)


@contextmanager
def counting(tries: Tries) -> Iterator[None]:
    """Requests that are made in here, or in a task that is begun in here, are its tries."""
    token = _tries.set(tries)
    try:
        yield
    finally:
        _tries.reset(token)


def try_begins() -> None:
    """Of a request that is counted, or of any other. Raises OutcomeUnknown."""
    if (tries := _tries.get()) is not None:
        tries.begins()


def try_ended(status: int) -> None:
    if (tries := _tries.get()) is not None:
        tries.ended(status)
