"""The adapter against llmock, whose faults were written by somebody who does not know our code."""

import asyncio

import pytest

from bot.core.completions import FinishReason
from bot.core.errors import ContextTooLong, ModelBusy, ModelTimeout, ModelUnavailable
from bot.llm.chat_model import OpenAIChatModel
from tests.llm.asking import ask, listen
from tests.model_server import MODEL


@pytest.fixture
async def model(llmock):
    async with OpenAIChatModel(model=MODEL, api_key="sk-test", base_url=llmock.base_url()) as model:
        yield model


async def test_an_answer_without_faults_comes_whole(llmock, model):
    llmock.reply("The sky scatters blue light.")

    pieces, finished = await ask(model)

    assert "".join(pieces) == "The sky scatters blue light."
    assert finished.reason is FinishReason.STOP
    assert finished.usage.output_tokens


async def test_a_rate_limit_is_busy_and_says_how_long(llmock, model):
    llmock.rate_limit(retry_after=3)

    with pytest.raises(ModelBusy) as caught:
        await ask(model)

    assert caught.value.retry_after == 3


async def test_an_outage_is_unavailable(llmock, model):
    llmock.outage()

    with pytest.raises(ModelUnavailable):
        await ask(model)


async def test_a_context_overflow_is_a_context_too_long(llmock, model):
    llmock.context_overflow()

    with pytest.raises(ContextTooLong):
        await ask(model)


@pytest.mark.parametrize("fault", ["truncate", "disconnect", "corrupt"])
async def test_a_stream_broken_after_some_words_is_unavailable_and_its_words_were_heard(llmock, model, fault):
    llmock.reply("The sky scatters blue light in every direction.")
    getattr(llmock, fault)(after_chunks=4)
    heard = []

    with pytest.raises(ModelUnavailable):
        await listen(model, heard)

    assert heard


async def test_a_stalled_stream_is_a_timeout(llmock):
    llmock.stall(after_chunks=2)

    async with OpenAIChatModel(model=MODEL, api_key="k", base_url=llmock.base_url(), read_seconds=0.1) as model:
        with pytest.raises(ModelTimeout):
            await ask(model)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
EVENT = b'data: {"choices":[{"delta":{"content":"Hm"},"index":0}]}\n\n'


@pytest.mark.parametrize(
    "speech",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"%x\r\n%b\r\nzz\r\n" % (len(EVENT), EVENT),
    ],
    ids=["not HTTP", "bad header", "bad chunk at once", "bad chunk after words"],
)
async def test_a_server_that_speaks_no_proper_http_is_unavailable(speech):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(speech)
        await writer.drain()
        await reader.read()  # until the other side has had enough
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with OpenAIChatModel(model=MODEL, api_key="k", base_url=url) as model:
            with pytest.raises(ModelUnavailable):
                await ask(model)
