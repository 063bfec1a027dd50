"""The small real model in its process: it answers, it reports, and it never outlives its parent."""

import asyncio
import sys
from pathlib import Path

import aiohttp
import psutil
import pytest

from bot.core.completions import FinishReason, Prompt, PromptMessage
from bot.core.messages import Role
from bot.llm.chat_model import OpenAIChatModel
from bot.playground import local_model
from bot.playground.local_model import LocalModelError, find_weights, open_local_model, serve_weights
from tests.llm.asking import ask

needs_the_model = pytest.mark.skipif(find_weights() is None, reason="the local model is not installed")

CHECKOUT = Path(local_model.__file__).parents[2]
PARENT = """
import asyncio
from bot.playground.local_model import find_weights, serve_weights

async def main():
    async with serve_weights(find_weights()) as address:
        print(address, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def sky(*, max_answer_tokens):
    messages = (
        PromptMessage(role=Role.SYSTEM, content="You are a friendly assistant!"),
        PromptMessage(role=Role.USER, content="Why is the sky blue?"),
    )
    return Prompt(messages=messages, tokens=30, max_answer_tokens=max_answer_tokens)


@needs_the_model
async def test_the_small_model_answers_in_pieces_and_reports_what_it_cost():
    async with (
        open_local_model() as local,
        OpenAIChatModel(model=local.model, api_key=None, base_url=local.base_url) as model,
    ):
        pieces, finished = await ask(model, sky(max_answer_tokens=12))

    assert len(pieces) > 6
    assert "".join(pieces).strip()
    assert finished.reason is FinishReason.LENGTH
    assert finished.usage.output_tokens == 12
    assert finished.usage.input_tokens > 12


@needs_the_model
async def test_two_people_are_answered_at_once():
    async with (
        open_local_model() as local,
        OpenAIChatModel(model=local.model, api_key=None, base_url=local.base_url) as model,
    ):
        answers = await asyncio.gather(*(ask(model, sky(max_answer_tokens=8)) for _ in range(2)))

    assert all("".join(pieces).strip() for pieces, _ in answers)


@needs_the_model
async def test_who_answers_is_said_plainly():
    async with open_local_model() as local:
        assert "135 million parameters" in local.sentence
        assert "at no cost" in local.sentence
        assert "OPENAI_API_KEY" in local.sentence


@needs_the_model
async def test_no_prompt_can_be_read_from_the_server_and_no_web_page_may_read_answers():
    async with serve_weights(find_weights()) as address, aiohttp.ClientSession() as session:
        async with session.get(f"{address}/slots") as slots:
            assert slots.status in {404, 501}
        async with session.get(f"{address}/health", headers={"Origin": "https://example.com"}) as health:
            assert health.status == 200
            assert health.headers.get("Access-Control-Allow-Origin") != "*"
            assert health.headers.get("Access-Control-Allow-Origin") != "https://example.com"


@needs_the_model
async def test_the_process_ends_with_its_block():
    async with serve_weights(find_weights()):
        (child,) = psutil.Process().children()

    assert not child.is_running()


@needs_the_model
async def test_the_process_ends_when_its_parent_is_killed():
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        cwd=CHECKOUT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    await parent.stdout.readline()
    (child,) = psutil.Process(parent.pid).children()

    parent.kill()

    await parent.communicate()
    await asyncio.to_thread(child.wait, 10)


@needs_the_model
async def test_a_process_that_takes_too_long_is_given_up():
    with pytest.raises(LocalModelError, match="it was not ready within"):
        async with serve_weights(find_weights(), start_seconds=0.001):
            pass

    assert psutil.Process().children() == []


async def test_where_the_model_is_not_installed_an_echo_answers_and_says_so(monkeypatch):
    monkeypatch.setattr(local_model, "WEIGHTS_PACKAGE", "weights_that_nobody_has")

    async with (
        open_local_model() as local,
        OpenAIChatModel(model=local.model, api_key=None, base_url=local.base_url) as model,
    ):
        pieces, _ = await ask(model, sky(max_answer_tokens=50))

    assert "".join(pieces) == "You said: Why is the sky blue?"
    assert "an echo answers" in local.sentence


@needs_the_model
async def test_where_the_model_does_not_start_an_echo_answers_and_the_reason_is_told(monkeypatch, tmp_path):
    package = tmp_path / "broken_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('located, never imported')")
    (package / "model.gguf").write_bytes(b"GGUF and nothing else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(local_model, "WEIGHTS_PACKAGE", "broken_weights")

    async with open_local_model() as local:
        assert local.model == "echo"
        assert local.sentence.startswith(
            "The local model did not start (it says: Failed to init server, please check the input params), "
            "so an echo answers, at no cost."
        )


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL ended it"),
        ("raise SystemExit(3)", "it ended with exit status 3"),
    ],
)
async def test_a_process_that_ends_without_a_word_is_told_of_by_its_end(program, told, monkeypatch, tmp_path):
    ending = tmp_path / "ending.py"
    ending.write_text(program)
    monkeypatch.setattr(local_model.model_process, "__file__", str(ending))

    with pytest.raises(LocalModelError, match=told):
        async with serve_weights(tmp_path / "model.gguf"):
            pass
