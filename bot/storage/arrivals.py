"""Questions that come in while others are being stored are stored together, in a fifth of the time."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from bot.core.errors import DatabaseUnavailable
from bot.core.messages import IncomingMessage, Received
from bot.storage import receiving
from bot.storage.database import Database
from bot.storage.units import LONGEST_QUEUE, Rank


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Arrival:
    message: IncomingMessage
    now: datetime
    stored: asyncio.Future[Received]

    def end(self, outcome: Received | Exception) -> None:
        if self.stored.done():  # its caller has gone
            return
        if isinstance(outcome, Exception):
            self.stored.set_exception(outcome)
        else:
            self.stored.set_result(outcome)


class Arrivals:
    """A unit of work takes all that have arrived when its turn comes.

    There is always one in the queue while something waits, so that a deletion, which comes later, is carried out
    later.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Arrival] = deque()
        self._queued = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def store(self, message: IncomingMessage, *, now: datetime) -> Received:
        """Cancelling the wait does not cancel the work. Raises DatabaseUnavailable."""
        if len(self._waiting) >= LONGEST_QUEUE:
            raise DatabaseUnavailable(f"{LONGEST_QUEUE} questions wait to be stored already")
        arrival = _Arrival(message=message, now=now, stored=asyncio.get_running_loop().create_future())
        self._waiting.append(arrival)  # first: a unit that begins at this moment takes it, or another is asked for
        if not self._queued:
            try:
                self._queue()
            except DatabaseUnavailable:
                self._waiting.remove(arrival)
                raise
        return await arrival.stored

    def _queue(self) -> None:
        taken: list[_Arrival] = []

        def work(connection: Connection) -> list[Received]:
            if not taken:  # else it is tried again
                self._take(taken)
            return receiving.store_all(connection, [(each.message, each.now) for each in taken]) if taken else []

        carried_out = self._database.put(work, rank=Rank.INTAKE)
        self._queued = True
        task = asyncio.create_task(self._tell(taken, carried_out), name="arrivals")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, taken: list[_Arrival], carried_out: asyncio.Future[list[Received]]) -> None:
        outcomes: Sequence[Received | Exception]
        try:
            outcomes = await carried_out
        except DatabaseUnavailable as error:
            if not taken:  # it did not even begin
                self._take(taken)
            outcomes = [error] * len(taken)
        except asyncio.CancelledError:  # the program is being torn down
            for each in [*taken, *self._waiting]:
                each.stored.cancel()
            raise
        except Exception:  # noqa: BLE001 - raised where the caller waits whose question it is about
            outcomes = [await self._alone(each) for each in taken]
        for each, outcome in zip(taken, outcomes, strict=True):
            each.end(outcome)

    def _take(self, taken: list[_Arrival]) -> None:
        # On the database's thread. First this: what arrives from now on is taken, or asks for another unit.
        self._queued = False
        while self._waiting:
            taken.append(self._waiting.popleft())

    async def _alone(self, arrival: _Arrival) -> Received | Exception:
        work = partial(receiving.store_all, arrived=[(arrival.message, arrival.now)])
        try:
            return (await self._database.run(work, rank=Rank.INTAKE))[0]
        except Exception as error:  # noqa: BLE001 - as above
            return error
