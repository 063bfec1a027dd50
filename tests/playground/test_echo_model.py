"""The echo: what the playground answers with where there is no model for the platform."""

import asyncio

import pytest

from bot.core.completions import Delta, FinishReason
from bot.llm.chat_model import OpenAIChatModel
from bot.playground.echo_model import MODEL, SECONDS_BETWEEN_WORDS, serve_echo
from tests.clock import ManualClock
from tests.llm.asking import ask, prompt


@pytest.fixture
async def clock():
    return ManualClock()


@pytest.fixture
async def model(clock):
    async with (
        serve_echo(clock=clock) as base_url,
        OpenAIChatModel(model=MODEL, api_key=None, base_url=base_url) as model,
    ):
        yield model


async def test_the_echo_repeats_the_question_word_by_word(model, clock):
    stream = model.stream(prompt("hello there"))

    heard = []
    for _ in ("You", "said:", "hello", "there"):
        waiting = asyncio.ensure_future(anext(stream))
        await clock.until_sleeping()
        assert not waiting.done()
        await clock.advance(SECONDS_BETWEEN_WORDS)
        heard.append(await waiting)

    assert heard == [Delta(text=text) for text in ("You", " said:", " hello", " there")]
    finished = await anext(stream)
    assert finished.reason is FinishReason.STOP
    await stream.aclose()


async def test_the_echo_answers_the_newest_question_and_reports_tokens(model, clock):
    answering = asyncio.create_task(ask(model, prompt("first", "You said: first", "second")))
    for _ in ("You", "said:", "second"):
        await clock.until_sleeping()
        await clock.advance(SECONDS_BETWEEN_WORDS)

    pieces, finished = await answering

    assert "".join(pieces) == "You said: second"
    assert finished.usage.input_tokens
    assert finished.usage.output_tokens
