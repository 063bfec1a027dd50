"""Opens the database, and carries out units of work on it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Generic, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from bot.core.errors import BotError, DatabaseUnavailable, StartupRefused
from bot.storage.faults import own_words
from bot.storage.postgresql import PostgresqlServer, open_postgresql
from bot.storage.sqlite import SqliteFile, open_sqlite
from bot.storage.units import Rank, UnitQueue

SECONDS_FOR_PREDECESSOR = 20.0  # a bot that is being replaced ends its answers first

# Units of work in one commit: each then costs 0.9 ms instead of 2. First words wait for those under way.
MOST_TOGETHER = 8
WAITING_FOR_EACH = 32  # how many wait for each one more in a commit: a small burst is soonest over one by one

log = logging.getLogger(__name__)
T = TypeVar("T")


class Database:
    """Units of work in, results out. See `open_database`."""

    def __init__(self, back_end: SqliteFile | PostgresqlServer) -> None:
        self._back_end = back_end
        self._units = UnitQueue()
        self._erased_left = False
        self.stored_at: float | None = None  # when a unit of work was last committed, in monotonic seconds
        self._away = False  # the last unit of work found it so: those behind it are not to wait as long each

    @property
    def ownership_lost(self) -> asyncio.Event:
        """Set when another process may have become the owner."""
        return self._back_end.ownership_lost

    async def run(
        self,
        work: Callable[[Connection], T],
        *,
        rank: Rank = Rank.REST,
        erases: Callable[[T], bool] = lambda _result: False,
    ) -> T:
        """Carry out *work* in one transaction, committed when this returns.

        *erases* tells from the result whether text was erased
        that must also leave the disk. Raises DatabaseUnavailable.
        """
        return await self._units.run(_Unit(self, work, erases), rank=rank)

    async def close(self) -> None:
        await self._units.close()

    async def carry_out(self, unit: "_Unit[T]") -> T:
        """What the unit brings, committed; those that wait right behind it are carried out along with it."""
        if not unit.ended:
            waiting = (one for one in self._units.next_ones() if isinstance(one, _Unit) and not one.ended)
            others = list(islice(waiting, min(len(self._units) // WAITING_FOR_EACH, MOST_TOGETHER - 1)))
            if not others or not await self._together([unit, *others]):
                unit.value = await self._transact(unit.work)
                unit.ended = True
                await self._forget_if_erased([unit])
        if unit.fault is not None:
            raise unit.fault
        return unit.value

    async def _together(self, units: "list[_Unit[Any]]") -> bool:
        """Carry units out in one transaction, each as if alone. False if nothing came of it."""

        def work(connection: Connection) -> None:
            for unit in units:
                unit.try_out(connection)

        try:
            await self._transact(work)
        except BotError as error:
            log.debug("%d units of work are carried out one by one: %s", len(units), error)
            for unit in units:
                unit.fault = None
            return False
        for unit in units:
            unit.ended = True
        await self._forget_if_erased([unit for unit in units if unit.fault is None])
        return True

    async def _transact(self, work: Callable[[Connection], T]) -> T:
        try:
            with own_words():
                result = await self._back_end.transact(work, hurry=self._away)
        except DatabaseUnavailable:
            self._away = True
            raise
        self._away = False
        self.stored_at = time.monotonic()
        return result

    async def _forget_if_erased(self, units: "list[_Unit[Any]]") -> None:
        if self._erased_left or any(unit.erases(unit.value) for unit in units):
            with own_words():
                await self._forget_erased()

    async def _forget_erased(self) -> None:
        left, self._erased_left = self._erased_left, not await self._back_end.forget_erased()
        if self._erased_left and not left:
            log.warning(
                "Erased text stays on the disk until the WAL can be emptied: is another program reading it?"
            )


class _Unit(Generic[T]):
    """One unit of work, and what came of it."""

    def __init__(self, database: Database, work: Callable[[Connection], T], erases: Callable[[T], bool]) -> None:
        self.work = work
        self.erases = erases
        self.ended = False
        self.value: T
        self.fault: Exception | None = None
        self._database = database

    async def __call__(self) -> T:
        return await self._database.carry_out(self)

    def try_out(self, connection: Connection) -> None:
        """Do the work within somebody's transaction, so that a fault undoes it alone."""
        # begin_nested would compile each of its statements anew: 0.3 ms.
        connection.exec_driver_sql("SAVEPOINT unit")
        try:
            with own_words():
                self.value = self.work(connection)
        except Exception as fault:  # noqa: BLE001 - raised where the unit's caller waits
            self.fault = fault
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT unit")
        connection.exec_driver_sql("RELEASE SAVEPOINT unit")


@asynccontextmanager
async def open_database(
    database_url: str, *, wait_seconds: float = SECONDS_FOR_PREDECESSOR
) -> AsyncIterator[Database]:
    """The database at *database_url*, created and migrated as needed and owned by this process alone.

    `sqlite:///data/bot.db` (from the working directory), `sqlite:////srv/bot.db` or
    `postgresql://user:password@host/database`. Raises StartupRefused.
    """
    url = read_url(database_url)
    opening = open_sqlite(url) if url.drivername == "sqlite" else open_postgresql(url, wait_seconds=wait_seconds)
    async with opening as back_end:
        database = Database(back_end)
        try:
            yield database
        finally:
            await database.close()


def read_url(database_url: str) -> URL:
    """Raises StartupRefused."""
    try:
        url = make_url(database_url)
        name = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}[
            url.drivername.partition("+")[0]
        ]
    except (ArgumentError, ValueError, KeyError):
        # Without its cause and the URL, which may hold a password.
        raise StartupRefused(
            "DATABASE_URL is no address of a database. Write sqlite:///data/bot.db or "
            "postgresql://user:password@host/database."
        ) from None
    return url.set(drivername=name)
