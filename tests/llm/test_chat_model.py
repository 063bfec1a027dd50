"""The model adapter on a real socket: what goes out on the wire, and what comes back of it."""

import asyncio
import re
from contextlib import aclosing
from dataclasses import replace

import pytest

from bot.core.completions import Delta, Finished, FinishReason, Prompt, PromptMessage, Usage
from bot.core.errors import (
    ModelBusy,
    ModelKeyRefused,
    ModelTimeout,
    ModelUnavailable,
    RequestRejected,
)
from bot.core.messages import Role
from bot.llm.chat_model import OpenAIChatModel
from tests.llm.asking import ask, listen, prompt
from tests.model_server import MODEL, Answer, Gate, HangUp, ModelServer, Silence, Status


async def test_the_body_on_the_wire_is_exactly_the_conversation(server, model):
    conversation = prompt("How is it going?", "All good, how may I help you?", "Why is the sky blue?")

    await ask(model, conversation)

    assert server.requests == [
        {
            "model": "gpt-5.4",
            "messages": [
                {"role": "system", "content": "You are a friendly assistant!"},
                {"role": "user", "content": "How is it going?"},
                {"role": "assistant", "content": "All good, how may I help you?"},
                {"role": "user", "content": "Why is the sky blue?"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_completion_tokens": 800,
        }
    ]
    assert server.headers[0]["Authorization"] == "Bearer sk-test"


async def test_pieces_arrive_while_the_answer_is_written(server, model):
    gate = Gate()
    server.script(Answer(text="Blue light scatters.", gate=gate))

    async with aclosing(model.stream(prompt())) as stream:
        gate.let_out()
        first = await anext(stream)
        gate.open()
        rest = [item async for item in stream]

    assert first == Delta(text="Blue ")
    assert rest[:-1] == [Delta(text="light "), Delta(text="scatters.")]


async def test_usage_behind_the_finish_reason_is_read(server, model):
    pieces, finished = await ask(model)

    assert "".join(pieces) == "All good, how may I help you?"
    assert finished == Finished(
        reason=FinishReason.STOP,
        usage=Usage(input_tokens=21, cached_tokens=4, output_tokens=9, reasoning_tokens=2),
    )


@pytest.mark.parametrize(
    ("prompt_tokens", "cached_tokens", "read"),
    [(100, 7_000, 7_100), (7_100, 7_000, 7_100), (0, 7_000, 7_000), (0, 0, None), (2**29, 2**30 - 1, None)],
)
async def test_tokens_from_the_cache_are_among_those_read_be_they_reported_so_or_not(
    server, model, prompt_tokens, cached_tokens, read
) -> None:
    details = {"cached_tokens": cached_tokens}
    server.script(Answer(usage={"prompt_tokens": prompt_tokens, "prompt_tokens_details": details}))

    _, finished = await ask(model)

    assert finished.usage == Usage(input_tokens=read, cached_tokens=cached_tokens)


async def test_usage_that_is_not_reported_is_none_and_not_zero(server, model):
    server.script(Answer(usage=None))

    _, finished = await ask(model)

    assert finished.usage == Usage()


@pytest.mark.parametrize(
    ("reported", "read"),
    [
        ({"prompt_tokens": -1, "completion_tokens": -5_000}, Usage()),
        ({"prompt_tokens": 10**20, "completion_tokens": 3_000_000_000}, Usage()),
        ({"prompt_tokens": 21.0, "completion_tokens": True}, Usage()),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(output_tokens=0)),
    ],
    ids=["negative", "larger than any model's", "no whole number", "nothing read"],
)
async def test_usage_that_cannot_be_true_is_not_reported(server, model, reported, read):
    server.script(Answer(usage=reported))

    _, finished = await ask(model)

    assert finished.usage == read


@pytest.mark.parametrize("done", [True, False])
async def test_a_server_that_never_ends_its_stream_delays_a_complete_answer_only_a_moment(server, done):
    server.script(Answer(text="Blue.", done=done, then="hold"))

    async with OpenAIChatModel(model=MODEL, api_key="k", base_url=server.base_url, seconds_for_usage=0.2) as model:
        pieces, finished = await ask(model)

    assert pieces == ["Blue."]
    assert finished.usage.input_tokens == 21


async def test_a_connection_lost_after_finish_reason_loses_nothing(server, model):
    server.script(Answer(text="Blue.", usage=None, done=False, then="drop"))

    assert await ask(model) == (["Blue."], Finished(reason=FinishReason.STOP))


async def test_text_behind_an_early_finish_reason_is_kept(server, model):
    early = {"choices": [{"index": 0, "delta": {"content": "Blue "}, "finish_reason": "stop"}]}
    late = {"choices": [{"index": 0, "delta": {"content": "light."}, "finish_reason": "stop"}]}
    server.script(Answer(text="", events=(early, late)))

    pieces, _ = await ask(model)

    assert pieces == ["Blue ", "light."]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("content_filter", FinishReason.REFUSED),
        ("tool_calls", FinishReason.STOP),
    ],
)
async def test_how_the_answer_ended_is_told(server, model, said, reason):
    server.script(Answer(finish_reason=said))

    _, finished = await ask(model)

    assert finished.reason is reason


async def test_the_models_own_refusal_is_a_refusal_and_no_answer(server, model):
    refusal = {"choices": [{"index": 0, "delta": {"refusal": "I can't."}, "finish_reason": None}]}
    server.script(Answer(text="", events=(refusal,)))

    pieces, finished = await ask(model)

    assert (pieces, finished.reason) == ([], FinishReason.REFUSED)


async def test_reasoning_is_not_part_of_the_answer(server, model):
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}, "finish_reason": None}]}
    answer = {"choices": [{"index": 0, "delta": {"content": "Blue."}, "finish_reason": None}]}
    server.script(Answer(text="", events=(thought, answer)))

    pieces, _ = await ask(model)

    assert pieces == ["Blue."]


@pytest.mark.parametrize("then", ["close", "drop"])
async def test_a_stream_that_stops_without_finish_reason_is_a_fault_after_its_words(server, model, then):
    server.script(Answer.cut_off("The sky is", then=then))
    heard = []

    with pytest.raises(ModelUnavailable):
        await listen(model, heard)

    assert "".join(heard) == "The sky is"


async def test_closing_early_lets_the_server_see_that_we_left(server, model):
    server.script(Answer.cut_off("The sky is", then="hold"))

    async with aclosing(model.stream(prompt())) as stream:
        await anext(stream)

    await server.hung_up()


async def test_a_cancelled_wait_for_the_first_word_lets_the_server_see_that_we_left(server, model):
    server.script(Silence())
    waiting = asyncio.create_task(ask(model))
    await server.received(1)

    waiting.cancel()

    await server.hung_up()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_connection_that_is_hung_up_on_is_unavailable(server, model):
    server.script(HangUp())

    with pytest.raises(ModelUnavailable):
        await ask(model)


async def test_a_server_that_is_not_there_is_unavailable():
    async with ModelServer() as server:
        gone = server.base_url

    async with OpenAIChatModel(model=MODEL, api_key="k", base_url=gone) as model:
        with pytest.raises(ModelUnavailable):
            await ask(model)


async def test_silence_beyond_the_read_timeout_is_a_timeout(server):
    server.script(Silence())

    async with OpenAIChatModel(model=MODEL, api_key="k", base_url=server.base_url, read_seconds=0.1) as model:
        with pytest.raises(ModelTimeout):
            await ask(model)


async def test_nothing_is_retried_here(server, model):
    server.script(Status(429), Status(500), HangUp())

    for error in (ModelBusy, ModelUnavailable, ModelUnavailable):
        with pytest.raises(error):
            await ask(model)

    assert len(server.requests) == 3


async def test_max_tokens_is_used_where_max_completion_tokens_is_refused_and_learned_once():
    async with (
        ModelServer(refuses=["max_completion_tokens"]) as server,
        OpenAIChatModel(model=MODEL, api_key="k", base_url=server.base_url) as model,
    ):
        await ask(model)
        await ask(model)

    refused, *accepted = server.requests
    assert "max_completion_tokens" in refused
    assert [(body["max_tokens"], "max_completion_tokens" in body) for body in accepted] == [(800, False)] * 2


async def test_a_server_that_knows_neither_newer_field_is_asked_in_its_own_dialect():
    async with (
        ModelServer(refuses=["max_completion_tokens", "stream_options"]) as server,
        OpenAIChatModel(model=MODEL, api_key="k", base_url=server.base_url) as model,
    ):
        _, finished = await ask(model)
        await ask(model)

    assert finished.usage == Usage()
    assert len(server.requests) == 4
    assert set(server.requests[-1]) == {"model", "messages", "stream", "max_tokens"}


KEYED = replace(prompt(), cache_key="f3a9")


async def test_the_key_of_the_conversation_goes_along_so_that_its_prompts_meet_one_cache(server, model):
    await ask(model, KEYED)

    assert server.requests[0]["prompt_cache_key"] == "f3a9"


async def test_a_day_in_the_cache_is_asked_of_openai_and_nobody_else(server):
    asked = {}
    for url in (None, "https://eu.api.openai.com/v1", "https://api.openai.com.example.org/v1", server.base_url):
        async with OpenAIChatModel(model=MODEL, api_key="k", base_url=url) as model:
            asked[url] = model.dialect.body(KEYED, model=MODEL).get("prompt_cache_retention")

    assert list(asked.values()) == ["24h", "24h", None, None]


@pytest.mark.parametrize("refused", ["prompt_cache_key", "prompt_cache_retention"])
async def test_what_a_server_refuses_about_its_cache_is_left_out_from_then_on(monkeypatch, refused):
    monkeypatch.setattr("bot.llm.chat_model.OPENAI_HOST", re.compile("127.0.0.1"))
    async with (
        ModelServer(refuses=[refused]) as server,
        OpenAIChatModel(model=MODEL, api_key="k", base_url=server.base_url) as model,
    ):
        await ask(model, KEYED)
        await ask(model, KEYED)

    other = ({"prompt_cache_key", "prompt_cache_retention"} - {refused}).pop()
    assert [(refused in body, other in body) for body in server.requests] == [(True, True), *[(False, True)] * 2]


async def test_a_server_that_does_not_say_what_it_refuses_is_asked_without_what_it_may_not_know(server, model):
    server.script(Status(422, message="unknown field"))

    await ask(model, KEYED)
    await ask(model, KEYED)

    assert ["prompt_cache_key" in body for body in server.requests] == [True, False, False]


async def test_a_refusal_that_comes_again_without_the_key_is_told_and_the_key_is_kept(server, model):
    server.script(Status(400, message="no"), Status(400, message="no"))

    with pytest.raises(RequestRejected):
        await ask(model, KEYED)
    await ask(model, KEYED)

    assert ["prompt_cache_key" in body for body in server.requests] == [True, False, True]


async def test_a_dialect_that_did_not_help_is_not_learned(server, model):
    server.script(
        Status(400, message="max_completion_tokens is too large"), Status(400, message="max_tokens is too large")
    )

    with pytest.raises(RequestRejected):
        await ask(model)
    await ask(model)

    assert "max_completion_tokens" in server.requests[-1]


async def test_a_template_that_wants_turns_to_alternate_gets_neighbours_joined(server, model):
    server.script(Status(500, message="Conversation roles must alternate user/assistant/user/assistant/..."))
    neighbours = Prompt(
        messages=(
            PromptMessage(role=Role.SYSTEM, content="Be kind."),
            PromptMessage(role=Role.USER, content="Ada: hello"),
            PromptMessage(role=Role.USER, content="Ada: anybody?"),
        ),
        tokens=20,
        max_answer_tokens=10,
    )

    await ask(model, neighbours)

    assert [message["content"] for message in server.requests[0]["messages"]] == [
        "Be kind.",
        "Ada: hello",
        "Ada: anybody?",
    ]
    assert server.requests[1]["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Ada: hello\n\nAda: anybody?"},
    ]


async def test_half_a_surrogate_pair_in_a_message_does_not_stop_the_request(server, model):
    await ask(model, prompt("lost half: \ud83d"))

    assert server.requests[0]["messages"][1]["content"] == "lost half: \N{REPLACEMENT CHARACTER}"


async def test_a_server_of_ones_own_needs_no_key(server):
    async with OpenAIChatModel(model=MODEL, api_key=None, base_url=server.base_url) as model:
        pieces, _ = await ask(model)

    assert pieces


async def test_a_key_that_no_header_can_carry_is_a_refused_key(server):
    async with OpenAIChatModel(model=MODEL, api_key="sk-“pasted”", base_url=server.base_url) as model:
        with pytest.raises(ModelKeyRefused) as caught:
            await ask(model)

    assert "pasted" not in str(caught.value)


async def test_a_proxy_for_the_world_is_not_asked_for_this_machine(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async with OpenAIChatModel(model=MODEL, api_key="k", base_url=server.base_url) as model:
        pieces, _ = await ask(model)

    assert pieces


async def test_after_a_rush_the_newest_connection_is_used_so_that_the_others_may_go(server, model):
    gate = Gate()
    server.answer("Yes.", gate=gate)
    rush = [asyncio.create_task(ask(model)) for _ in range(4)]
    await server.received(4)
    gate.open()
    await asyncio.gather(*rush)

    for _ in range(6):
        await ask(model)

    assert len(set(server.client_ports[:4])) == 4
    assert len(set(server.client_ports[4:])) == 1


async def test_the_proxy_for_the_world_is_asked_for_the_world(monkeypatch):
    async with ModelServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url.removesuffix("/v1"))

        async with OpenAIChatModel(model=MODEL, api_key="k", base_url="http://models.example/v1") as model:
            await ask(model)

    assert proxy.headers[0]["Host"] == "models.example"
