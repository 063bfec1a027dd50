"""Opens the database, and carries out units of work on it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from bot.core.errors import BotError, DatabaseUnavailable, StartupRefused
from bot.storage.faults import own_words
from bot.storage.postgresql import PostgresqlServer, open_postgresql
from bot.storage.sqlite import SqliteFile, open_sqlite, path_of
from bot.storage.units import Fault, Rank, UnitQueue

SECONDS_FOR_PREDECESSOR = 20.0  # a bot that is being replaced ends its answers first

log = logging.getLogger(__name__)
T = TypeVar("T")


class _Unit(NamedTuple):
    """*erases* tells from the result of the *work* whether text was erased that must also leave the disk."""

    work: Callable[[Connection], Any]
    erases: Callable[[Any], bool]
    repeatable: bool = False  # also if nobody knows whether it was committed


class Database:
    """Units of work in, results out. See `open_database`."""

    def __init__(self, back_end: SqliteFile | PostgresqlServer) -> None:
        self._back_end = back_end
        self._units = UnitQueue(self._carry_out)
        self._erased_left = False
        self.stored_at: float | None = None  # when a unit of work was last committed, in monotonic seconds
        self._away = False  # the last unit of work found it so: those behind it are not to wait as long each

    @property
    def ownership_lost(self) -> asyncio.Event:
        """Set when another process may have become the owner."""
        return self._back_end.ownership_lost

    @property
    def waiting(self) -> int:
        """How many units of work wait for their turn."""
        return len(self._units)

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
        result: T = await self._units.run(_Unit(work, erases), rank=rank)
        return result

    def put(self, work: Callable[[Connection], Any], *, rank: Rank = Rank.REST) -> asyncio.Future[Any]:
        """The same for work that erases nothing, and may be carried out twice: a lost connection is made up for.

        It is in the queue when this returns.
        """
        return self._units.put(_Unit(work, lambda _result: False, repeatable=True), rank=rank)

    async def close(self) -> None:
        await self._units.close()

    async def _carry_out(self, units: Sequence[_Unit]) -> list[Any]:
        """What each unit brings, or its Fault, committed; each as if alone."""
        if len(units) == 1:
            return [await self._alone(units[0])]
        outcomes: list[Any] = []
        try:
            await self._transact(
                lambda connection: outcomes.extend(try_out(unit.work, connection) for unit in units)
            )
        except BotError as error:
            if len(outcomes) == len(units):
                # Nobody knows whether it is committed: as with a lone unit, that is for the callers to hear.
                return [await self._outcome_alone(unit) if unit.repeatable else Fault(error) for unit in units]
            log.debug("%d units of work are carried out one by one: %s", len(units), error)
            return [await self._outcome_alone(unit) for unit in units]
        await self._forget_if_erased(units, outcomes)
        return outcomes

    async def _outcome_alone(self, unit: _Unit) -> Any:
        try:
            return await self._alone(unit)
        except Exception as error:  # noqa: BLE001 - raised where the unit's caller waits
            return Fault(error)

    async def _alone(self, unit: _Unit) -> Any:
        was_away = self._away
        try:
            result = await self._transact(unit.work)
        except DatabaseUnavailable as error:
            if was_away or not unit.repeatable:
                raise
            log.info("a unit of work is carried out once more: %s", error)
            result = await self._transact(unit.work)
        await self._forget_if_erased([unit], [result])
        return result

    async def _transact(self, work: Callable[[Connection], T]) -> T:
        if self.ownership_lost.is_set():
            raise DatabaseUnavailable("the lock on the database was lost")  # the next owner may be at work already
        try:
            with own_words():
                result = await self._back_end.transact(work, hurry=self._away)
        except DatabaseUnavailable:
            self._away = True
            raise
        self._away = False
        self.stored_at = time.monotonic()
        return result

    async def _forget_if_erased(self, units: Sequence[_Unit], outcomes: Sequence[Any]) -> None:
        ended = [pair for pair in zip(units, outcomes, strict=True) if not isinstance(pair[1], Fault)]
        if self._erased_left or any(unit.erases(result) for unit, result in ended):
            with own_words():
                await self._forget_erased()

    async def _forget_erased(self) -> None:
        left, self._erased_left = self._erased_left, not await self._back_end.forget_erased()
        if self._erased_left and not left:
            log.warning(
                "Erased text stays on the disk until the WAL can be emptied: is another program reading it?"
            )


def try_out(work: Callable[[Connection], Any], connection: Connection) -> Any:
    """Do the work within somebody's transaction: what it brings, or a Fault, which undoes it alone.

    Raises what ended the connection.
    """
    # begin_nested would compile each of its statements anew: 0.3 ms.
    connection.exec_driver_sql("SAVEPOINT unit")
    outcome: Any
    try:
        with own_words():
            outcome = work(connection)
    except Exception as error:
        if connection.invalidated:
            raise
        outcome = Fault(error)
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT unit")
    connection.exec_driver_sql("RELEASE SAVEPOINT unit")
    return outcome


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


def refuse_absent(url: URL) -> None:
    """For whoever needs what is stored already. Raises StartupRefused where SQLite would make a new file."""
    if url.drivername == "sqlite" and not (path := path_of(url)).exists():
        raise StartupRefused(f"There is no {path}. Check DATABASE_URL and the folder you are in.")
