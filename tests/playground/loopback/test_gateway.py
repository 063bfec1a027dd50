"""The gateway: who may enter, what is told to whom, and how a lost connection is taken up again."""

import pytest

from bot.playground.loopback import Intent, LoopbackDiscord
from bot.playground.loopback.gateway import RESUMABLE_SECONDS
from tests.playground.loopback.clients import EVERYTHING, gateway_client


async def test_it_says_hello_and_echoes_heartbeats(gateway):
    assert gateway.frames[0]["op"] == 10
    assert gateway.frames[0]["d"]["heartbeat_interval"] > 0

    await gateway.send(1, None)

    await gateway.op(11)


async def test_ready_names_guilds_as_unavailable_and_each_arrives_after(loopback, gateway, general, you):
    thread = loopback.add_thread(general, "side")
    message = await loopback.post(general, you, "earlier")

    ready = await gateway.identify()
    guild = await gateway.event("GUILD_CREATE")

    assert ready["guilds"] == [{"id": str(loopback.guild.id), "unavailable": True}]
    assert ready["user"]["id"] == str(loopback.bot_user.id)
    assert ready["application"]["id"] == str(loopback.application_id)
    assert guild["unavailable"] is False
    assert [channel["name"] for channel in guild["channels"]] == ["general", "random"]
    assert guild["channels"][0]["last_message_id"] == str(message.id)
    assert [each["id"] for each in guild["threads"]] == [str(thread.id)]
    assert loopback.hellos[-1].outcome == "ready"


async def test_without_the_guilds_intent_no_guild_arrives(loopback, gateway, general, you):
    await gateway.identify(int(Intent.GUILD_MESSAGES))

    await loopback.post(general, you, "Hello")

    await gateway.event("MESSAGE_CREATE")
    assert gateway.names == ["READY", "MESSAGE_CREATE"]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"op": 2, "d": {"token": "wrong", "intents": 1, "properties": {}}}, 4004),
        ({"op": 2, "d": {"token": "loopback.token", "intents": 1 << 30, "properties": {}}}, 4013),
        ({"op": 2, "d": {"token": "loopback.token", "intents": 1}}, 4013),
        ({"op": 2, "d": {"token": "loopback.token", "intents": 1 << 1, "properties": {}}}, 4014),
        ({"op": 2, "d": {"token": "loopback.token", "intents": 1, "properties": {}, "shard": [2, 2]}}, 4010),
        ({"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}, 4004),
        ({"op": 3, "d": {}}, 4003),
        ({"op": 99, "d": None}, 4001),
    ],
)
async def test_who_may_not_enter_is_closed_with_the_code_that_says_why(gateway, frame, code):
    await gateway.send(frame["op"], frame["d"])

    assert await gateway.close_code() == code


@pytest.mark.parametrize("text", ["{", "[]", '{"d": 1}', '{"op": 1, "d": "' + "x" * 5000 + '"}'])
async def test_what_cannot_be_read_is_closed_with_4002(gateway, text):
    await gateway.send_text(text)

    assert await gateway.close_code() == 4002


async def test_identifying_twice_is_4005(gateway):
    await gateway.identify()

    await gateway.send(2, {"token": "loopback.token", "intents": 1, "properties": {}})

    assert await gateway.close_code() == 4005


async def test_more_than_120_frames_a_minute_are_4008(gateway):
    for _ in range(121):
        await gateway.send(1, None)

    assert await gateway.close_code() == 4008


async def test_the_content_intent_is_refused_where_it_is_not_granted(clock):
    async with LoopbackDiscord(clock=clock, message_content_granted=False) as loopback:
        async with gateway_client(loopback) as gateway:
            await gateway.send(2, {"token": loopback.token, "intents": EVERYTHING, "properties": {}})
            assert await gateway.close_code() == 4014
        async with gateway_client(loopback) as gateway:
            await gateway.identify(EVERYTHING & ~int(Intent.MESSAGE_CONTENT))

    assert [hello.outcome for hello in loopback.hellos] == ["4014", "ready"]


async def test_the_thousand_and_first_session_of_a_day_is_refused(loopback, clock, gateway):
    for _ in range(1000):
        loopback._door.count_session()
    await gateway.send(2, {"token": loopback.token, "intents": 1, "properties": {}})
    assert await gateway.close_code() == 4004

    await clock.advance(86_401)

    async with gateway_client(loopback) as another:
        await another.identify()


@pytest.mark.parametrize(
    ("intents", "heard"),
    [
        (Intent.GUILD_MESSAGES, ["in the channel"]),
        (Intent.DIRECT_MESSAGES, ["in the dm"]),
        (Intent.GUILD_MESSAGES | Intent.DIRECT_MESSAGES, ["in the channel", "in the dm"]),
        (Intent.GUILDS, []),
    ],
)
async def test_events_come_to_who_asked_for_them(loopback, gateway, general, you, intents, heard):
    await gateway.identify(int(intents | Intent.MESSAGE_CONTENT))

    await loopback.post(general, you, "in the channel")
    await loopback.post(loopback.open_dm(you), you, "in the dm")
    await gateway.all_sent_so_far()

    assert [each["content"] for each in gateway.events("MESSAGE_CREATE")] == heard


async def test_typing_is_told_to_who_asked_for_it(loopback, rest, gateway, general):
    await gateway.identify()

    await rest.post(f"/channels/{general.id}/typing")

    typing = await gateway.event("TYPING_START")
    assert typing["user_id"] == str(loopback.bot_user.id)
    assert typing["channel_id"] == str(general.id)


async def test_nothing_is_heard_of_a_channel_that_cannot_be_seen(loopback, gateway, general, you):
    await gateway.identify()
    loopback.set_permissions(general, view_channel=False)
    await loopback.post(general, you, "secret")
    loopback.set_permissions(general, view_channel=True)

    await loopback.post(general, you, "public")

    assert (await gateway.event("MESSAGE_CREATE"))["content"] == "public"


async def test_deletions_are_told_by_id_alone(loopback, gateway, general, you):
    await gateway.identify()
    messages = [await loopback.post(general, you, str(number)) for number in range(3)]

    await loopback.delete(messages[0])
    await loopback.bulk_delete(messages[1:])

    where = {"channel_id": str(general.id), "guild_id": str(loopback.guild.id)}
    assert await gateway.event("MESSAGE_DELETE") == {"id": str(messages[0].id), **where}
    ids = [str(message.id) for message in messages[1:]]
    assert await gateway.event("MESSAGE_DELETE_BULK") == {"ids": ids, **where}


async def test_a_deleted_thread_is_told_by_four_fields_and_a_channel_whole(loopback, gateway, general, you):
    await gateway.identify()
    thread = loopback.add_thread(general, "side")
    another = loopback.add_thread(general, "another")
    message = await loopback.post(another, you, "in it")

    await loopback.delete_thread(thread)
    await loopback.delete_channel(general)

    assert await gateway.event("THREAD_DELETE") == {
        "id": str(thread.id),
        "guild_id": str(loopback.guild.id),
        "parent_id": str(general.id),
        "type": 11,
    }
    assert (await gateway.event("CHANNEL_DELETE"))["name"] == "general"
    assert another.deleted
    assert message.deleted
    assert gateway.names.count("THREAD_DELETE") == 1


async def test_an_outage_of_a_guild_differs_from_leaving_it(loopback, gateway):
    await gateway.identify()

    await loopback.remove_guild(loopback.guild, unavailable=True)
    await loopback.restore_guild(loopback.guild)
    await loopback.remove_guild(loopback.guild)

    guild_id = str(loopback.guild.id)
    assert await gateway.event("GUILD_DELETE", number=1) == {"id": guild_id, "unavailable": True}
    assert await gateway.event("GUILD_DELETE", number=2) == {"id": guild_id}
    assert len(gateway.events("GUILD_CREATE")) == 2


async def test_an_edit_brings_the_whole_message(loopback, gateway, general, you):
    await gateway.identify()
    message = await loopback.post(general, you, "Helo")

    await loopback.edit(message, "Hello")

    updated = await gateway.event("MESSAGE_UPDATE")
    assert (updated["id"], updated["content"]) == (str(message.id), "Hello")
    assert updated["author"]["username"] == "you"
    assert updated["edited_timestamp"] is not None
    assert updated["member"]["joined_at"]


async def test_a_link_preview_is_an_update_that_is_no_edit(loopback, gateway, general, you):
    await gateway.identify()
    message = await loopback.post(general, you, "https://example.com/")

    assert await loopback.unfurl(message)

    updated = await gateway.event("MESSAGE_UPDATE")
    assert updated["edited_timestamp"] is None
    assert updated["embeds"][0]["url"] == "https://example.com/"
    assert updated["content"] == "https://example.com/"


async def test_shards_hear_of_their_own_guilds_and_the_first_of_dms(loopback, general, you):
    number = (loopback.guild.id >> 22) % 2
    async with gateway_client(loopback) as its_own, gateway_client(loopback) as other:
        await its_own.identify(shard=[number, 2])
        await other.identify(shard=[1 - number, 2])

        await loopback.post(general, you, "in the guild")
        await loopback.post(loopback.open_dm(you), you, "in the dm")
        await its_own.all_sent_so_far()
        await other.all_sent_so_far()

        heard = {
            client: [each["content"] for each in client.events("MESSAGE_CREATE")] for client in (its_own, other)
        }
    assert "in the guild" in heard[its_own]
    assert "in the guild" not in heard[other]
    first = its_own if number == 0 else other
    assert [client for client in heard if "in the dm" in heard[client]] == [first]


async def test_two_sessions_of_one_bot_hear_the_same(loopback, general, you):
    async with gateway_client(loopback) as one, gateway_client(loopback) as two:
        await one.identify()
        await two.identify()

        await loopback.post(general, you, "Hello")

        assert await one.event("MESSAGE_CREATE") == await two.event("MESSAGE_CREATE")


async def test_a_compressed_stream_says_the_same(loopback, general, you):
    async with gateway_client(loopback, query="?v=10&encoding=json&compress=zlib-stream") as gateway:
        await gateway.identify()

        await loopback.post(general, you, "Hello")

        assert (await gateway.event("MESSAGE_CREATE"))["content"] == "Hello"


async def test_another_version_of_the_gateway_is_not_spoken(loopback):
    async with gateway_client(loopback, query="?v=6") as gateway:
        assert await gateway.close_code() == 4012


async def test_members_can_be_asked_for_by_name_and_id(loopback, gateway, ada):
    await gateway.identify()

    guild_id = str(loopback.guild.id)
    await gateway.send(8, {"guild_id": guild_id, "query": "a", "limit": 5, "nonce": "n"})
    await gateway.send(8, {"guild_id": guild_id, "user_ids": [str(ada.id)], "limit": 5})

    for number in (1, 2):
        chunk = await gateway.event("GUILD_MEMBERS_CHUNK", number=number)
        assert [member["user"]["username"] for member in chunk["members"]] == ["ada"]


class TestResuming:
    @pytest.fixture
    async def lost(self, loopback, general, you):
        """A session whose connection is gone, and what was said since."""
        async with gateway_client(loopback) as gateway:
            ready = await gateway.identify()
            await loopback.post(general, you, "before")
            await gateway.event("MESSAGE_CREATE")
            sequence = gateway.sequence
            await gateway.close(code=4000)
        await loopback.until(lambda: not loopback.sessions)
        await loopback.post(general, you, "one")
        await loopback.post(general, you, "two")
        return ready["session_id"], sequence

    async def test_what_was_missed_is_replayed_in_order(self, loopback, gateway, lost, general, you):
        await gateway.resume(*lost)
        await gateway.event("RESUMED")
        await loopback.post(general, you, "three")
        await gateway.event("MESSAGE_CREATE", number=3)

        assert gateway.names == ["MESSAGE_CREATE", "MESSAGE_CREATE", "RESUMED", "MESSAGE_CREATE"]
        assert [each["content"] for each in gateway.events("MESSAGE_CREATE")] == ["one", "two", "three"]
        sequences = [frame["s"] for frame in gateway.frames if frame["op"] == 0]
        assert sequences == list(range(lost[1] + 1, lost[1] + 5))
        assert loopback.hellos[-1].outcome == "resumed"

    async def test_from_an_older_place_more_is_replayed(self, gateway, lost):
        session_id, sequence = lost

        await gateway.resume(session_id, sequence - 1)
        await gateway.event("RESUMED")

        assert [each["content"] for each in gateway.events("MESSAGE_CREATE")] == ["before", "one", "two"]

    async def test_a_place_in_the_future_is_4007(self, gateway, lost):
        session_id, _ = lost

        await gateway.resume(session_id, 1000)

        assert await gateway.close_code() == 4007

    async def test_an_unknown_session_is_invalid(self, loopback, gateway):
        await gateway.resume("unknown", 3)

        assert (await gateway.op(9))["d"] is False
        await gateway.identify()
        assert [hello.outcome for hello in loopback.hellos] == ["invalid session", "ready"]

    async def test_after_a_few_minutes_the_session_is_gone(self, clock, gateway, lost):
        await clock.advance(RESUMABLE_SECONDS + 1)

        await gateway.resume(*lost)

        assert (await gateway.op(9))["d"] is False

    async def test_a_session_that_ended_properly_is_gone(self, loopback, gateway):
        async with gateway_client(loopback) as ending:
            ready = await ending.identify()
            await ending.close(code=1000)
        await loopback.until(lambda: not loopback.sessions)

        await gateway.resume(ready["session_id"], 1)

        assert (await gateway.op(9))["d"] is False

    async def test_resuming_takes_the_session_from_its_old_connection(self, loopback, gateway, general, you):
        async with gateway_client(loopback) as old:
            ready = await old.identify()
            await gateway.resume(ready["session_id"], 2)
            assert await old.close_code() == 4000

        await loopback.post(general, you, "Hello")

        assert (await gateway.event("MESSAGE_CREATE"))["content"] == "Hello"
        assert len(loopback.sessions) == 1
