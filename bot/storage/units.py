"""One unit of work at a time, in the order of arrival within its rank; whatever becomes of who asked for it.

Callers never hold a connection: a cancelled task that did would break it. They leave their work here and wait,
and a task that nobody cancels has it done. One at a time keeps a deletion behind the message that it deletes.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from bot.core.errors import DatabaseUnavailable

LONGEST_QUEUE = 5_000  # units; at some milliseconds each, nobody would wait for what the last one brings

log = logging.getLogger(__name__)
T = TypeVar("T")


class Rank(IntEnum):
    """What goes first of the units that wait.

    A deletion is of the last rank: it must stay behind the message that it deletes.
    """

    FIRST_WORDS = 0  # an answer has words and cannot be seen: behind a burst of questions that is a long wait
    INTAKE = 1
    REST = 2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Unit:
    work: Callable[[], Awaitable[Any]]
    done: asyncio.Future[Any]


class UnitQueue:
    def __init__(self, *, longest: int = LONGEST_QUEUE) -> None:
        self._longest = longest
        self._waiting: dict[Rank, deque[_Unit]] = {rank: deque() for rank in Rank}
        self._wake = asyncio.Event()
        self._closing = False
        self._worker = asyncio.create_task(self._serve(), name="database")

    async def run(self, work: Callable[[], Awaitable[T]], *, rank: Rank = Rank.REST) -> T:
        """Have *work* done and wait for what it brings. Cancelling the wait does not cancel the work."""
        if self._closing or self._worker.done():
            raise DatabaseUnavailable("the database is closed")
        if len(self) >= self._longest:
            raise DatabaseUnavailable(f"{self._longest} units of work wait for the database already")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[rank].append(_Unit(work=work, done=done))
        self._wake.set()
        return await done

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def next_ones(self) -> Iterator[Callable[[], Awaitable[Any]]]:
        """The works that wait, in the order of their turns."""
        return (unit.work for units in self._waiting.values() for unit in units)

    async def close(self) -> None:
        """Finish what is queued, take nothing more. Cancelled, it gives up what has not begun."""
        self._closing = True
        self._wake.set()
        await self._worker

    async def _serve(self) -> None:
        try:
            while True:
                while unit := self._next():
                    await _carry_out(unit)
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            while unit := self._next():
                unit.done.cancel()

    def _next(self) -> _Unit | None:
        return next((units.popleft() for units in self._waiting.values() if units), None)


async def _carry_out(unit: _Unit) -> None:
    try:
        result = await unit.work()
    except Exception as error:
        if unit.done.done():
            log.exception("A unit of work whose caller had gone failed")
        else:
            unit.done.set_exception(error)
    except BaseException:  # the program is being torn down
        unit.done.cancel()
        raise
    else:
        if not unit.done.done():
            unit.done.set_result(result)
