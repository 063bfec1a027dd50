"""SIGTERM while answers are under way and questions wait."""

from tests.durability.scene import scened
from tests.durability.shutdown import stop_under_load


async def test_a_stop_under_load_ends_by_itself_and_loses_and_doubles_nothing(tmp_path) -> None:
    async with scened(f"sqlite:///{tmp_path}/bot.db", channels=6) as scene:
        stopping = await stop_under_load(scene, waiting=15)

    assert stopping.status == 0
    assert (stopping.ended, stopping.cut_short) == (3, 3)
    assert stopping.begun == 0
    assert stopping.violations == []
