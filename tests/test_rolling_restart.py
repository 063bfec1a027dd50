"""Two programs on one PostgreSQL database: the second waits, and carries on where the first one ended."""

import asyncio
import signal

import asyncpg
import pytest

from bot.app import _end_answers
from bot.playground.loopback import LoopbackDiscord
from tests.model_server import Answer, Gate, ModelServer
from tests.pressing import LONG, answers
from tests.whole_bot import Stage

OWNER_OF_LOCK = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
WAITING = OWNER_OF_LOCK.replace("granted", "NOT granted")


pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def stage(database_url):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=database_url)


@pytest.fixture
async def database(stage):
    connection = await asyncpg.connect(stage.database_url)
    yield connection
    await connection.close()


@pytest.fixture
def server(postgresql_server):
    """PostgreSQL itself, to be stopped; others find it running."""
    yield postgresql_server
    postgresql_server.ensure_postgres_running()


async def ended(program):
    async with asyncio.timeout(30):
        _, log = await program.communicate()
    return program.returncode, log.decode()


async def successor(stage, database):
    """A second program, which waits for the first one's database."""
    program = await stage.start()
    async with asyncio.timeout(30):
        while not await database.fetch(WAITING):
            await asyncio.sleep(0.01)
    return program


async def test_a_rolling_restart_loses_nothing_and_doubles_nothing(stage, database) -> None:
    gate = Gate()
    stage.model.script(Answer(text="First.", gate=gate), Answer(text="Second."), Answer(text="Third."))
    old = await stage.start()
    await stage.discord.until(lambda: stage.connected)
    await stage.discord.post(stage.general, stage.you, "one")
    await stage.model.received(1)
    new = await successor(stage, database)

    old.send_signal(signal.SIGTERM)
    await stage.discord.post(stage.general, stage.ada, "two")  # heard by the old one or by none
    gate.open()
    status, _ = await ended(old)
    await stage.discord.post(stage.general, stage.you, "three")  # heard by nobody, or by the new one
    await stage.discord.until(lambda: len(answers(stage)) == 3 and answers(stage)[-1].content == "Third.")
    new.send_signal(signal.SIGTERM)

    assert (status, (await ended(new))[0]) == (0, 0)
    assert [each.content for each in answers(stage)] == ["First.", "Second.", "Third."]
    assert [text for _, text in stage.prompts()[-1]][1:] == [
        "You: one",
        "First.",
        "Ada: two",
        "Second.",
        "You: three",
    ]


@pytest.mark.parametrize("lost", ["killed", "lock", "lock while it stops"])
async def test_who_loses_the_database_posts_no_more_and_the_next_one_carries_on(stage, database, lost) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate), Answer(text="Written by the second."))
    old = await stage.start(SHUTDOWN_GRACE_SECONDS="60")
    await stage.discord.until(lambda: stage.connected)
    await stage.discord.post(stage.general, stage.you, "one")
    gate.let_out(10)
    (draft,) = await stage.discord.until(lambda: answers(stage))
    new = await successor(stage, database)

    if lost == "lock while it stops":
        old.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            while b"stopping" not in await old.stderr.readline():
                pass
    if lost == "killed":
        old.kill()
    else:
        await database.fetch("SELECT pg_terminate_backend($1)", await database.fetchval(OWNER_OF_LOCK))
    status, log = await ended(old)
    gate.open()
    await stage.settled(draft, "Written by the second.")
    new.send_signal(signal.SIGTERM)

    assert (await ended(new))[0] == 0
    assert len(answers(stage)) == 1
    assert status == {"killed": -signal.SIGKILL, "lock": 2, "lock while it stops": 0}[lost]
    assert ("another bot may answer now" in log) == (lost == "lock")
    assert ("Another bot is using" in log) == (lost == "lock")  # it wanted the lock back, and did not get it


async def test_a_bot_whose_server_is_restarted_carries_on_where_it_was(stage, server) -> None:
    gate = Gate()
    stage.model.script(Answer(text="First."), Answer(text=LONG, gate=gate), Answer(text="Second."))
    bot = await stage.start()
    await stage.discord.until(lambda: stage.connected)
    await stage.settled(await stage.ask("one"), "First.")
    await stage.discord.post(stage.general, stage.you, "two")
    gate.let_out(10)
    _, draft = await stage.discord.until(lambda: len(answers(stage)) == 2 and answers(stage))

    await asyncio.to_thread(server.stop)
    await logged(bot, "the lock on the database was lost")
    gate.open()
    await logged(bot, "waiting for the database: ")
    meanwhile = await stage.discord.post(stage.general, stage.ada, "three")
    await asyncio.to_thread(server.ensure_postgres_running)
    stage.model.script(Answer(text="Third."))
    await stage.settled(draft, "Second.")
    await stage.discord.until(lambda: stage.reply_to(meanwhile) and answers(stage)[-1].content == "Third.")
    bot.send_signal(signal.SIGTERM)

    assert (await ended(bot))[0] == 0
    assert [each.content for each in answers(stage)] == ["First.", "Second.", "Third."]
    assert [text for _, text in stage.prompts()[-1]][1:] == [
        "You: one",
        "First.",
        "You: two",
        "Second.",
        "Ada: three",
    ]


async def test_a_bot_that_waits_for_its_server_can_be_stopped(stage, server) -> None:
    bot = await stage.start()
    await stage.discord.until(lambda: stage.connected)
    await asyncio.to_thread(server.stop)
    await logged(bot, "waiting for the database: ")

    bot.send_signal(signal.SIGTERM)

    assert (await ended(bot))[0] == 0


async def logged(program, words):
    """Wait for a line of the log with *words*."""
    async with asyncio.timeout(30):
        while line := (await program.stderr.readline()).decode():
            if words in line:
                return
    raise AssertionError(f"the program ended without saying: {words}")


async def test_who_loses_the_database_hears_nothing_more_before_letting_go(database_url) -> None:
    serving = asyncio.create_task(asyncio.sleep(3600))
    heard = []

    class Queue:
        async def drain(self, *, grace):
            await asyncio.sleep(grace)

        async def let_go(self):
            heard.append(serving.cancelling() == 0)

    class Store:
        ownership_lost = asyncio.Event()

    Store.ownership_lost.set()
    await _end_answers(Queue(), Store(), serving, grace=3600)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)

    assert heard == [False]
