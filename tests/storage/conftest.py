"""Every store test runs on SQLite and on PostgreSQL."""

import asyncio

import pytest

from bot.storage.turns import open_store
from tests.clock import ManualClock
from tests.conftest import execute


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bot.db'}"
        return
    url = request.getfixturevalue("postgresql")
    asyncio.run(execute(url, "CREATE DATABASE empty"))
    yield url.replace("/postgres?", "/empty?")
    asyncio.run(execute(url, "DROP DATABASE empty WITH (FORCE)"))


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def store(database_url, clock):
    async with open_store(database_url, clock=clock) as store:
        yield store
