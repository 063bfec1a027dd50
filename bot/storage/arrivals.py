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
from bot.storage.database import Database, try_out
from bot.storage.units import LONGEST_QUEUE, Fault, Rank


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
                if arrival in self._waiting:  # else it was taken at this moment
                    self._waiting.remove(arrival)
                    raise
        return await arrival.stored

    def _queue(self) -> None:
        taken: list[_Arrival] = []

        def work(connection: Connection) -> list[Received | Exception]:
            if not taken:  # else it is tried again
                self._take(taken)
            return _store_all(connection, taken)

        carried_out = self._database.put(work, rank=Rank.INTAKE)
        self._queued = True
        task = asyncio.create_task(self._tell(taken, carried_out), name="arrivals")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, taken: list[_Arrival], carried_out: asyncio.Future[list[Received | Exception]]) -> None:
        outcomes: Sequence[Received | Exception]
        try:
            outcomes = await carried_out
        except asyncio.CancelledError:  # the program is being torn down
            for each in [*taken, *self._waiting]:
                each.stored.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - raised where the callers wait
            if not taken:  # it did not even begin
                self._take(taken)
            outcomes = [error] * len(taken)
        for each, outcome in zip(taken, outcomes, strict=True):
            each.end(outcome)

    def _take(self, taken: list[_Arrival]) -> None:
        # On the database's thread. First this: what arrives from now on is taken, or asks for another unit.
        self._queued = False
        while self._waiting:
            taken.append(self._waiting.popleft())


def _store_all(connection: Connection, arrived: Sequence[_Arrival]) -> list[Received | Exception]:
    """One that cannot be stored takes none of its neighbours along."""
    if not arrived:
        return []
    outcomes = try_out(partial(receiving.store_all, arrived=_messages(arrived)), connection)
    if not isinstance(outcomes, Fault):
        return list(outcomes)
    return [_store_alone(connection, each) for each in arrived]


def _store_alone(connection: Connection, arrival: _Arrival) -> Received | Exception:
    outcome = try_out(partial(receiving.store_all, arrived=_messages([arrival])), connection)
    if isinstance(outcome, Fault):
        return outcome.error
    received: Received = outcome[0]
    return received


def _messages(arrived: Sequence[_Arrival]) -> list[tuple[IncomingMessage, datetime]]:
    return [(each.message, each.now) for each in arrived]
