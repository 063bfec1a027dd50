"""SQLite: a file with one owner, one connection and one thread, which loses nothing it said it keeps.

aiosqlite has the connection and the thread, and is handed whole units of work. With SQLAlchemy's own dialect for
it, which hands it statements, a message received would cross between threads fifty times (measured: 5.1 ms
instead of 2.5), and another connection be opened when the task that holds one is cancelled; a thread knows no
cancellation.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from bot.core.errors import DatabaseInUse, DatabaseUnavailable, StartupRefused
from bot.storage.faults import MOVED
from bot.storage.migrate import migrate

T = TypeVar("T")

OLDEST_SQLITE = (3, 35, 0)  # the first with RETURNING
SECONDS_FOR_A_LOOK = 0.2  # `doctor` looks at the lock for a moment, which must not keep a bot from starting
SECONDS_FOR_OTHERS = 5.0  # how long to wait when somebody's sqlite3 shell holds the file
SECONDS_IN_A_HURRY = 0.25  # the same, behind a unit of work that waited in vain

# quick_check reads the whole file: measured 0.2 s for these bytes, 3.3 s for a million turns, from memory and not
# from a slow disk, spent before anybody is answered. Neither kill -9 nor a power cut damages a WAL database;
# failing disks do, and show in reading too. Longer files are therefore opened and read a little, and no more.
CHECKED_BYTES = 32 * 2**20

_PATIENT, _HURRIED = (f"busy_timeout = {int(s * 1000)}" for s in (SECONDS_FOR_OTHERS, SECONDS_IN_A_HURRY))
_ON_CONNECT = (
    _PATIENT,
    "journal_mode = WAL",
    "synchronous = FULL",  # NORMAL would lose the newest commits in a power cut
    "secure_delete = ON",  # what is deleted is overwritten with zeros
    "cache_size = -4000",  # KiB at most; more of it was no faster, as the system keeps the file's pages, too
    "temp_store = MEMORY",  # no message text in temporary files
    "foreign_keys = ON",
)


class _Connection(aiosqlite.Connection):
    """aiosqlite's connection, and its thread for whole functions instead of single statements."""

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Carry out *function* on the thread; to its end, also if the caller is cancelled meanwhile."""
        result: T = await self._execute(function, *arguments)  # type: ignore[no-untyped-call]  # aiosqlite's own
        return result

    def raw(self) -> sqlite3.Connection:
        """For use on the thread alone."""
        return self._conn


class SqliteFile:
    """The open file. See `open_sqlite`."""

    def __init__(self, connection: _Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._identity = _identity(path)
        self._engine = _engine(connection)
        self._wait_for_others = _PATIENT
        self.ownership_lost = asyncio.Event()  # never: the lock on the file lasts as long as the process

    async def transact(self, work: Callable[[Connection], T], *, hurry: bool = False) -> T:
        """Carry out *work* in one transaction. With *hurry*, hardly wait for others who have the file locked."""
        return await self._connection.run(self._transact, work, _HURRIED if hurry else _PATIENT)

    async def forget_erased(self) -> bool:
        """Copy the WAL into the file and empty it, erased text included. False if that must be tried again."""
        return await self._connection.run(self._checkpoint)

    async def prepare(self) -> None:
        """Check the file and bring its tables up to date. Raises StartupRefused."""
        try:
            await self._connection.run(self._prepare)
        except (DBAPIError, sqlite3.Error) as error:
            raise refusal(error, self._path) from error

    async def close(self) -> None:
        await self._connection.run(self._engine.dispose)
        await self._connection.close()

    def _transact(self, work: Callable[[Connection], T], wait_for_others: str) -> T:
        if wait_for_others != self._wait_for_others:
            self._pragma(wait_for_others)
            self._wait_for_others = wait_for_others
        # SQLite would go on in the file that nobody finds any more, and say that all is stored.
        if _identity(self._path) != self._identity:
            raise DatabaseUnavailable(MOVED)
        with self._engine.begin() as connection:
            return work(connection)

    def _checkpoint(self) -> bool:
        # A reader may stay for long, and everybody would wait with us; the next unit of work tries again.
        self._pragma("busy_timeout = 0")
        try:
            busy, _, _ = self._pragma("wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:
            return False
        finally:
            self._pragma(self._wait_for_others)
        return not busy

    def _prepare(self) -> None:
        # SQLite changes tables by copying them; with foreign keys on, dropping the old one would cascade.
        self._pragma("foreign_keys = OFF")
        with self._engine.begin() as connection:
            _check(connection, self._path)
            migrate(connection)
        self._pragma("foreign_keys = ON")
        self._checkpoint()  # erased text that a kill left in the WAL

    def _pragma(self, statement: str) -> Any:
        """Run a PRAGMA outside of any transaction, where some of them only work; the first row it gives."""
        raw = self._engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute(f"PRAGMA {statement}")
            return cursor.fetchone()
        finally:
            raw.close()


@asynccontextmanager
async def open_sqlite(url: URL) -> AsyncIterator[SqliteFile]:
    """A file that nobody else has open as the bot does, with the newest tables. Raises StartupRefused."""
    refuse_old_sqlite()
    path = path_of(url)
    with _locked(path):
        _create(path)
        file = SqliteFile(await _connect(path), path)
        try:
            await file.prepare()
            yield file
        finally:
            await file.close()


def refuse_old_sqlite() -> None:
    """Raises StartupRefused."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StartupRefused(
            f"This Python brings SQLite {sqlite3.sqlite_version}; the bot needs 3.35 or newer. "
            "Use a newer Python, or set DATABASE_URL to a PostgreSQL database."
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = FileLock(lock_of(path), mode=0o600, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=SECONDS_FOR_A_LOOK)
    except Timeout:
        if not lock_of(path).exists():  # in /proc, root is told that there is no such file
            raise StartupRefused(not_writable(path)) from None
        raise DatabaseInUse(
            f"Another bot is using {path}. Stop it first, or give this one a file of its own in DATABASE_URL."
        ) from None
    except OSError as error:
        raise StartupRefused(not_writable(path)) from error
    try:
        yield
    finally:
        lock.release()


def lock_of(path: Path) -> Path:
    """The file whose lock says that a bot uses the database."""
    return path.with_name(path.name + ".lock")


def _check(connection: Connection, path: Path) -> None:
    """Read a little, or the whole file where it is small. Raises StartupRefused."""
    connection.execute(text("SELECT count(*) FROM sqlite_master"))
    if path.stat().st_size <= CHECKED_BYTES and connection.scalar(text("PRAGMA quick_check(1)")) != "ok":
        raise StartupRefused(damaged(path))


def refusal(error: DBAPIError | sqlite3.Error, path: Path, *, reading: bool = False) -> StartupRefused:
    """What to tell the operator when opening, checking or migrating failed, or *reading* alone."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        sentence = f"{path} is not a database. Move it away, or name another file in DATABASE_URL."
    elif code == sqlite3.SQLITE_CORRUPT:
        sentence = damaged(path)
    elif code == sqlite3.SQLITE_BUSY:
        sentence = f"Another program has {path} locked. Close it and start the bot again."
    elif code == sqlite3.SQLITE_FULL:
        sentence = f"The disk that holds {path} is full. Make room and start the bot again."
    elif code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        sentence = _not_readable(path) if reading else not_writable(path)
    else:
        sentence = f"{path} cannot be used: {cause}. Check the disk, or restore a backup."
    return StartupRefused(sentence)


def path_of(url: URL) -> Path:
    """Raises StartupRefused."""
    if not url.database or url.database == ":memory:" or url.host or url.query:
        raise StartupRefused(
            "DATABASE_URL names no file. Write sqlite:///data/bot.db, or sqlite:////srv/bot.db from the root."
        )
    # Resolved: two names of one file have one lock.
    return Path(url.database).expanduser().resolve()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name. None: there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _create(path: Path) -> None:
    """Make the file if there is none, readable for nobody else; SQLite gives its WAL the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StartupRefused(not_writable(path)) from error


async def _connect(path: Path) -> _Connection:
    # Python's sqlite3 begins transactions late and none around DDL, so a failed migration would leave half its
    # tables. We say BEGIN ourselves.
    connection = _Connection(partial(sqlite3.connect, path, isolation_level=None), iter_chunk_size=1)
    await connection
    return connection


def _engine(connection: _Connection) -> Engine:
    engine = create_engine(
        "sqlite+pysqlite://",
        creator=connection.raw,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(dbapi_connection: Any, _record: object) -> None:
    cursor = dbapi_connection.cursor()
    for statement in _ON_CONNECT:
        cursor.execute(f"PRAGMA {statement}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # IMMEDIATE: a unit of work that reads first and writes later must not find somebody else's write between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def not_writable(path: Path) -> str:
    return f"{path} cannot be written. Check that its folder exists and belongs to the user who runs the bot."


def _not_readable(path: Path) -> str:
    return f"{path} cannot be read. Check that it is a file, and that it belongs to the user who runs this."


def damaged(path: Path) -> str:
    return f"{path} is damaged. Restore a backup, or move the file away to start with an empty memory."
