"""Three channels, two people, a model, and a bot that is about to be killed."""

import pytest

from tests.durability.scene import scened


@pytest.fixture
async def scene(tmp_path):
    async with scened(f"sqlite:///{tmp_path}/bot.db") as scene:
        yield scene
