"""Getting into a session again, whatever went wrong, without hurry and leaving nothing behind."""

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator

import pytest
from discord.gateway import DiscordWebSocket, ReconnectWebSocket
from yarl import URL

from bot.discord.connecting import (
    LONGEST_PAUSE_SECONDS,
    SECOND_PAUSE_SECONDS,
    SECONDS_BETWEEN_SESSIONS,
    SECONDS_TO_BE_LET_IN,
    SECONDS_TO_STAND,
)
from bot.discord.gateway_socket import GatewaySocket
from bot.discord.identify import SESSIONS, WINDOW, IdentifyPace
from bot.playground.loopback import gateway_line
from bot.playground.loopback.gateway import Gateway
from bot.playground.loopback.gateway_line import GatewayLine
from tests.discord.connected import Connected, connected, prepared


@pytest.fixture
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connected]:
    """#general is a chat channel."""
    async with connected(monkeypatch, chat_channels=["#general"]) as here:
        yield here


def lines(here: Connected):
    return here.discord._door.lines


def hellos(here: Connected):
    return [hello.kind for hello in here.discord.hellos]


def keeping_alive():
    return [thread for thread in threading.enumerate() if thread.name.startswith("keep-alive-handler")]


async def until(becomes_true) -> None:
    async with asyncio.timeout(10):
        while not becomes_true():
            await asyncio.sleep(0)


async def nothing_is_left(here: Connected) -> None:
    """No connection, no thread, no coroutine that nobody awaited: that would be a warning, and an error here."""
    await until(lambda: not lines(here) and not keeping_alive())
    gc.collect()


# Into the right session


async def test_a_connection_lost_before_its_session_begins_is_made_anew_and_nothing_is_resumed(here, monkeypatch):
    cut = asyncio.Event()
    count = IdentifyPace.count

    async def cut_first(pace):
        if not cut.is_set():
            cut.set()
            here.discord.faults.cut_gateway()
            while here.client.ws.open or lines(here):
                await asyncio.sleep(0)
        await count(pace)

    monkeypatch.setattr(IdentifyPace, "count", cut_first)
    here.discord.faults.invalidate_session(resumable=False)
    await here.clock.until_sleeping()
    await here.clock.advance(SECONDS_BETWEEN_SESSIONS)
    await asyncio.wait_for(cut.wait(), 10)
    await here.clock.until_sleeping()
    await here.clock.advance(SECONDS_BETWEEN_SESSIONS)

    await here.discord.until(lambda: len(here.discord.hellos) > 1)
    assert hellos(here) == ["identify", "identify"]
    await until(lambda: len(keeping_alive()) == 1)


async def test_a_session_whose_turn_is_not_yet_is_waited_for_without_a_connection(here):
    pace = here.client._identify_pace
    for _ in range(SESSIONS):
        await pace.count()

    here.discord.faults.invalidate_session(resumable=False)
    await here.clock.until_sleeping()
    await here.clock.advance(WINDOW.total_seconds() - 1)
    assert not lines(here)
    await here.clock.advance(1)

    await here.discord.until(lambda: len(here.discord.hellos) == 2)
    assert hellos(here) == ["identify", "identify"]


async def test_the_first_session_after_a_start_waits_for_its_turn_in_the_same_way(monkeypatch, caplog):
    async with prepared(monkeypatch) as here:
        for _ in range(SESSIONS):
            await here.client._identify_pace.count()
        running = asyncio.create_task(here.client.run_forever(here.discord.token))
        await until(lambda: "too many sessions" in caplog.text)

        await here.clock.advance(WINDOW.total_seconds() - 1)
        assert not lines(here)
        await here.clock.advance(1)

        await here.discord.until(lambda: here.discord.sessions)
        await here.client.close()
        await running


async def test_it_can_be_stopped_while_a_session_waits_for_its_turn(here):
    for _ in range(SESSIONS):
        await here.client._identify_pace.count()
    here.discord.faults.invalidate_session(resumable=False)
    await here.clock.until_sleeping()
    await here.clock.advance(WINDOW.total_seconds() / 2)

    await here.client.close()

    assert hellos(here) == ["identify"]  # and the fixture waits for the client's end


async def test_a_session_whose_own_address_is_away_is_resumed_at_the_general_one(here):
    here.client.ws.gateway = URL("ws://127.0.0.1:9")
    here.discord.faults.cut_gateway()
    await here.clock.until_sleeping()
    await here.clock.advance(SECOND_PAUSE_SECONDS)

    await here.discord.until(lambda: here.discord.sessions)
    assert hellos(here) == ["identify", "resume"]


async def test_a_resume_without_an_answer_gives_way_to_a_new_session(here, monkeypatch):
    asked = asyncio.Event()
    monkeypatch.setattr(GatewayLine, "_resume", lambda line, content: asked.set())
    here.discord.faults.cut_gateway()
    await asyncio.wait_for(asked.wait(), 10)

    await here.clock.advance(SECONDS_TO_BE_LET_IN)
    await until(lambda: not lines(here))
    await here.clock.until_sleeping()
    await here.clock.advance(SECONDS_BETWEEN_SESSIONS)

    await here.discord.until(lambda: here.discord.sessions)
    assert hellos(here) == ["identify", "identify"]


async def test_an_event_that_is_not_understood_is_read_in_a_new_session(here, caplog):
    parsers = here.client._connection.parsers
    understood = parsers["MESSAGE_CREATE"]

    def stumble(_data):
        parsers["MESSAGE_CREATE"] = understood
        raise KeyError("flags")

    await here.client.wait_until_ready()
    parsers["MESSAGE_CREATE"] = stumble
    with caplog.at_level(logging.ERROR):
        await here.discord.post(here.general, here.you, "my secret diary")
        await here.clock.until_sleeping()
        await until(lambda: not lines(here))
        await here.clock.advance(SECONDS_BETWEEN_SESSIONS)
        await here.intake.until(lambda: here.intake.texts)

    assert here.intake.texts == ["my secret diary"]
    assert hellos(here) == ["identify", "identify"]
    assert "was not understood" in caplog.text
    assert "diary" not in caplog.text


# Without hurry


@pytest.mark.parametrize("fault", [ReconnectWebSocket(None), OSError(), TimeoutError(), KeyError("op")], ids=type)
async def test_whatever_ends_each_connection_only_a_few_a_minute_are_made(here, monkeypatch, fault):
    made = []

    async def fail(*_, **how):
        made.append(how)
        raise fault

    known = here.client.ws
    session = {"session": known.session_id, "sequence": known.sequence, "gateway": known.gateway}
    monkeypatch.setattr(GatewaySocket, "from_client", fail)
    here.discord.faults.cut_gateway()
    await here.clock.until_sleeping()
    minutes = 10
    await here.clock.advance(60 * minutes)

    assert made[0] == session | {"resume": True}
    assert minutes <= len(made) <= minutes * (60 / LONGEST_PAUSE_SECONDS) + 10


async def test_a_connection_that_stood_for_a_minute_is_made_anew_at_once(here):
    for resumes in (1, 2):
        await until(lambda: here.client.let_in)
        await here.clock.advance(SECONDS_TO_STAND)
        here.discord.faults.cut_gateway()

        await here.discord.until(lambda: hellos(here)[1:] == ["resume"] * resumes)  # noqa: B023 - it ends in this round


# Nothing left behind

STAGES = ("connecting", "before HELLO", "before IDENTIFY", "before READY", "in the session")


def hold(monkeypatch: pytest.MonkeyPatch, stage: str) -> asyncio.Event:
    """The next connections get no further than *stage*; set as soon as one is there."""
    reached, begin = asyncio.Event(), Gateway.begin
    monkeypatch.setattr(gateway_line, "HEARTBEAT_MILLISECONDS", 20)

    async def mute(_socket, request):
        while request.transport is not None:  # nor is anything read: not even that it is being closed
            await asyncio.sleep(0)

    async def take_no_connection(socket, request):
        reached.set()
        await mute(socket, request)

    async def say_nothing(line):
        await take_no_connection(line._socket, line._request)

    async def say_hello_alone(line):
        await line._socket.send_json({"op": gateway_line.HELLO, "d": {"heartbeat_interval": 20}})
        await mute(line._socket, line._request)

    async def hang(_pace):
        reached.set()
        await asyncio.Event().wait()

    def begin_and_tell(*given, **how):
        reached.set()
        return begin(*given, **how)

    if stage == "before IDENTIFY":
        monkeypatch.setattr(GatewayLine, "serve", say_hello_alone)
    instead = {
        "connecting": (gateway_line.web.WebSocketResponse, "prepare", take_no_connection),
        "before HELLO": (GatewayLine, "serve", say_nothing),
        "before IDENTIFY": (IdentifyPace, "count", hang),
        "before READY": (GatewayLine, "_identify", lambda *_: reached.set()),
        "in the session": (Gateway, "begin", begin_and_tell),
    }
    monkeypatch.setattr(*instead[stage])
    return reached


@pytest.mark.parametrize("how", ["closed", "cancelled"])
@pytest.mark.parametrize("stage", STAGES)
async def test_however_far_it_got_a_stop_leaves_nothing_behind(monkeypatch, stage, how):
    reached = hold(monkeypatch, stage)
    async with prepared(monkeypatch) as here:
        running = asyncio.create_task(here.client.run_forever(here.discord.token))
        await asyncio.wait_for(reached.wait(), 10)

        if how == "closed":
            await here.client.close()
            await asyncio.wait_for(running, 10)
        else:
            running.cancel()
            await asyncio.wait({running}, timeout=10)
            assert running.cancelled()
        await nothing_is_left(here)
        assert not here.discord._gateway._sessions  # nobody sees it online any more


@pytest.mark.parametrize("stage", STAGES[:-1])
async def test_a_handshake_without_an_end_is_given_up_and_leaves_nothing_behind(monkeypatch, stage):
    async with prepared(monkeypatch) as here:
        with monkeypatch.context() as for_now:
            reached = hold(for_now, stage)
            running = asyncio.create_task(here.client.run_forever(here.discord.token))
            await asyncio.wait_for(reached.wait(), 10)
            await here.clock.advance(SECONDS_TO_BE_LET_IN - 1)
            assert not here.client.is_closed()
            await here.clock.advance(1)
            await here.clock.until_sleeping()
            await nothing_is_left(here)
        await here.clock.advance(SECONDS_BETWEEN_SESSIONS)

        await here.discord.until(lambda: here.discord.sessions)
        assert hellos(here) == ["identify"]
        await here.client.close()
        await running


@pytest.mark.parametrize(("step", "how"), [("identify", False), ("resume", True)])
async def test_a_hello_that_cannot_be_answered_leaves_nothing_behind(here, monkeypatch, step, how):
    send = getattr(DiscordWebSocket, step)

    async def fail_once(_socket):
        monkeypatch.setattr(DiscordWebSocket, step, send)
        raise ConnectionResetError

    monkeypatch.setattr(DiscordWebSocket, step, fail_once)
    here.discord.faults.invalidate_session(resumable=how)
    while len(here.discord.hellos) < 2:
        await here.clock.until_sleeping()
        await here.clock.advance(1)

    assert hellos(here) == ["identify", step]
    await until(lambda: len(keeping_alive()) == len(lines(here)) == 1)
