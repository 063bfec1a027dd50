"""Three channels, two people, a model, and a bot that is about to be killed; or one that is in a hurry."""

import asyncio
from types import SimpleNamespace

import discord
import pytest

from tests.clock import HurriedClock
from tests.durability.scene import scened

TIMES = 50.0


@pytest.fixture
async def scene(database_url):
    async with scened(database_url) as scene:
        yield scene


@pytest.fixture
def clock(monkeypatch):
    """For a bot in the test's own process: its pauses are short, and those that the library makes by itself."""
    short = SimpleNamespace(**vars(asyncio) | {"sleep": lambda seconds: asyncio.sleep(seconds / TIMES)})
    monkeypatch.setattr(discord.http, "asyncio", short)
    return HurriedClock(TIMES)
