"""The databases that tests run on. The PostgreSQL server is one a session."""

import asyncio
import os
import shutil
from contextlib import ExitStack

import pytest

from bot.storage.database import open_database
from bot.storage.schema import metadata
from tests import postgresql as from_a_wheel
from tests.postgresql import execute, new_database

TABLES = ", ".join(metadata.tables)


@pytest.fixture(scope="session")
def postgresql_server():
    with ExitStack() as stack:
        try:
            server = stack.enter_context(from_a_wheel.postgresql_server())
        except Exception as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"PostgreSQL does not start here: {error!r}")
        yield server


@pytest.fixture(scope="session")
def postgresql(postgresql_server):
    """The URL of the server's own database, to make others from."""
    return postgresql_server.get_uri()


@pytest.fixture(scope="session")
def postgresql_with_tables(postgresql_server):
    url = new_database(postgresql_server, "kept")
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
