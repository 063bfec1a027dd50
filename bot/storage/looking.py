"""Reads a database from outside, also beside a running bot, and changes nothing."""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import asyncpg  # type: ignore[import-untyped]  # asyncpg carries no types
from sqlalchemy import URL, Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from bot.storage.postgresql import connect_to, connecting
from bot.storage.postgresql import refusal as postgresql_refusal
from bot.storage.sqlite import refusal as sqlite_refusal

T = TypeVar("T")


def look_into_sqlite(path: Path, work: Callable[[Connection], T], *, in_use: bool = False) -> T:
    """*in_use*: a bot is known to have the file open. Raises StartupRefused."""
    wal = path.with_name(path.name + "-wal")
    # Without a WAL, immutable: else SQLite would leave an empty one and its index behind.
    mode = "mode=ro" if in_use or wal.exists() else "immutable=1"
    connect = partial(sqlite3.connect, f"file:{quote(str(path))}?{mode}", uri=True)
    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            return work(connection)
    except (DBAPIError, sqlite3.Error) as error:
        raise sqlite_refusal(error, path, reading=True) from error


async def look_into_postgresql(url: URL, work: Callable[[Connection], T]) -> T:
    """In one read-only transaction. Raises StartupRefused."""
    owned = await connect_to(connecting(url), url)

    async def connect() -> Any:
        return owned

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool, hide_parameters=True
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SET TRANSACTION READ ONLY"))
            return await connection.run_sync(work)
    except (DBAPIError, asyncpg.PostgresError, OSError) as error:
        raise postgresql_refusal(error, url) from error
    finally:
        await engine.dispose()
