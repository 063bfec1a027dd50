"""One call fails, for each call of a full turn: the bot goes on by itself, and nothing is lost or said twice."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from bot.core.errors import DatabaseUnavailable
from bot.core.wording import waiting_sentence
from bot.playground.loopback import Message
from tests.durability.scene import scened
from tests.durability.tables import tables
from tests.model_server import Gate

OPEN = "SELECT id FROM turns WHERE state IN ('waiting', 'answering', 'drafting', 'written')"
TOLD = (DatabaseUnavailable.user_message, DatabaseUnavailable.waiting_message)
SECONDS_FOR_A_NOTICE = 0.3  # that does not come where its own call fails
SECONDS_TO_SETTLE = 20.0
SECONDS_BETWEEN_LOOKS = 0.01
MOST_CALLS = 300
AT_LEAST_COMMITS, AT_LEAST_REQUESTS = 12, 6  # in such a turn

Failed = Callable[[], bool]  # whether a call has failed by now


@pytest.fixture
async def scene(database_url, clock):
    async with scened(database_url, channels=1, clock=clock) as scene:
        yield scene


class Nth:
    def __init__(self, n: int) -> None:
        self._left = n

    def passed(self) -> bool:
        """Whether this is the nth call."""
        self._left -= 1
        return self._left == 0

    def failed(self) -> bool:
        return self._left <= 0


def fault(scene) -> Exception:
    """What the database's driver raises."""
    return sqlite3.OperationalError("fault") if scene.stage.database_url.startswith("sqlite") else OSError("fault")


@contextmanager
def statement_fails(scene, n: int) -> Iterator[Failed]:
    nth = Nth(n)

    def execute(*_call: Any) -> None:
        if nth.passed():
            raise fault(scene)

    event.listen(Engine, "do_execute", execute)
    try:
        yield nth.failed
    finally:
        event.remove(Engine, "do_execute", execute)


def commit_fails(*, carried_out: bool) -> Callable[..., AbstractContextManager[Failed]]:
    @contextmanager
    def failing(scene, n: int) -> Iterator[Failed]:
        nth, commit = Nth(n), DefaultDialect.do_commit

        def fails(self: DefaultDialect, connection: Any) -> None:
            is_nth = nth.passed()
            if carried_out or not is_nth:
                commit(self, connection)
            if is_nth:
                raise fault(scene)

        DefaultDialect.do_commit = fails  # type: ignore[method-assign]
        try:
            yield nth.failed
        finally:
            DefaultDialect.do_commit = commit  # type: ignore[method-assign]

    return failing


def request_fails(**how: Any) -> Callable[..., AbstractContextManager[Failed]]:
    @contextmanager
    def failing(scene, n: int) -> Iterator[Failed]:
        faults = scene.stage.discord.faults
        injected = faults.add("*", "", skip=n - 1, **how)
        try:
            yield lambda: injected.times == 0
        finally:
            faults.clear()

    return failing


async def full_turn(scene, *, patience: float = SECONDS_FOR_A_NOTICE) -> Message | None:
    """A question, and a second person's that waits; an answer to each, the second's of two messages.

    Returns when nothing is open, and nothing wrong: what the second person saw first, if it was there in time.
    """
    discord, (channel,) = scene.stage.discord, scene.channels
    scene.gate, scene.asked = Gate(), scene.asked + (2 - scene.asked) % 4  # each fourth answer is a long one
    first = await scene.ask(channel, scene.stage.you)
    waits = await scene.ask(channel, scene.stage.ada)
    told = None
    with suppress(TimeoutError):
        told = await discord.until(lambda: scene.stage.reply_to(waits), seconds=patience)
    scene.gate.open()
    await discord.until(lambda: all(map(scene.stage.reply_to, (first, waits))), seconds=SECONDS_TO_SETTLE)
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS_TO_SETTLE):
            while any(await amiss(scene)):
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
    assert await amiss(scene) == ([], [])
    return told


async def amiss(scene) -> tuple[list[Any], list[Any]]:
    """What is open, and what is wrong."""
    return (await tables(scene.stage.database_url, OPEN))[0], await scene.violations(sentences=TOLD)


async def each_call_fails(scene, failing: Callable[..., AbstractContextManager[Failed]]) -> int:
    """How many calls there are in a turn."""
    async with scene.bot():
        told = await full_turn(scene, patience=SECONDS_TO_SETTLE)
        assert told.versions[0] == waiting_sentence(1)
        for n in range(1, MOST_CALLS):
            with failing(scene, n) as failed:
                await full_turn(scene)
                if not failed():
                    break
    async with scene.bot():
        await full_turn(scene)
    return n - 1


@pytest.mark.parametrize(
    ("failing", "at_least"),
    [
        (statement_fails, 30),
        (commit_fails(carried_out=False), AT_LEAST_COMMITS),
        (commit_fails(carried_out=True), AT_LEAST_COMMITS),
    ],
    ids=["a statement", "a commit", "a commit that was carried out"],
)
async def test_the_database_fails_once(scene, failing, at_least) -> None:
    assert await each_call_fails(scene, failing) >= at_least


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", [{"what": "reset"}, {"status": 500}], ids=["a reset", "a 500"])
async def test_a_request_to_discord_fails_once(scene, how, when) -> None:
    assert await each_call_fails(scene, request_fails(when=when, **how)) >= AT_LEAST_REQUESTS
