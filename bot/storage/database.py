"""Opens the database, and carries out units of work on it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from bot.core.errors import DatabaseUnavailable, StartupRefused
from bot.storage.faults import own_words
from bot.storage.postgresql import PostgresqlServer, open_postgresql
from bot.storage.sqlite import SqliteFile, open_sqlite
from bot.storage.units import Rank, UnitQueue

SECONDS_FOR_PREDECESSOR = 20.0  # a bot that is being replaced ends its answers first

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
        return await self._units.run(partial(self._carry_out, work, erases), rank=rank)

    async def close(self) -> None:
        await self._units.close()

    async def _carry_out(self, work: Callable[[Connection], T], erases: Callable[[T], bool]) -> T:
        try:
            with own_words():
                result = await self._back_end.transact(work, hurry=self._away)
                self._away = False
                self.stored_at = time.monotonic()
                if self._erased_left or erases(result):
                    await self._forget_erased()
        except DatabaseUnavailable:
            self._away = True
            raise
        return result

    async def _forget_erased(self) -> None:
        left, self._erased_left = self._erased_left, not await self._back_end.forget_erased()
        if self._erased_left and not left:
            log.warning(
                "Erased text stays on the disk until the WAL can be emptied: is another program reading it?"
            )


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
