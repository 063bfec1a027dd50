"""Three channels, two people, a model, and a bot that is about to be killed."""

import pytest

from tests.durability.scene import scened


@pytest.fixture
async def scene(database_url):
    async with scened(database_url) as scene:
        yield scene
