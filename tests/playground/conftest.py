"""A small bot in a loopback Discord that limits nobody."""

import pytest

from bot.playground.loopback import LoopbackDiscord
from tests.playground.small_bot import small_bot


@pytest.fixture
async def loopback():
    async with LoopbackDiscord(rate_limits=False) as loopback:
        yield loopback


@pytest.fixture
async def bot(loopback):
    async with small_bot(loopback) as bot:
        yield bot
