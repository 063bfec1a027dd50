"""A model of ours in front of a server on loopback."""

import pytest

from bot.llm.chat_model import OpenAIChatModel
from tests.model_server import MODEL, ModelServer


@pytest.fixture
async def server():
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def model(server):
    async with OpenAIChatModel(model=MODEL, api_key="sk-test", base_url=server.base_url) as model:
        yield model
