"""The adapter against llmock, whose faults were written by somebody who does not know our code."""

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
