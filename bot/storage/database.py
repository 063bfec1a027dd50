"""Opens the database, brings it up to date, and carries out units of work on its one connection."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.core.errors import StartupRefused
from bot.storage import postgresql, sqlite
from bot.storage.faults import own_words
from bot.storage.migrate import migrate
from bot.storage.units import UnitQueue

SECONDS_FOR_PREDECESSOR = 20.0  # a bot that is being replaced ends its answers first

log = logging.getLogger(__name__)
T = TypeVar("T")


class Database:
    """Units of work in, results out. See `open_database`."""

    def __init__(self, engine: AsyncEngine, *, ownership_lost: asyncio.Event) -> None:
        self.engine = engine
        self.ownership_lost = ownership_lost  # set when another process may have become the owner
        self._units = UnitQueue()
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._checkpoint_due = False

    async def run(
        self,
        work: Callable[[Connection], T],
        *,
        intake: bool = False,
        erases: Callable[[T], bool] = lambda _result: False,
    ) -> T:
        """Carry out *work* in one transaction, committed when this returns.

        *intake* goes before everything else that waits. *erases* tells from the result whether text was erased
        that must also leave the disk. Raises DatabaseUnavailable.
        """
        return await self._units.run(partial(self._transact, work, erases), intake=intake)

    async def close(self) -> None:
        await self._units.close()

    async def _transact(self, work: Callable[[Connection], T], erases: Callable[[T], bool]) -> T:
        with own_words():
            async with self.engine.connect() as connection:
                async with connection.begin():
                    result = await connection.run_sync(work)
                if self._is_sqlite and (self._checkpoint_due or erases(result)):
                    self._checkpoint_due = not await sqlite.checkpoint(connection)
                    if self._checkpoint_due:
                        log.warning("Erased text stays in the WAL until another program lets go of the database")
                return result


@asynccontextmanager
async def open_database(
    database_url: str, *, wait_seconds: float = SECONDS_FOR_PREDECESSOR
) -> AsyncIterator[Database]:
    """The database at *database_url*, created and migrated as needed and owned by this process alone.

    `sqlite:///data/bot.db` (from the working directory), `sqlite:////srv/bot.db` or
    `postgresql://user:password@host/database`. Raises StartupRefused.
    """
    url = _read_url(database_url)
    lost = asyncio.Event()
    opening = (
        sqlite.open_sqlite(url)
        if url.drivername == "sqlite"
        else postgresql.open_postgresql(url, wait_seconds=wait_seconds, ownership_lost=lost)
    )
    async with opening as engine:
        await _prepare(engine, url)
        database = Database(engine, ownership_lost=lost)
        try:
            yield database
        finally:
            await database.close()


def _read_url(database_url: str) -> URL:
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        url = None
    name = url.drivername.partition("+")[0] if url else None
    if url is None or name not in ("sqlite", "postgresql", "postgres"):
        # Without its cause and the URL, which may hold a password.
        raise StartupRefused(
            "DATABASE_URL is no address of a database. Write sqlite:///data/bot.db or "
            "postgresql://user:password@host/database."
        ) from None
    return url.set(drivername="sqlite" if name == "sqlite" else "postgresql")


async def _prepare(engine: AsyncEngine, url: URL) -> None:
    is_sqlite = url.drivername == "sqlite"
    try:
        async with engine.connect() as connection:
            if is_sqlite:
                # SQLite changes tables by copying them; with foreign keys on, dropping the old one would cascade.
                await sqlite.pragma(connection, "foreign_keys = OFF")
            async with connection.begin():
                await connection.run_sync(sqlite.check if is_sqlite else partial(postgresql.check, url=url))
                await connection.run_sync(migrate)
            if is_sqlite:
                await sqlite.pragma(connection, "foreign_keys = ON")
                await sqlite.checkpoint(connection)  # erased text that a kill left in the WAL
    except DBAPIError as error:
        raise (sqlite if is_sqlite else postgresql).refusal(error, url) from error
    except OSError as error:
        raise postgresql.refusal(error, url) from error
