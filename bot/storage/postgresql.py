"""PostgreSQL: a database with one owner at a time, held by an advisory lock on a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]  # asyncpg carries no types
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from bot.core.errors import DatabaseAway, DatabaseInUse, StartupRefused
from bot.core.unreachable import why_unreachable
from bot.storage.faults import NOT_ALLOWED
from bot.storage.migrate import migrate

T = TypeVar("T")
Connect = Callable[..., Awaitable[Any]]

OWNER_LOCK = 0x636F6E6661620000  # "confab", 0
SECONDS_TO_CONNECT = 10.0
SECONDS_IN_A_HURRY = 3.0  # to connect, behind a unit of work that could not
SECONDS_PER_STATEMENT = 30.0

_CURES = {
    "28P01": "refused the user name or password. Check both in DATABASE_URL.",
    "28000": "refused the user. Check the user name in DATABASE_URL and the server's pg_hba.conf.",
    "3D000": "has no such database. Create it, or name another one in DATABASE_URL.",
    NOT_ALLOWED: "lets this user create no tables there. Make the user the owner of the database.",
    "53300": "has no connection left. Close other programs' connections or raise max_connections.",
    "57P03": "is starting up or shutting down. Start the bot again in a moment.",
}
_PASSING = ("08", "53", "57P")  # the beginnings of codes: no connection, no room, being stopped or started


class PostgresqlServer:
    """The open database. See `open_postgresql`."""

    def __init__(self, connect: Connect, *, ownership_lost: asyncio.Event) -> None:
        self._connect = connect
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._reconnect,
            pool_size=1,
            max_overflow=0,
            pool_timeout=None,  # with one, waiting work would fail after a while instead of waiting
            pool_pre_ping=True,  # the server may have been restarted since the last unit of work
            hide_parameters=True,
        )
        self._hurry = False
        self.ownership_lost = ownership_lost

    async def prepare(self, url: URL) -> None:
        """Check the database and bring its tables up to date. Raises StartupRefused."""
        try:
            await self.transact(partial(check_encoding, url=url))
            await self.transact(migrate)
        except (DBAPIError, OSError) as error:
            raise refusal(error, url) from error

    async def transact(self, work: Callable[[Connection], T], *, hurry: bool = False) -> T:
        """Carry out *work* in one transaction. With *hurry*, do not wait long for a connection."""
        self._hurry = hurry
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def forget_erased(self) -> bool:
        """Nothing to do: the server's own VACUUM removes what was erased."""
        return True

    async def close(self) -> None:
        await self._engine.dispose()

    async def _reconnect(self) -> Any:
        seconds = SECONDS_IN_A_HURRY if self._hurry else SECONDS_TO_CONNECT
        return await self._connect(timeout=seconds, command_timeout=SECONDS_PER_STATEMENT)


@asynccontextmanager
async def open_postgresql(url: URL, *, wait_seconds: float) -> AsyncIterator[PostgresqlServer]:
    """A database that this process owns, with the newest tables. Raises StartupRefused.

    Another owner has *wait_seconds* to end.
    """
    connect = connecting(url)
    async with _owned(connect, url, wait_seconds) as ownership_lost:
        server = PostgresqlServer(connect, ownership_lost=ownership_lost)
        try:
            await server.prepare(url)
            yield server
        finally:
            await server.close()


def connecting(url: URL) -> Connect:
    """Makes connections of asyncpg's."""
    return partial(
        asyncpg.connect,
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        timeout=SECONDS_TO_CONNECT,
        server_settings={"application_name": "confab"},
    )


@asynccontextmanager
async def _owned(connect: Connect, url: URL, wait_seconds: float) -> AsyncIterator[asyncio.Event]:
    """Own the database meanwhile. The event is set when the connection that holds the lock ends too early."""
    lost = asyncio.Event()

    def lose(_connection: object) -> None:
        lost.set()

    owner = await connect_to(connect, url)
    try:
        await _take_lock(owner, wait_seconds, url)
        owner.add_termination_listener(lose)
        yield lost
    finally:
        owner.remove_termination_listener(lose)
        await _let_go(owner)


def check_encoding(connection: Connection, url: URL) -> None:
    """Raises StartupRefused where the database cannot hold every text."""
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise StartupRefused(f"{where(url)} is encoded as {encoding}. Create the database with ENCODING 'UTF8'.")


def refusal(error: DBAPIError | OSError | asyncpg.InterfaceError, url: URL) -> StartupRefused:
    """What to tell the operator when opening or migrating failed; never with the password."""
    code = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
    cut_off = isinstance(error, OSError | asyncpg.InterfaceError) or getattr(
        error, "connection_invalidated", False
    )
    kind = DatabaseAway if cut_off or code.startswith(_PASSING) else StartupRefused
    if cure := _CURES.get(code):
        return kind(f"{where(url)} {cure}")
    return kind(f"{where(url)} cannot be used ({code or type(error).__name__}). Check the server's log.")


async def connect_to(connect: Connect, url: URL) -> Any:
    """Raises StartupRefused."""
    try:
        return await connect()
    except asyncpg.PostgresError as error:
        raise refusal(error, url) from error
    except OSError as error:
        raise DatabaseAway(
            f"{where(url)} cannot be reached ({why_unreachable(error)}). "
            "Check that it runs, and host and port in DATABASE_URL."
        ) from error
    except (ValueError, asyncpg.InterfaceError) as error:
        # Without its cause, which may repeat the URL with the password.
        raise StartupRefused(
            f"DATABASE_URL cannot be read as a PostgreSQL address ({type(error).__name__}). "
            "Write postgresql://user:password@host/database."
        ) from None


async def _take_lock(owner: Any, wait_seconds: float, url: URL) -> None:
    """Take the lock, waiting for a predecessor that is just being stopped."""
    try:
        await owner.execute(f"SET lock_timeout = {max(1, int(wait_seconds * 1000))}")
        await owner.execute(f"SELECT pg_advisory_lock({OWNER_LOCK})")
        await owner.execute("SET lock_timeout = 0")
    except asyncpg.LockNotAvailableError:
        raise DatabaseInUse(
            f"Another bot is using {where(url)}. Stop it first, or give this one a database of its own."
        ) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise refusal(error, url) from error


async def _let_go(owner: Any) -> None:
    try:
        await owner.close(timeout=SECONDS_TO_CONNECT)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        owner.terminate()  # the server is gone, and the lock with it


def where(url: URL) -> str:
    host = url.host or url.query.get("host") or "this machine"
    return f"PostgreSQL at {host}{f':{url.port}' if url.port else ''}, database {url.database or url.username}"
