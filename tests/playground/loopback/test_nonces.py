"""A nonce makes a post idempotent, for a while, and shows only where Discord shows it."""

import pytest


async def test_the_same_nonce_gives_back_the_same_message(loopback, rest, general, messages_path):
    body = {"content": "Hello", "nonce": "abc", "enforce_nonce": True}

    first = await rest.post(messages_path, body)
    second = await rest.post(messages_path, {**body, "content": "Hello again"})

    assert second.status == 200
    assert second.body["id"] == first.body["id"]
    assert second.body["content"] == "Hello"
    assert [message.content for message in loopback.messages(general)] == ["Hello"]


async def test_a_number_and_its_digits_are_the_same_nonce(loopback, rest, general, messages_path):
    await rest.post(messages_path, {"content": "Hello", "nonce": 5, "enforce_nonce": True})
    await rest.post(messages_path, {"content": "Hello", "nonce": "5", "enforce_nonce": True})

    assert len(loopback.messages(general)) == 1


async def test_a_nonce_counts_in_all_channels(loopback, rest, general):
    random = loopback.channel("random")
    body = {"content": "Hello", "nonce": "abc", "enforce_nonce": True}

    first = await rest.post(f"/channels/{general.id}/messages", body)
    second = await rest.post(f"/channels/{random.id}/messages", body)

    assert second.body["id"] == first.body["id"]


async def test_without_enforcement_a_nonce_may_come_again(loopback, rest, general, messages_path):
    for _ in range(2):
        await rest.post(messages_path, {"content": "Hello", "nonce": "abc"})

    assert len(loopback.messages(general)) == 2


async def test_a_nonce_is_forgotten_after_its_time(loopback, rest, clock, general, messages_path):
    body = {"content": "Hello", "nonce": "abc", "enforce_nonce": True}
    loopback.nonce_seconds = 60
    await rest.post(messages_path, body)
    await clock.advance(60)
    await rest.post(messages_path, body)
    assert len(loopback.messages(general)) == 1

    await clock.advance(1)
    await rest.post(messages_path, body)

    assert len(loopback.messages(general)) == 2


async def test_the_nonce_of_a_deleted_message_is_unknown(loopback, rest, general, messages_path):
    body = {"content": "Hello", "nonce": "abc", "enforce_nonce": True}
    first = await rest.post(messages_path, body)
    await rest.delete(f"{messages_path}/{first.body['id']}")

    answer = await rest.post(messages_path, body)

    assert (answer.status, answer.code) == (404, 10008)
    assert loopback.messages(general) == []


@pytest.mark.parametrize("nonce", ["x" * 26, True, ["x"]])
async def test_other_nonces_are_refused(rest, messages_path, nonce):
    assert (await rest.post(messages_path, {"content": "Hello", "nonce": nonce})).code == 50035


async def test_a_nonce_is_echoed_once_here_and_once_there(rest, gateway, messages_path):
    await gateway.identify()

    posted = await rest.post(messages_path, {"content": "Hello", "nonce": "abc"})
    created = await gateway.event("MESSAGE_CREATE")
    edited = await rest.patch(f"{messages_path}/{posted.body['id']}", {"content": "Hello!"})
    updated = await gateway.event("MESSAGE_UPDATE")
    read = await rest.get(messages_path)

    assert posted.body["nonce"] == created["nonce"] == "abc"
    assert not any("nonce" in each for each in (edited.body, updated, read.body[0]))
