"""One unit of work at a time, in the order of arrival within its rank; whatever becomes of who asked for it.

Callers never hold a connection: a cancelled task that did would break it. They leave their work here and wait,
and a task that nobody cancels has it done. One at a time keeps a deletion behind the message that it deletes.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import Any, Generic, TypeVar

from bot.core.errors import DatabaseUnavailable

# Units in one commit: each then costs 0.9 ms instead of 2. First words wait for those under way.
MOST_TOGETHER = 8
WAITING_FOR_EACH = 32  # how many wait for each one more in a commit: a small burst is soonest over one by one
LONGEST_QUEUE = 5_000  # units; at some milliseconds each, nobody would wait for what the last one brings

log = logging.getLogger(__name__)
Work = TypeVar("Work")


class Rank(IntEnum):
    """What goes first of the units that wait.

    A deletion is of the last rank: it must stay behind the message that it deletes.
    """

    FIRST_WORDS = 0  # an answer has words and cannot be seen: behind a burst of questions that is a long wait
    INTAKE = 1
    REST = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """What came of a unit of work that failed."""

    error: Exception


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Unit(Generic[Work]):
    work: Work
    done: asyncio.Future[Any]

    def end(self, outcome: object) -> None:
        if not isinstance(outcome, Fault):
            if not self.done.done():
                self.done.set_result(outcome)
        elif self.done.done():
            log.error("A unit of work whose caller had gone failed", exc_info=outcome.error)
        else:
            self.done.set_exception(outcome.error)


class UnitQueue(Generic[Work]):
    """*carry_out* does works that go together, each as if alone, and tells what each brings: a Fault, or else."""

    def __init__(
        self, carry_out: Callable[[Sequence[Work]], Awaitable[Sequence[Any]]], *, longest: int = LONGEST_QUEUE
    ) -> None:
        self._carry_out = carry_out
        self._longest = longest
        self._waiting: dict[Rank, deque[_Unit[Work]]] = {rank: deque() for rank in Rank}
        self._wake = asyncio.Event()
        self._closing = False
        self._worker = asyncio.create_task(self._serve(), name="database")

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def put(self, work: Work, *, rank: Rank = Rank.REST) -> asyncio.Future[Any]:
        """Have *work* done, and what it brings. Raises DatabaseUnavailable."""
        if self._closing or self._worker.done():
            raise DatabaseUnavailable("the database is closed")
        if len(self) >= self._longest:
            raise DatabaseUnavailable(f"{self._longest} units of work wait for the database already")
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[rank].append(_Unit(work=work, done=done))
        self._wake.set()
        return done

    async def run(self, work: Work, *, rank: Rank = Rank.REST) -> Any:
        """Have *work* done and wait for what it brings. Cancelling the wait does not cancel the work."""
        return await self.put(work, rank=rank)

    async def close(self) -> None:
        """Finish what is queued, take nothing more. Cancelled, it gives up what has not begun."""
        self._closing = True
        self._wake.set()
        await self._worker

    async def _serve(self) -> None:
        try:
            while True:
                while len(self):
                    await self._end(self._next())
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            for units in self._waiting.values():
                for unit in units:
                    unit.done.cancel()

    def _next(self) -> "list[_Unit[Work]]":
        """Those whose turn it is: the first, and more behind it when many wait."""
        count = min(1 + (len(self) - 1) // WAITING_FOR_EACH, MOST_TOGETHER)
        waiting = (units for units in self._waiting.values() for _ in units)
        return [units.popleft() for units in list(islice(waiting, count))]

    async def _end(self, units: "list[_Unit[Work]]") -> None:
        try:
            outcomes = await self._carry_out([unit.work for unit in units])
        except Exception as error:  # noqa: BLE001 - raised where each unit's caller waits
            outcomes = [Fault(error)] * len(units)
        except BaseException:  # the program is being torn down
            for unit in units:
                unit.done.cancel()
            raise
        for unit, outcome in zip(units, outcomes, strict=True):
            unit.end(outcome)
