"""Faults happen where they are put, as often as they are put, and before or after the deed."""

import asyncio
import errno
import json

import aiohttp
import pytest

from tests.playground.loopback.clients import gateway_client


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failure_comes_before_or_after_the_message_is_stored(
    loopback, rest, general, messages_path, status, when, stored
):
    loopback.faults.add("POST", "/messages$", status=status, when=when)

    failed = await rest.post(messages_path, {"content": "Hello"})

    assert failed.status == status
    assert len(loopback.messages(general)) == stored
    assert loopback.requests[-1].fault == "status"
    assert (await rest.post(messages_path, {"content": "Hello"})).status == 200


async def test_a_fault_skips_and_counts_and_chooses(loopback, rest, messages_path):
    loopback.faults.add(
        "POST", "/messages$", times=2, skip=1, matches=lambda request: request.body["content"] != "fine"
    )

    texts = ["first", "second", "fine", "third", "fourth"]
    statuses = [(await rest.post(messages_path, {"content": text})).status for text in texts]

    assert statuses == [200, 500, 200, 500, 200]


async def test_a_refusal_can_be_any(loopback, rest, messages_path):
    loopback.faults.add("*", "/channels/{channel_id}/messages", status=400, code=200000, message="AutoMod")

    answer = await rest.post(messages_path, {"content": "Hello"})

    assert (answer.status, answer.body) == (400, {"message": "AutoMod", "code": 200000})


async def test_a_refusal_can_name_the_field_that_is_wrong(loopback, rest, messages_path):
    errors = {
        "message_reference": {"_errors": [{"code": "REPLIES_UNKNOWN_MESSAGE", "message": "Unknown message"}]}
    }
    loopback.faults.add("POST", "/messages$", status=400, code=50035, message="Invalid Form Body", errors=errors)

    answer = await rest.post(messages_path, {"content": "Hello"})

    assert answer.body == {"message": "Invalid Form Body", "code": 50035, "errors": errors}


@pytest.mark.parametrize("scope", ["user", "shared", "global"])
async def test_a_429_can_be_of_each_scope(loopback, rest, messages_path, scope):
    loopback.faults.add("POST", "/messages$", what="rate_limit", scope=scope, retry_after=1.5)

    answer = await rest.post(messages_path, {"content": "Hello"})

    assert answer.status == 429
    assert answer.body["retry_after"] == 1.5
    assert answer.body["global"] is (scope == "global")
    assert answer.headers["X-RateLimit-Scope"] == scope
    assert answer.headers["Retry-After"] == "2"
    assert "Via" in answer.headers


async def test_a_page_of_cloudflares_has_no_via(loopback, rest, messages_path):
    loopback.faults.add("POST", "/messages$", what="html", status=429)

    answer = await rest.post(messages_path, {"content": "Hello"})

    assert answer.status == 429
    assert answer.body.startswith("<!DOCTYPE html>")
    assert "Via" not in answer.headers


async def test_half_an_answer_is_no_json(loopback, rest, general, messages_path):
    loopback.faults.add("POST", "/messages$", what="truncated", when="after")

    with pytest.raises(json.JSONDecodeError):
        await rest.post(messages_path, {"content": "Hello"})

    assert len(loopback.messages(general)) == 1


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
async def test_a_connection_can_be_reset(loopback, rest, general, messages_path, when, stored):
    loopback.faults.add("POST", "/messages$", what="reset", when=when)

    with pytest.raises(aiohttp.ClientOSError) as raised:
        await rest.post(messages_path, {"content": "Hello"})

    assert raised.value.errno == errno.ECONNRESET
    assert len(loopback.messages(general)) == stored
    assert loopback.requests[-1].status is None
    assert (await rest.get("/users/@me")).status == 200


async def test_a_connection_can_be_closed_without_an_answer(loopback, rest, messages_path):
    loopback.faults.add("POST", "/messages$", what="close")

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await rest.post(messages_path, {"content": "Hello"})


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
async def test_a_request_can_hang_until_it_is_released(loopback, rest, general, messages_path, when, stored):
    fault = loopback.faults.add("POST", "/messages$", what="hang", when=when)
    posting = asyncio.create_task(rest.post(messages_path, {"content": "Hello"}))
    await loopback.until(lambda: any(request.fault == "hang" for request in loopback.requests))
    await rest.get("/users/@me")
    assert len(loopback.messages(general)) == stored
    assert not posting.done()

    fault.release()

    assert (await posting).status == 200
    assert len(loopback.messages(general)) == 1


async def test_who_gives_up_on_a_hanging_request_does_not_stop_discord(loopback, rest, general, messages_path):
    fault = loopback.faults.add("POST", "/messages$", what="hang")
    posting = asyncio.create_task(rest.post(messages_path, {"content": "Hello"}))
    await loopback.until(lambda: any(request.fault == "hang" for request in loopback.requests))

    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
    fault.release()

    await loopback.until(lambda: loopback.messages(general))


@pytest.mark.parametrize("code", [4000, 4008])
async def test_a_closed_gateway_can_be_resumed(loopback, gateway, code):
    ready = await gateway.identify()

    loopback.faults.close_gateway(code)

    assert await gateway.close_code() == code
    async with gateway_client(loopback) as another:
        await another.resume(ready["session_id"], gateway.sequence)
        await another.event("RESUMED")


@pytest.mark.parametrize("code", [4007, 4009, 1000])
async def test_some_codes_end_the_session_too(loopback, gateway, code):
    ready = await gateway.identify()

    loopback.faults.close_gateway(code)

    assert await gateway.close_code() == code
    async with gateway_client(loopback) as another:
        await another.resume(ready["session_id"], gateway.sequence)
        assert (await another.op(9))["d"] is False


async def test_a_cut_connection_has_no_close_code(loopback, gateway):
    ready = await gateway.identify()

    loopback.faults.cut_gateway()

    assert await gateway.close_code() == 1006
    await loopback.until(lambda: not loopback.sessions)
    async with gateway_client(loopback) as another:
        await another.resume(ready["session_id"], gateway.sequence)
        await another.event("RESUMED")


async def test_the_gateway_can_ask_to_reconnect(loopback, gateway):
    await gateway.identify()

    loopback.faults.ask_to_reconnect()

    await gateway.op(7)


@pytest.mark.parametrize("resumable", [True, False])
async def test_a_session_can_be_invalidated_for_now_or_for_good(loopback, gateway, resumable):
    ready = await gateway.identify()

    loopback.faults.invalidate_session(resumable=resumable)

    assert (await gateway.op(9))["d"] is resumable
    await gateway.close(code=4000)
    async with gateway_client(loopback) as another:
        await another.resume(ready["session_id"], gateway.sequence)
        await another.until(lambda: len(another.frames) > 1)
        assert (another.frames[1]["t"] == "RESUMED") is resumable


async def test_handshakes_can_be_refused(loopback):
    loopback.faults.refuse_handshakes(2)

    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
                await session.ws_connect(loopback.gateway_url)
            assert raised.value.status == 503
        async with session.ws_connect(loopback.gateway_url) as socket:
            assert (await socket.receive_json())["op"] == 10


async def test_heartbeats_can_go_unanswered(loopback, gateway, general, you):
    await gateway.identify()
    loopback.faults.drop_heartbeat_acks = True

    await gateway.send(1, None)
    await gateway.send(3, {})
    await loopback.post(general, you, "Hello")
    await gateway.event("MESSAGE_CREATE")

    assert not any(frame["op"] == 11 for frame in gateway.frames)


async def test_events_can_come_several_times(loopback, gateway, general, you):
    await gateway.identify()
    loopback.faults.event_copies = 3

    await loopback.post(general, you, "Hello")
    await gateway.event("MESSAGE_CREATE", number=3)

    copies = [frame for frame in gateway.frames if frame["t"] == "MESSAGE_CREATE"]
    assert copies[0]["d"] == copies[1]["d"] == copies[2]["d"]
    assert len({frame["s"] for frame in copies}) == 3
