"""A loopback Discord on a manual clock; whatever is said to it is held against Discord's description."""

import pytest

from bot.playground.loopback import LoopbackDiscord
from tests.clock import ManualClock
from tests.openapi import DESCRIPTION, validate_record
from tests.playground.loopback.clients import discord_client, gateway_client, rest_client


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def loopback(clock):
    async with LoopbackDiscord(clock=clock) as loopback:
        yield loopback
        if DESCRIPTION.exists():
            validate_record(loopback.requests)


@pytest.fixture
async def rest(loopback):
    async with rest_client(loopback) as client:
        yield client


@pytest.fixture
async def gateway(loopback):
    """A gateway connection that has said hello and is not yet identified."""
    async with gateway_client(loopback) as client:
        yield client


@pytest.fixture
async def client(loopback, monkeypatch):
    """A real discord.Client, connected."""
    async with discord_client(loopback, monkeypatch) as client:
        yield client


@pytest.fixture
def general(loopback):
    return loopback.channel("#general")


@pytest.fixture
def you(loopback):
    return loopback.user("you")


@pytest.fixture
def ada(loopback):
    return loopback.user("ada")


@pytest.fixture
def messages_path(general):
    return f"/channels/{general.id}/messages"
