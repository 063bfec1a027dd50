"""Whatever Discord refuses: nothing permanent is asked for twice, and what can still be delivered is.

What is held elsewhere:

| fault | where |
|---|---|
| 429 of a channel, shared, global; a page of Cloudflare's | discord/test_pacer.py, discord/test_outbound.py |
| first handshake refused, connection lost, zombie, op 7, op 9 that can be resumed | discord/test_client.py |
| closed for good (4004, 4012, 4014), a day's sessions | discord/test_client.py, discord/test_preflight.py |
| op 9 that ends the session | test_catch_up.py |
| 10008: the question, or an answer of ours, was deleted | discord/test_outbound.py |
| 160002: no permission to read the history | discord/test_live_message.py |
| 5xx, resets, half an answer | discord/test_outbound.py, durability/ |
| 4xx that somebody between says | discord/test_outbound.py, test_catch_up.py, discord/test_access.py |
| thousands of refusals | test_whole_bot.py |
"""

import asyncio
import sqlite3
from contextlib import asynccontextmanager

import pytest

from bot.app import run_bot
from bot.core import answer
from bot.core.errors import StartupRefused
from bot.discord import requests
from bot.playground.loopback import LoopbackDiscord
from tests.clock import LeapingClock
from tests.model_server import Answer, Gate, ModelServer
from tests.openapi import validate_record
from tests.whole_bot import Stage

MESSAGES = r"/channels/\d+/messages$"
ANSWER = "The sky is blue because air scatters short waves of light far more than long ones."
FILTERED = "This server's filters refused my answer, so I can't show it here."
SECONDS_UNTIL_ASKED_AGAIN = 601  # where the bot may not write


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        model.answer(ANSWER)
        yield Stage(
            discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", clock=LeapingClock()
        )


def stored(stage, sql):
    with sqlite3.connect(stage.database_url.removeprefix("sqlite:///")) as connection:
        return connection.execute(sql).fetchall()


async def until_stored(stage, sql, rows):
    async with asyncio.timeout(10):
        while stored(stage, sql) != rows:
            await asyncio.sleep(0)


def posts(stage):
    return [each for each in stage.discord.requests if each.method == "POST" and each.route.endswith("/messages")]


def said(stage):
    return [each.content for each in stage.discord.messages(stage.general) if each.author.bot]


@pytest.mark.parametrize(
    ("status", "code", "outcome", "instead"),
    [
        pytest.param(403, 50013, "undeliverable", [], id="50013 no permission"),
        pytest.param(403, 50001, "undeliverable", [], id="50001 no access"),
        pytest.param(403, 50007, "undeliverable", [], id="50007 takes no messages from us"),
        pytest.param(400, 50083, "undeliverable", [], id="50083 archived thread"),
        pytest.param(400, 160005, "undeliverable", [], id="160005 locked thread"),
        pytest.param(400, 50035, "undeliverable", [], id="50035 no reply to a system message"),
        pytest.param(404, 10003, "undeliverable", [], id="10003 channel gone"),
        pytest.param(400, 200000, "text_refused", [FILTERED], id="200000 AutoMod"),
        pytest.param(400, 240000, "text_refused", [FILTERED], id="240000 harmful link"),
    ],
)
async def test_what_discord_refuses_for_good_is_asked_once_and_the_next_answer_comes(
    stage, status, code, outcome, instead
) -> None:
    refusal = stage.discord.faults.add(
        "POST", MESSAGES, status=status, code=code, times=99, matches=lambda request: ANSWER in str(request.body)
    )
    async with stage.bot():
        await stage.discord.post(stage.general, stage.you, "Why?")
        await until_stored(
            stage,
            "SELECT state, outcome FROM turns ORDER BY id",
            [("failed", outcome), ("undeliverable", outcome)],
        )
        refused = len(posts(stage))
        refusal.times = 0
        stage.clock.leap(SECONDS_UNTIL_ASKED_AGAIN)
        await stage.settled(await stage.ask("And now?"), ANSWER)

    assert refused == 1 + len(instead)
    assert said(stage) == [*instead, ANSWER]
    assert [text for _, text in stage.prompts()[-1]][1:] == ["And now?"]


async def test_an_answer_that_somebody_between_refuses_comes_when_it_does_no_more(stage, monkeypatch) -> None:
    monkeypatch.setattr(requests, "SECONDS_BEFORE_RETRIES", ())
    monkeypatch.setattr(answer, "SECONDS_BEFORE_DELIVERING_AGAIN", 0.01)
    async with stage.bot():
        stage.discord.faults.add("POST", MESSAGES, what="html", status=403, times=5)
        await stage.settled(await stage.ask("Why?"), ANSWER)
        await until_stored(stage, "SELECT state FROM turns ORDER BY id", [("answered",), ("standing",)])

    assert said(stage) == [ANSWER]
    assert len(stage.model.requests) == 1


@asynccontextmanager
async def answering_in_a_thread(stage):
    """The thread, the answer that has shown its first words there, and the gate that the rest waits for."""
    thread, gate = stage.discord.add_thread(stage.general, "side"), Gate()
    stage.model.script(Answer(text=ANSWER, gate=gate))
    async with stage.bot():
        asking = asyncio.create_task(stage.ask("Why?", channel=thread))
        gate.let_out(10)
        yield thread, await asking, gate


def refused_edits(stage):
    return [each for each in stage.discord.requests if each.method == "PATCH" and each.status == 400]


async def test_an_answer_in_a_thread_that_is_archived_meanwhile_is_finished_there(stage) -> None:
    async with answering_in_a_thread(stage) as (thread, message, gate):
        await stage.discord.set_thread_state(thread, archived=True)
        gate.let_out(3)
        await stage.discord.until(lambda: refused_edits(stage))  # a draft
        gate.open()
        await stage.settled(message, ANSWER)
        await until_stored(stage, "SELECT state FROM turns ORDER BY id", [("answered",), ("standing",)])

    assert not thread.archived
    assert len(refused_edits(stage)) == 2  # the draft, and the whole, which opens it
    validate_record(stage.discord.requests)


async def test_a_draft_whose_question_is_deleted_goes_from_an_archived_thread_too(stage) -> None:
    async with answering_in_a_thread(stage) as (thread, message, _gate):
        await stage.discord.set_thread_state(thread, archived=True)
        await stage.discord.delete(message.replied_to)
        await stage.discord.until(lambda: message.deleted)


async def test_a_thread_that_was_locked_stays_closed_and_the_answer_is_given_up_once(stage) -> None:
    stage.discord.set_permissions(stage.general, manage_threads=True)  # it could be opened
    async with answering_in_a_thread(stage) as (thread, message, gate):
        await stage.discord.set_thread_state(thread, archived=True, locked=True)
        gate.open()
        await until_stored(
            stage, "SELECT state, text FROM turns ORDER BY id", [("failed", "Why?"), ("undeliverable", ANSWER)]
        )

    assert thread.archived
    assert ANSWER.startswith(message.content.rstrip("…"))
    assert len(refused_edits(stage)) <= 2


async def test_a_token_that_is_refused_in_mid_run_stops_the_bot_and_the_answer_comes_with_the_new_one(
    stage,
) -> None:
    stage.model.answer("Because.")
    running = asyncio.create_task(run_bot(stage.environment(SHUTDOWN_GRACE_SECONDS="2")))
    await stage.discord.until(lambda: stage.connected and stage.discord.commands)
    stage.discord.faults.add("POST", r"/channels/\d+/typing$", status=503, times=99)
    stage.discord.token = "another.token"

    await stage.discord.post(stage.general, stage.you, "Why?")
    with pytest.raises(StartupRefused, match=r"DISCORD_TOKEN is refused.*Reset Token"):
        await asyncio.wait_for(running, 10)
    refused = [each for each in stage.discord.requests if each.status == 401]
    async with stage.bot():
        await stage.discord.until(lambda: said(stage) == ["Because."])

    assert [each.path for each in refused][1:] == ["/users/@me"]
    assert len(stage.model.requests) == 1


async def test_one_request_that_is_refused_with_a_good_token_is_made_again_and_stops_nothing(
    stage, monkeypatch
) -> None:
    monkeypatch.setattr(answer, "SECONDS_BEFORE_DELIVERING_AGAIN", 0.01)
    stage.model.answer("Because.")
    async with stage.bot() as running:
        stage.discord.faults.add("POST", MESSAGES, status=401)
        await stage.discord.post(stage.general, stage.you, "Why?")

        await stage.discord.until(lambda: said(stage) == ["Because."])
        await stage.discord.until(lambda: [each.path for each in stage.discord.requests].count("/users/@me") == 2)
        await stage.ask("And now?")
        assert not running.pacer.token_refused.is_set()
