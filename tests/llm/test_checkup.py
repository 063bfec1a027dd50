"""What `doctor` says of a model's server."""

import asyncio
import socket
from functools import partial

import pytest

from bot.core.findings import State
from bot.core.generation import Patience
from bot.llm.chat_model import OpenAIChatModel
from bot.llm.checkup import check_model
from tests.clock import ManualClock
from tests.model_server import MODEL, Answer, ModelServer, Silence, Status


async def examine(server, clock=None, *, base_url=None):
    findings = await check_model(
        model=MODEL,
        setting="OPENAI_MODEL",
        api_key="sk-test",
        base_url=base_url or server.base_url,
        max_answer_tokens=800,
        patience=Patience(),
        clock=clock or ManualClock(),
    )
    return {finding.check: finding for finding in findings}


async def test_a_good_server_is_asked_once_and_is_good(server):
    found = await examine(server)

    assert {check: (finding.state, finding.detail) for check, finding in found.items()} == {
        "model": (State.OK, "answers, first word after 0.0 s, the last after 0.0 s"),
        "streaming": (State.OK, "in 7 pieces"),
        "usage": (State.OK, "reported: 21 tokens in, 9 out"),
        "parameters": (State.OK, "none was refused"),
    }
    assert [request["max_completion_tokens"] for request in server.requests] == [800]


@pytest.mark.parametrize(
    ("refuses", "said"),
    [
        ("max_completion_tokens", "max_completion_tokens is refused, max_tokens is sent"),
        ("stream_options", "stream_options is refused and left out"),
    ],
)
async def test_refused_parameters_are_told_and_no_fault(refuses, said):
    async with ModelServer(refuses=[refuses]) as server:
        found = await examine(server)

    assert found["model"].state is State.OK
    assert found["parameters"].detail == said
    assert found["usage"].state is (State.WARNING if refuses == "stream_options" else State.OK)


async def test_what_is_missing_but_not_needed_is_a_warning(server):
    server.answer("One,two,three", usage=None)

    found = await examine(server)

    assert found["usage"].detail == "not reported: what answers cost is not known here"
    assert found["streaming"].detail == "the answer came in one piece, so people will not see it grow"
    assert {found["usage"].state, found["streaming"].state} == {State.WARNING}


@pytest.mark.parametrize(
    ("behaviour", "state", "detail", "cure"),
    [
        (Status(401, "invalid_api_key"), State.WRONG, "HTTP 401, invalid_api_key", "OPENAI_API_KEY"),
        (Status(404, "model_not_found"), State.WRONG, "HTTP 404, model_not_found", "OPENAI_MODEL"),
        (Status(400, "bad_parameter"), State.WRONG, "HTTP 400, bad_parameter", "server's log"),
        (Status(429, "rate_limit_exceeded"), State.WARNING, "is busy", "in a minute"),
        (Status(503), State.WRONG, "HTTP 503", "OPENAI_BASE_URL"),
        (Answer(text="", finish_reason="length"), State.WRONG, "before its first word", "MAX_ANSWER_TOKENS"),
        (Answer(text=""), State.WRONG, "answers without a word", "OPENAI_MODEL"),
        (Answer.cut_off("One, two"), State.WRONG, "ended without finish_reason", "streamed"),
    ],
)
async def test_what_keeps_it_from_answering_is_said_with_its_cure(server, behaviour, state, detail, cure):
    server.behave(lambda _: behaviour)

    found = (await examine(server))["model"]

    assert found.state is state
    assert detail in found.detail
    assert cure in found.cure


async def test_a_server_that_cannot_be_reached_is_told_in_words():
    found = (await examine(None, base_url="http://127.0.0.1:1/v1"))["model"]

    assert (found.state, found.detail) == (State.WRONG, "does not answer (nothing listens at that address)")
    assert "OPENAI_BASE_URL" in found.cure
    assert "firewall" in found.cure


async def test_a_server_that_takes_no_connection_in_time_is_told_in_words(monkeypatch):
    monkeypatch.setattr("bot.llm.checkup.OpenAIChatModel", partial(OpenAIChatModel, connect_seconds=0.05))
    with socket.socket() as full, socket.socket() as waiting:  # its queue has one place
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())

        found = (await examine(None, base_url=f"http://127.0.0.1:{full.getsockname()[1]}/v1"))["model"]

    assert found.detail == "does not answer (there was no answer in time)"


async def test_a_model_that_says_nothing_is_not_waited_for_longer_than_the_bot_would(server):
    server.script(Silence())
    clock = ManualClock()
    examining = asyncio.create_task(examine(server, clock))
    await server.received(1)

    await clock.advance(60)

    found = (await examining)["model"]
    assert found.detail == "does not answer (no word for 60 s)"
    assert "FIRST_TOKEN_SECONDS" in found.cure
