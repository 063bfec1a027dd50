"""Waiting for something to happen, without polling: whoever changes the world says so here."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Literal, Self, TypeVar

from bot.playground.loopback.world import Channel, Message, User

T = TypeVar("T")
SAFETY_SECONDS = 60.0  # on the real clock, of however busy a machine: what is awaited for so long will not come


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Something that a person's Discord shows.

    *acknowledged*: the bot took a slash command, and says "thinking…" if it has no text yet. *unanswered*: it
    did not within three seconds. *user* is who typed, or who called the command.
    """

    kind: Literal["typing", "posted", "edited", "deleted", "acknowledged", "unanswered", "channel_deleted"]
    channel: Channel
    message: Message | None = None
    user: User | None = None


class Watch:
    """What a person's client shows from now on, in order; iterate over it. Leaving the block ends it."""

    def __init__(self, watches: "set[Watch]") -> None:
        self._watches = watches
        self._queue: asyncio.Queue[Seen | None] = asyncio.Queue()
        watches.add(self)

    def put(self, seen: Seen | None) -> None:
        self._queue.put_nowait(seen)

    def close(self) -> None:
        self._watches.discard(self)
        self.put(None)

    def __aiter__(self) -> AsyncIterator[Seen]:
        return self

    async def __anext__(self) -> Seen:
        seen = await self._queue.get()
        if seen is None:
            raise StopAsyncIteration
        return seen

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Changes:
    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._tries: set[Callable[[], None]] = set()

    def watch(self) -> Watch:
        return Watch(self._watches)

    def show(self, seen: Seen) -> None:
        for watch in self._watches:
            watch.put(seen)
        self.notify()

    def notify(self) -> None:
        for try_again in list(self._tries):
            try_again()

    async def until(self, becomes_true: Callable[[], T], *, seconds: float = SAFETY_SECONDS) -> T:
        """Wait until the call returns something true, and return that. It is made after every change."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try_again = partial(_try, future, becomes_true)
        self._tries.add(try_again)
        try_again()
        try:
            async with asyncio.timeout(seconds):
                return await future
        finally:
            self._tries.discard(try_again)

    def close(self) -> None:
        for watch in list(self._watches):
            watch.close()


def _try(future: "asyncio.Future[T]", becomes_true: Callable[[], T]) -> None:
    if future.done():
        return
    try:
        value = becomes_true()
    except Exception as error:  # noqa: BLE001 -- it belongs to whoever waits, not to whoever made the change
        future.set_exception(error)
    else:
        if value:
            future.set_result(value)
