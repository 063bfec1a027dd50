"""What providers answer when they do not answer, as they word it, and what a person is told."""

import pytest

from bot.core.errors import (
    ContextTooLong,
    ModelBusy,
    ModelKeyRefused,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    QuotaUsedUp,
    RequestRejected,
    WrongModel,
)
from bot.llm.errors import retry_after
from tests.llm.asking import SECRET, ask
from tests.model_server import Answer, Status

LLAMA_CPP_TOO_LONG = {
    "error": {
        "code": 400,
        "message": "request (9012 tokens) exceeds the available context size (4096 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9012,
        "n_ctx": 4096,
    }
}
VLLM_TOO_LONG = {
    "object": "error",
    "message": "'max_tokens' or 'max_completion_tokens' is too large: 16384. "
    "This model's maximum context length is 8192 tokens.",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}
GEMINI_TOO_LONG = (
    '[{"error": {"code": 400, "message": "The input token count (1200000) exceeds the maximum number of tokens '
    'allowed (1048576).", "status": "INVALID_ARGUMENT"}}]'
)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Status(400, message="no"), RequestRejected),
        (Status(400, "context_length_exceeded"), ContextTooLong),
        (Status(400, body=LLAMA_CPP_TOO_LONG), ContextTooLong),
        (Status(400, body=VLLM_TOO_LONG), ContextTooLong),
        (Status(400, body=GEMINI_TOO_LONG), ContextTooLong),
        (Status(400, message="prompt is too long: 210000 tokens > 200000 maximum"), ContextTooLong),
        (Status(400, body={"error": "Reached context length of 4096 tokens"}), ContextTooLong),
        (Status(400, "model_not_found"), WrongModel),
        (Status(400, "content_filter"), ModelRefused),
        (Status(401, "invalid_api_key"), ModelKeyRefused),
        (Status(402, message="Insufficient Balance"), QuotaUsedUp),
        (Status(403), ModelKeyRefused),
        (Status(403, "model_not_found"), WrongModel),
        (Status(404, message="model 'nope' not found, try pulling it first"), WrongModel),
        (Status(408), ModelTimeout),
        (Status(413), ContextTooLong),
        (Status(422), RequestRejected),
        (Status(429), ModelBusy),
        (Status(429, "insufficient_quota"), QuotaUsedUp),
        (Status(429, body={"error": {"type": "insufficient_quota", "message": "", "code": None}}), QuotaUsedUp),
        (Status(500), ModelUnavailable),
        (Status(503, body="<html>down for maintenance</html>"), ModelUnavailable),
        (Status(529, body={"error": {"type": "overloaded_error", "message": "Overloaded"}}), ModelBusy),
    ],
)
async def test_an_http_error_becomes_the_error_that_a_person_understands(server, model, answer, error):
    server.script(answer)

    with pytest.raises(error) as caught:
        await ask(model)

    assert type(caught.value) is error
    assert f"HTTP {answer.status}" in str(caught.value)
    assert caught.value.unpaid
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "reads"),
    [
        (Status(400, "context_length_exceeded"), None),
        (Status(413), None),
        (Status(400, message="This model's maximum context length is 4097 tokens. You asked for 5000."), 4097),
        (Status(400, body=LLAMA_CPP_TOO_LONG), 4096),
        (Status(400, body=VLLM_TOO_LONG), 8192),
        (Status(400, body=GEMINI_TOO_LONG), 1048576),
        (Status(400, message="prompt is too long: 210000 tokens > 200000 maximum"), 200000),
        (Status(400, body={"error": "Reached context length of 4096 tokens"}), 4096),
    ],
)
async def test_how_many_tokens_the_model_reads_is_learned_where_the_provider_says_it(server, model, answer, reads):
    server.script(answer)

    with pytest.raises(ContextTooLong) as caught:
        await ask(model)

    assert caught.value.reads == reads


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"error": {"message": "The server had an error", "type": "server_error"}}, ModelUnavailable),
        ({"error": "something"}, ModelUnavailable),
        ({"error": {"message": "slow down", "code": 429}}, ModelBusy),
        ({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, ModelBusy),
        (LLAMA_CPP_TOO_LONG, ContextTooLong),
        ({"error": {"message": "", "code": "content_filter"}}, ModelRefused),
        ({"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}, ModelUnavailable),
        ("{broken", ModelUnavailable),
        ('"text"', ModelUnavailable),
        ("null", ModelUnavailable),
    ],
)
async def test_an_error_in_the_middle_of_the_stream_is_an_error(server, model, event, error):
    server.script(Answer(text="The sky", events=(event,), finish_reason=None, done=False))

    with pytest.raises(error) as caught:
        await ask(model)

    assert type(caught.value) is error
    assert not (error is ModelRefused and caught.value.unpaid)


@pytest.mark.parametrize(
    "answer",
    [
        Status(400, SECRET, message=f"invalid: {SECRET}", headers={"x-request-id": SECRET}),
        Status(500, body=f"while reading {SECRET}"),
        Status(422, body={"detail": [{"input": SECRET, "msg": SECRET}]}),
        Answer.failed("The sky", message=f"cannot answer {SECRET}", code=SECRET),
        Answer(events=(f"{{{SECRET}",), finish_reason=None),
    ],
)
async def test_what_an_error_tells_the_log_holds_no_text_and_no_key(server, model, answer):
    server.script(answer)

    with pytest.raises((RequestRejected, ModelUnavailable)) as caught:
        await ask(model)

    assert str(caught.value)
    assert SECRET not in str(caught.value)
    assert "sk-test" not in str(caught.value)


async def test_the_request_id_is_told_to_the_log(server, model):
    server.script(Status(500, headers={"x-request-id": "req_011CQ"}))

    with pytest.raises(ModelUnavailable, match="req_011CQ"):
        await ask(model)


@pytest.mark.parametrize("status", [429, 503])
async def test_how_long_the_provider_wants_us_to_wait_is_passed_on(server, model, status):
    server.script(Status(status, headers={"Retry-After": "17"}))

    with pytest.raises((ModelBusy, ModelUnavailable)) as caught:
        await ask(model)

    assert caught.value.retry_after == 17


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "Mon, 01 Jun 2026 12:00:30 GMT", "date": "Mon, 01 Jun 2026 12:00:00 GMT"}, 30),
        ({"retry-after": "Mon, 01 Jun 2026 11:00:00 GMT", "date": "Mon, 01 Jun 2026 12:00:00 GMT"}, 0),
        ({"retry-after": "Mon, 01 Jun 2015 12:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "?", "retry-after": "4"}, 4),
    ],
)
def test_retry_after_is_read_in_every_form_it_comes_in(headers, seconds):
    assert retry_after(headers) == seconds
