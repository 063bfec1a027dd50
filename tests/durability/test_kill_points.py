"""`kill -9` at each named point: after the next start everything is answered, once, in order, and paid for."""

import sqlite3

import pytest

from tests.durability.points import POINTS
from tests.durability.scene import ended, scened, stopped

KILLED = -9
AT_ANOTHER_TIME = ("in catch-up", "in a migration", "in the shutdown")
ONCE = ("between parts",)  # passed in one run
POSTED = ("before a post", "in the library's sleep", "between parts")  # where Discord's nonces matter
ON_POSTGRESQL = (
    "before the intake's commit",
    "after the intake's commit",
    "after the first token",
    "after the text's commit",
    "between parts",
)


async def carried_on(scene):
    """A bot that is left alone, until everything is answered; what is wrong then."""
    program = await scene.start()
    await scene.settled()
    status, _ = await stopped(program)
    assert status == 0
    return await scene.violations()


@pytest.mark.parametrize(
    ("database_url", "point", "nonces"),
    [("sqlite", point, "known") for point in POINTS if point not in AT_ANOTHER_TIME]
    + [("sqlite", point, "forgotten") for point in POSTED]
    + [("postgresql", point, "known") for point in ON_POSTGRESQL],
    indirect=["database_url"],
)
async def test_a_kill_loses_nothing_and_doubles_nothing(scene, point, nonces) -> None:
    program = await scene.start(CONFAB_TEST_KILL_AT=point, CONFAB_TEST_HIT="1" if point in ONCE else "2")
    await scene.connected(program)
    await scene.ask_everywhere()
    assert (await ended(program))[0] == KILLED
    if nonces == "forgotten":
        scene.stage.discord.nonce_seconds = 0.0

    assert await carried_on(scene) == []


@pytest.mark.parametrize(
    ("database_url", "nonces"),
    [("sqlite", "known"), ("sqlite", "forgotten"), ("postgresql", "forgotten")],
    indirect=["database_url"],
)
async def test_a_kill_while_discord_has_stored_a_post_and_not_said_so(scene, nonces) -> None:
    program = await scene.start()
    await scene.connected(program)
    scene.stage.discord.faults.add("POST", r"/channels/\d+/messages$", what="hang", when="after")
    await scene.ask_everywhere()
    await scene.stage.discord.until(lambda: any(request.fault for request in scene.stage.discord.requests))
    program.kill()
    await ended(program)
    scene.stage.discord.faults.clear()
    if nonces == "forgotten":
        scene.stage.discord.nonce_seconds = 0.0

    assert await carried_on(scene) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_kill_in_the_catch_up(scene) -> None:
    program = await scene.start()
    await scene.connected(program)
    await scene.ask_everywhere(times=1)
    await scene.settled()
    await stopped(program)
    await scene.ask_everywhere(times=2)
    program = await scene.start(CONFAB_TEST_KILL_AT="in catch-up", CONFAB_TEST_HIT="3")
    assert (await ended(program))[0] == KILLED

    assert await carried_on(scene) == []


async def test_a_kill_in_the_shutdown(scene) -> None:
    scene.gap = 0.02
    program = await scene.start(CONFAB_TEST_KILL_AT="in the shutdown")
    await scene.connected(program)
    await scene.ask_everywhere()
    await scene.stage.model.received(2)
    assert (await stopped(program))[0] == KILLED

    assert await carried_on(scene) == []


async def test_a_kill_in_a_migration(tmp_path) -> None:
    async with scened(f"sqlite:///{tmp_path}/bot.db") as scene:
        program = await scene.start(CONFAB_TEST_KILL_AT="in a migration")
        assert (await ended(program))[0] == KILLED
        left = sqlite3.connect(tmp_path / "bot.db").execute("SELECT count(*) FROM sqlite_master").fetchone()
        program = await scene.start()
        await scene.connected(program)
        await scene.ask_everywhere()
        await scene.settled()
        await stopped(program)

        assert left == (0,)
        assert await scene.violations() == []
