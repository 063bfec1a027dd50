"""What people do, how it is seen, and how a test waits for it."""

import asyncio

import pytest

from bot.playground.loopback import LoopbackDiscord, MessageFlag
from bot.playground.loopback.snowflakes import Snowflakes
from tests.clock import START, ManualClock
from tests.playground.loopback.clients import rest_client


async def test_the_world_begins_with_two_people_in_two_channels(loopback, you, ada):
    assert loopback.guild.name == "Playground"
    assert loopback.guild.owner is you
    assert [channel.name for channel in loopback.world.channels.values()] == ["general", "random"]
    assert {you.name, ada.name} == {"you", "ada"}


async def test_its_ids_are_the_same_at_every_start():
    one, other = LoopbackDiscord(), LoopbackDiscord()

    assert list(one.world.channels) == list(other.world.channels)
    assert list(one.world.users) == list(other.world.users)
    assert one.bot_user.id == other.bot_user.id
    assert one.open_dm(one.user("you")).id == other.open_dm(other.user("you")).id


async def test_it_listens_on_loopback_alone(loopback):
    assert loopback.api_url.startswith("http://127.0.0.1:")
    assert loopback.gateway_url.startswith("ws://127.0.0.1:")


async def test_ids_carry_the_time_and_grow(clock):
    snowflakes = Snowflakes(clock)

    one, two = snowflakes.make(), snowflakes.make()
    await clock.advance(1)
    three = snowflakes.make()

    assert one < two < three
    assert (three >> 22) - (one >> 22) == 1000


async def test_ids_grow_even_when_the_clock_goes_back():
    clock = ManualClock()
    snowflakes = Snowflakes(clock)
    one = snowflakes.make()
    clock._start = START.replace(year=2025)

    assert snowflakes.make() > one


async def test_people_edit_their_own_messages_alone(loopback, rest, general, you, messages_path):
    await rest.post(messages_path, {"content": "mine"})
    (message,) = loopback.messages(general)

    with pytest.raises(PermissionError):
        await loopback.edit(message, "yours")


async def test_an_edit_may_bring_a_mention_and_keeps_a_pinging_reply(loopback, general, you, ada):
    question = await loopback.post(general, ada, "Why?")
    loud = await loopback.post(general, you, "so", reply_to=question)
    quiet = await loopback.post(general, you, "so", reply_to=question, ping_reply=False)

    await loopback.edit(loud, f"so {loopback.bot_user.mention}")
    await loopback.edit(quiet, "so!")

    assert set(loud.mentions) == {ada, loopback.bot_user}
    assert quiet.mentions == ()


async def test_nobody_sends_more_than_4000_characters_or_into_a_deleted_channel(loopback, general, you):
    with pytest.raises(ValueError, match="4000"):
        await loopback.post(general, you, "x" * 4001)
    await loopback.delete_channel(general)
    with pytest.raises(LookupError, match="general"):
        await loopback.post(general, you, "Hello")


async def test_a_forward_is_flagged_as_one(loopback, general, you):
    said = await loopback.post(general, you, "words")

    forward = await loopback.post(general, you, forward_of=said)

    assert forward.flags & MessageFlag.HAS_SNAPSHOT
    assert forward.content == ""


async def test_who_watches_sees_it_in_order(loopback, rest, general, you, messages_path):
    async with loopback.watch() as watch:
        await loopback.post(general, you, "Why?")
        await rest.post(f"/channels/{general.id}/typing")
        posted = await rest.post(messages_path, {"content": "Bec"})
        await rest.patch(f"{messages_path}/{posted.body['id']}", {"content": "Because"})
        await rest.delete(f"{messages_path}/{posted.body['id']}")
        await loopback.delete_channel(general)
    await loopback.post(loopback.channel("random"), you, "unseen")

    seen = [each async for each in watch]

    assert [each.kind for each in seen] == ["posted", "typing", "posted", "edited", "deleted", "channel_deleted"]
    assert seen[1].user is loopback.bot_user


async def test_who_watches_a_command_sees_it_think_and_answer(loopback, rest, clock, general, you):
    await rest.put(f"/applications/{loopback.application_id}/commands", [{"name": "chat", "description": "x"}])
    async with loopback.watch() as watch:
        ignored = await loopback.slash(general, you, "chat")
        await clock.advance(3)
        called = await loopback.slash(general, you, "chat")
        await rest.post(f"/interactions/{called.id}/{called.token}/callback", {"type": 5}, token=None)
        original = f"/webhooks/{loopback.application_id}/{called.token}/messages/@original"
        await rest.patch(original, {"content": "Bec"}, token=None)
        await rest.patch(original, {"content": "Because"}, token=None)

    assert [each.kind async for each in watch] == ["unanswered", "acknowledged", "posted", "edited"]
    assert ignored.unanswered


async def test_waiting_ends_with_the_change_that_makes_it_true(loopback, general, you):
    waiting = asyncio.create_task(loopback.until(lambda: loopback.messages(general)))
    await asyncio.sleep(0)
    assert not waiting.done()

    message = await loopback.post(general, you, "Hello")

    assert await waiting == [message]


async def test_waiting_for_what_is_true_already_takes_no_change(loopback):
    assert await loopback.until(lambda: 42) == 42


async def test_waiting_in_vain_ends_with_the_latest_requests(loopback, rest):
    await rest.get("/users/@me")

    with pytest.raises(TimeoutError, match="GET /users/@me → 200"):
        await loopback.until(lambda: False, seconds=0.01)


async def test_an_error_while_looking_is_the_waiters(loopback, general, you):
    waiting = asyncio.create_task(loopback.until(lambda: loopback.messages(general) and 1 / 0))
    await asyncio.sleep(0)

    await loopback.post(general, you, "Hello")

    with pytest.raises(ZeroDivisionError):
        await waiting


async def test_requests_are_recorded_with_their_answers(loopback, rest, clock, general, messages_path):
    await clock.advance(7)
    posted = await rest.post(messages_path + "?x=1", {"content": "Hello"})

    (record,) = loopback.requests
    assert record.is_to("POST", "/channels/{channel_id}/messages")
    assert (record.path, record.query) == (messages_path, {"x": "1"})
    assert record.body == {"content": "Hello"}
    assert (record.status, record.answer) == (200, posted.body)
    assert record.bucket == posted.headers["X-RateLimit-Bucket"]
    assert record.authorized
    assert record.sent_at == record.arrived_at == record.answered_at == 7


async def test_latency_is_half_on_the_way_there_and_half_back(clock):
    async with LoopbackDiscord(clock=clock, latency=0.2) as loopback, rest_client(loopback) as rest:
        general = loopback.channel("general")
        posting = asyncio.create_task(rest.post(f"/channels/{general.id}/messages", {"content": "Hello"}))
        await clock.until_sleeping()
        assert loopback.messages(general) == []
        await clock.advance(0.1)
        assert len(loopback.messages(general)) == 1
        assert not posting.done()
        await clock.advance(0.1)
        await posting

    (record,) = loopback.requests
    times = (record.sent_at, record.arrived_at, record.answered_at)
    assert times == pytest.approx((0, 0.1, 0.2))


async def test_it_stops_while_requests_hang_and_connections_are_open(clock):
    async with LoopbackDiscord(clock=clock) as loopback, rest_client(loopback) as rest:
        loopback.faults.add("GET", "/users/@me", what="hang")
        asking = asyncio.create_task(rest.get("/users/@me"))
        await loopback.until(lambda: loopback.requests and loopback.requests[0].fault)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    assert loopback.requests[0].status == 200
