"""Each way in which the request that posts an answer can end: one answer or one plain outcome, nothing twice."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from bot.core.errors import TextRefused, Undeliverable
from tests.durability.scene import scened
from tests.durability.tables import tables
from tests.model_server import Gate

MESSAGES = r"/channels/\d+/messages$"
FAILED = "SELECT outcome FROM turns WHERE state = 'failed'"
UNKNOWN_REFERENCE = {
    "message_reference": {"_errors": [{"code": "REPLIES_UNKNOWN_MESSAGE", "message": "Unknown message"}]}
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """*ends*: answered as if nothing had been, with a sentence that says why not, or with nothing at all."""

    words: str
    fault: dict[str, Any]
    ends: Literal["answered", "told", "not shown"] = "answered"


UNKNOWN = [  # Discord may have stored the message or not
    Case(words="the connection is reset", fault={"what": "reset"}),
    Case(words="the connection is closed", fault={"what": "close"}),
    Case(words="no response comes", fault={"what": "hang"}),
    Case(words="500", fault={"status": 500}),
    Case(words="502", fault={"status": 502}),
    Case(words="503", fault={"status": 503}),
    Case(words="504", fault={"status": 504}),
    Case(words="Cloudflare's page of a 502", fault={"what": "html", "status": 502}),
    Case(words="half of the JSON", fault={"what": "truncated"}),
]
REFUSED = [  # Discord has not stored it
    Case(words="429 of the bucket", fault={"what": "rate_limit", "scope": "user", "retry_after": 0.05}),
    Case(words="429 of all requests", fault={"what": "rate_limit", "scope": "global", "retry_after": 0.05}),
    Case(words="429 of all who write there", fault={"what": "rate_limit", "scope": "shared", "retry_after": 0.05}),
    Case(words="Cloudflare's page of a 429", fault={"what": "html", "status": 429}),
    Case(
        words="the question cannot be replied to",
        fault={"status": 400, "code": 50035, "errors": UNKNOWN_REFERENCE},
    ),
    Case(words="replying is not allowed", fault={"status": 400, "code": 160002}),
    Case(words="AutoMod", fault={"status": 400, "code": 200000}, ends="told"),
    Case(words="no permission to write", fault={"status": 403, "code": 50013}, ends="not shown"),
    Case(words="the channel is gone", fault={"status": 404, "code": 10003}, ends="not shown"),
    Case(words="what the nonce finds was deleted", fault={"status": 404, "code": 10008}, ends="not shown"),
    Case(words="the thread is locked", fault={"status": 400, "code": 160005}, ends="not shown"),
]


@pytest.fixture
async def scene(tmp_path, clock):
    async with scened(f"sqlite:///{tmp_path}/bot.db", channels=1, clock=clock) as scene:
        yield scene


@asynccontextmanager
async def answered_with(scene, fault, *, part=0, echo=True):
    """Ask, and let the request that posts a part of the answer fail; wait until nothing is open."""
    discord, (channel,) = scene.stage.discord, scene.channels
    scene.gate, scene.asked = Gate(), 3 if part else 0  # each fourth answer is of two messages
    async with scene.bot() as running:
        await scene.ask(channel, scene.stage.you)
        await scene.stage.model.received(1)
        injected = discord.faults.add("POST", MESSAGES, skip=part, **fault)
        if not echo:
            discord.faults.event_copies = 0  # the bot is not told of its own message over the gateway
        scene.gate.open()
        await discord.until(lambda: injected.times == 0)
        async with asyncio.timeout(10):
            while await running.store.unfinished():
                await asyncio.sleep(0)
        discord.faults.event_copies = 1
        yield


async def goes_on(scene):
    (channel,) = scene.channels
    question = await scene.ask(channel, scene.stage.ada)
    await scene.stage.discord.until(lambda: scene._stands(channel, question))


@pytest.mark.parametrize("part", [0, 1], ids=["of the first part", "of the second part"])
@pytest.mark.parametrize("when", ["before it is stored", "after it is stored", "after it was told of"])
@pytest.mark.parametrize("case", UNKNOWN, ids=lambda case: case.words)
async def test_who_does_not_hear_what_became_of_a_post_finds_out(scene, case, when, part) -> None:
    fault = case.fault | {"when": when.partition(" ")[0]}
    async with answered_with(scene, fault, part=part, echo=when != "after it is stored"):
        await goes_on(scene)

    assert await scene.violations() == []


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.words)
async def test_a_post_that_is_refused_has_one_plain_outcome(scene, case, caplog) -> None:
    async with answered_with(scene, case.fault):
        if case.ends == "answered":
            await goes_on(scene)

    shown = [message.content for message in scene.stage.discord.messages(scene.channels[0]) if message.author.bot]
    failed, _ = await tables(scene.stage.database_url, FAILED)
    found = [violation.invariant for violation in await scene.violations()]
    if case.ends == "answered":
        assert (len(shown), failed, found) == (2, [], [])
    elif case.ends == "told":
        assert (shown, failed, found) == ([TextRefused.user_message], [{"outcome": TextRefused.code}], [])
    else:  # the checker misses an answer, the operator reads why there is none
        assert (shown, failed, found) == ([], [{"outcome": Undeliverable.code}], ["lost"])
        requests = scene.stage.discord.requests
        assert sum((each.method, each.route.rpartition("/")[2]) == ("POST", "messages") for each in requests) == 1
        assert (
            f"Discord refused a message: channel={scene.channels[0].id}: HTTP {case.fault['status']}"
            in caplog.text
        )


async def test_a_post_that_is_refused_with_the_token_is_made_with_the_next_one(scene) -> None:
    discord, (channel,) = scene.stage.discord, scene.channels
    async with scene.bot() as running:
        discord.faults.add("POST", MESSAGES, status=401)
        discord.faults.add("GET", r"/users/@me$", status=401)
        await scene.ask(channel, scene.stage.you)
        async with asyncio.timeout(10):
            await running.pacer.token_refused.wait()

    async with scene.bot():
        await goes_on(scene)

    assert await scene.violations() == []
