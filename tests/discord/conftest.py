"""The stage that answers are delivered on: a real client before a loopback Discord."""

import pytest

from tests.discord.stage import staged


@pytest.fixture
async def stage(monkeypatch):
    async with staged(monkeypatch) as stage:
        yield stage


@pytest.fixture
async def deaf_stage(monkeypatch):
    """Nothing that is posted or edited here is heard over the gateway."""
    async with staged(monkeypatch, hears=False) as stage:
        yield stage
