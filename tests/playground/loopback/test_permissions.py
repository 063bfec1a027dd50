"""What the bot may do in a channel, and Discord's code for what it may not."""

import pytest


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "/messages", None),
        ("POST", "/messages", {"content": "Hello"}),
        ("POST", "/typing", None),
    ],
)
async def test_a_channel_that_cannot_be_seen_is_50001(loopback, rest, general, method, path, body):
    loopback.set_permissions(general, view_channel=False)

    answer = await rest.request(method, f"/channels/{general.id}{path}", body)

    assert (answer.status, answer.code) == (403, 50001)


async def test_a_channel_that_cannot_be_written_in_is_50013(loopback, rest, general, messages_path):
    loopback.set_permissions(general, send_messages=False)

    assert (await rest.post(messages_path, {"content": "Hello"})).code == 50013
    assert (await rest.post(f"/channels/{general.id}/typing")).code == 50013
    assert loopback.messages(general) == []
    assert not loopback.is_typing(general)


async def test_in_a_thread_the_permission_for_threads_counts(loopback, rest, general):
    thread = loopback.add_thread(general, "side")
    path = f"/channels/{thread.id}/messages"

    loopback.set_permissions(general, send_messages=False)
    assert (await rest.post(path, {"content": "Hello"})).status == 200
    loopback.set_permissions(general, send_messages_in_threads=False)
    assert (await rest.post(path, {"content": "Hello"})).code == 50013


async def test_a_thread_has_no_permissions_of_its_own(loopback, general):
    thread = loopback.add_thread(general, "side")

    with pytest.raises(ValueError, match="the channel it belongs to"):
        loopback.set_permissions(thread, send_messages=False)


async def test_a_person_who_closed_their_dms_is_50007(loopback, rest, you):
    dm = loopback.open_dm(you)
    loopback.set_permissions(dm, send_messages=False)

    answer = await rest.post(f"/channels/{dm.id}/messages", {"content": "Hello"})

    assert (answer.status, answer.code) == (403, 50007)


async def test_without_reading_history_there_is_none_and_nothing_to_reply_to(
    loopback, rest, general, you, messages_path
):
    question = await loopback.post(general, you, "Why?")
    loopback.set_permissions(general, read_message_history=False)

    assert (await rest.get(messages_path)).body == []
    assert (await rest.get(f"{messages_path}/{question.id}")).code == 50013
    reply = {"content": "Because", "message_reference": {"message_id": str(question.id)}}
    answer = await rest.post(messages_path, reply)
    assert (answer.status, answer.code) == (400, 160002)


async def test_permissions_can_be_given_back(loopback, rest, general, messages_path):
    loopback.set_permissions(general, send_messages=False)
    loopback.set_permissions(general, send_messages=True)

    assert (await rest.post(messages_path, {"content": "Hello"})).status == 200


async def test_the_overwrites_are_told(loopback, gateway, general):
    await gateway.identify()

    loopback.set_permissions(general, send_messages=False, manage_messages=True)

    (overwrite,) = (await gateway.event("CHANNEL_UPDATE"))["permission_overwrites"]
    assert overwrite == {
        "id": str(loopback.bot_user.id),
        "type": 1,
        "allow": str(1 << 13),
        "deny": str(1 << 11),
    }


async def test_discord_py_computes_the_same_permissions(loopback, client, general):
    loopback.set_permissions(general, send_messages=False)
    after_it = loopback.add_channel(loopback.guild, "after it")
    await loopback.until(lambda: ("created", after_it.id) in client.other)

    guild = client.guilds[0]
    permissions = guild.get_channel(general.id).permissions_for(guild.me)

    assert permissions.view_channel
    assert permissions.read_message_history
    assert not permissions.send_messages


async def test_a_guild_that_was_left_is_50001(loopback, rest, messages_path):
    await loopback.remove_guild(loopback.guild)

    assert (await rest.post(messages_path, {"content": "Hello"})).code == 50001
    assert (await rest.get("/users/@me/guilds")).body == []


async def test_a_private_thread_is_not_there_for_who_is_not_in_it(loopback, rest, gateway, general, you):
    await gateway.identify()
    thread = loopback.add_thread(general, "secret", private=True, bot_is_member=False)
    path = f"/channels/{thread.id}/messages"
    await loopback.post(thread, you, "between us")

    assert (await rest.get(path)).code == 50001
    await loopback.post(thread, you, f"come in {loopback.bot_user.mention}")

    assert (await gateway.event("MESSAGE_CREATE"))["content"].startswith("come in")
    assert gateway.names.index("THREAD_CREATE") < gateway.names.index("MESSAGE_CREATE")
    assert len((await rest.get(path)).body) == 2
