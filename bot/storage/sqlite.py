"""SQLite: a file with one owner and really one connection, which loses nothing it said it keeps."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.core.errors import StartupRefused

OLDEST_SQLITE = (3, 35, 0)  # the first with RETURNING
SECONDS_FOR_OTHERS = 5.0  # how long to wait when somebody's sqlite3 shell holds the file

# quick_check reads the whole file: 0.15 s for these bytes when measured, and minutes for a file a hundred times
# as long, spent before anybody is answered. Neither kill -9 nor a power cut damages a WAL database; failing
# disks do, and show in reading too. Longer files are therefore opened and read a little, and no more.
CHECKED_BYTES = 64 * 2**20

_ON_CONNECT = (
    f"PRAGMA busy_timeout = {int(SECONDS_FOR_OTHERS * 1000)}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL would lose the newest commits in a power cut
    "PRAGMA secure_delete = ON",  # what is deleted is overwritten with zeros
    "PRAGMA temp_store = MEMORY",  # no message text in temporary files
    "PRAGMA foreign_keys = ON",
)


@asynccontextmanager
async def open_sqlite(url: URL) -> AsyncIterator[AsyncEngine]:
    """The engine for a file that nobody else has open as the bot does. Raises StartupRefused."""
    path = _path_of(url)
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StartupRefused(
            f"This Python brings SQLite {sqlite3.sqlite_version}; the bot needs 3.35 or newer. "
            "Use a newer Python, or set DATABASE_URL to a PostgreSQL database."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(path.name + ".lock"), mode=0o600, fallback_to_soft=False)
        lock.acquire(timeout=0)
    except Timeout:
        raise StartupRefused(
            f"Another bot is using {path}. Stop it first, or give this one a file of its own in DATABASE_URL."
        ) from None
    except OSError as error:
        raise StartupRefused(_not_writable(path)) from error
    try:
        _create(path)
        engine = _engine(path)
        try:
            yield engine
        finally:
            await engine.dispose()
    finally:
        lock.release()


def check(connection: Connection) -> None:
    """Read a little, or the whole file where it is small. Raises StartupRefused."""
    path = Path(str(connection.engine.url.database))
    connection.execute(text("SELECT count(*) FROM sqlite_master"))
    if path.stat().st_size <= CHECKED_BYTES:
        found = connection.scalar(text("PRAGMA quick_check(1)"))
        if found != "ok":
            raise StartupRefused(_damaged(path))


def refusal(error: DBAPIError, url: URL) -> StartupRefused:
    """What to tell the operator when opening, checking or migrating failed."""
    path = _path_of(url)
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        sentence = f"{path} is not a database. Move it away, or name another file in DATABASE_URL."
    elif code == sqlite3.SQLITE_CORRUPT:
        sentence = _damaged(path)
    elif code == sqlite3.SQLITE_BUSY:
        sentence = f"Another program has {path} locked. Close it and start the bot again."
    elif code == sqlite3.SQLITE_FULL:
        sentence = f"The disk that holds {path} is full. Make room and start the bot again."
    elif code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        sentence = _not_writable(path)
    else:
        sentence = f"{path} cannot be used: {error.orig}. Check the disk, or restore a backup."
    return StartupRefused(sentence)


async def pragma(connection: AsyncConnection, statement: str) -> Any:
    """Run a PRAGMA outside of any transaction, where some of them only work; the first row it gives."""
    raw: Any = (await connection.get_raw_connection()).driver_connection
    rows = list(await raw.execute_fetchall(f"PRAGMA {statement}"))
    return rows[0] if rows else None


async def checkpoint(connection: AsyncConnection) -> bool:
    """Copy the WAL into the file and empty it, erased text included. False while somebody else reads."""
    busy, _, _ = await pragma(connection, "wal_checkpoint(TRUNCATE)")
    return not busy


def _path_of(url: URL) -> Path:
    if not url.database or url.database == ":memory:" or url.host or url.query:
        raise StartupRefused(
            "DATABASE_URL names no file. Write sqlite:///data/bot.db, or sqlite:////srv/bot.db from the root."
        )
    # Resolved: two names of one file have one lock.
    return Path(url.database).expanduser().resolve()


def _create(path: Path) -> None:
    """Make the file if there is none, readable for nobody else; SQLite gives its WAL the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StartupRefused(_not_writable(path)) from error


def _engine(path: Path) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        # Python's sqlite3 would begin transactions late and never around DDL: we say BEGIN ourselves, see below.
        connect_args={"isolation_level": None},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=None,  # with one, waiting work would fail after a while instead of waiting
        pool_reset_on_return=None,  # every unit of work commits or rolls back
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _set_up)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _set_up(dbapi_connection: Any, _record: object) -> None:
    cursor = dbapi_connection.cursor()
    for statement in _ON_CONNECT:
        cursor.execute(statement)
    cursor.close()


def _begin(connection: Connection) -> None:
    # IMMEDIATE: a unit of work that reads first and writes later must not find somebody else's write between.
    adapted: Any = connection.connection.dbapi_connection
    adapted.run_async(lambda raw: raw.execute("BEGIN IMMEDIATE"))


def _not_writable(path: Path) -> str:
    return f"{path} cannot be written. Check that its folder exists and belongs to the user who runs the bot."


def _damaged(path: Path) -> str:
    return f"{path} is damaged. Restore a backup, or move the file away to start with an empty memory."
