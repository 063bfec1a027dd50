"""Buckets, the limit over all, and the ban, with the headers that clients go by."""

from bot.playground.loopback import LoopbackDiscord
from bot.playground.loopback.rate_limits import INVALID_REQUESTS
from tests.playground.loopback.clients import rest_client


async def test_the_sixth_post_in_five_seconds_is_429(loopback, rest, clock, general, messages_path):
    answers = []
    for number in range(6):
        answers.append(await rest.post(messages_path, {"content": str(number)}))
        await clock.advance(0.5)

    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
    assert answers[0].headers["X-RateLimit-Reset-After"] == "5.000"
    assert answers[4].headers["X-RateLimit-Reset-After"] == "3.000"
    refused = answers[5]
    assert refused.body == {
        "message": "You are being rate limited.",
        "retry_after": 2.5,
        "global": False,
        "code": 0,
    }
    assert refused.headers["Retry-After"] == "3"
    assert refused.headers["X-RateLimit-Scope"] == "user"
    assert refused.headers["Via"] == "1.1 google"
    assert len(loopback.messages(general)) == 5


async def test_when_the_time_is_over_posts_are_taken_again(rest, clock, messages_path):
    for number in range(5):
        await rest.post(messages_path, {"content": str(number)})
    await clock.advance(5)

    assert (await rest.post(messages_path, {"content": "again"})).status == 200


async def test_each_channel_has_its_own_bucket_of_the_same_name(loopback, rest, general, messages_path):
    for number in range(5):
        mine = await rest.post(messages_path, {"content": str(number)})

    other = await rest.post(f"/channels/{loopback.channel('random').id}/messages", {"content": "x"})

    assert other.headers["X-RateLimit-Remaining"] == "4"
    assert other.headers["X-RateLimit-Bucket"] == mine.headers["X-RateLimit-Bucket"]


async def test_edits_of_all_messages_in_a_channel_share_a_bucket_apart_from_posts(rest, messages_path):
    posted = [await rest.post(messages_path, {"content": str(number)}) for number in range(2)]
    answers = [
        await rest.patch(f"{messages_path}/{posted[number % 2].body['id']}", {"content": "new"})
        for number in range(6)
    ]

    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert (await rest.post(messages_path, {"content": "more"})).status == 200


async def test_edits_of_messages_older_than_an_hour_are_fewer(rest, clock, messages_path):
    posted = await rest.post(messages_path, {"content": "old"})
    await clock.advance(3601)

    answers = [await rest.patch(f"{messages_path}/{posted.body['id']}", {"content": "new"}) for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[3].code == 30046


async def test_young_messages_are_deleted_more_slowly(rest, clock, messages_path):
    posted = [await rest.post(messages_path, {"content": str(number)}) for number in range(5)]
    await clock.advance(5)
    posted += [await rest.post(messages_path, {"content": str(number)}) for number in range(4)]

    young = [await rest.delete(f"{messages_path}/{each.body['id']}") for each in posted[5:]]
    await clock.advance(5.1)
    older = [await rest.delete(f"{messages_path}/{each.body['id']}") for each in posted[:5]]

    assert [answer.status for answer in young] == [204, 204, 204, 429]
    assert [answer.status for answer in older] == [204] * 5


async def test_more_than_50_requests_a_second_are_refused_over_all(loopback, rest, clock, general):
    channels = [loopback.add_channel(loopback.guild, f"c{number}") for number in range(51)]

    answers = [await rest.post(f"/channels/{channel.id}/messages", {"content": "x"}) for channel in channels]

    assert [answer.status for answer in answers] == [200] * 50 + [429]
    assert answers[50].body["global"] is True
    assert answers[50].headers["X-RateLimit-Global"] == "true"
    assert answers[50].headers["X-RateLimit-Scope"] == "global"
    await clock.advance(1)
    assert (await rest.get(f"/channels/{general.id}")).status == 200


async def test_interactions_are_exempt_from_the_limit_over_all(loopback, rest, general, you):
    await rest.put(f"/applications/{loopback.application_id}/commands", [{"name": "chat", "description": "x"}])
    for number in range(50):
        await rest.get(f"/channels/{loopback.add_channel(loopback.guild, str(number)).id}")
    assert (await rest.get(f"/channels/{general.id}")).status == 429

    interaction = await loopback.slash(general, you, "chat")
    answer = await rest.post(
        f"/interactions/{interaction.id}/{interaction.token}/callback", {"type": 5}, token=None
    )

    assert answer.status == 204


async def test_invalid_requests_are_counted_and_in_the_end_banned(loopback, rest, clock, general, messages_path):
    loopback.set_permissions(general, view_channel=False)
    assert (await rest.post(messages_path, {"content": "x"})).status == 403
    assert (await rest.get("/users/@me", token="wrong")).status == 401
    loopback.faults.add("GET", "/users/@me", what="rate_limit", scope="shared")
    loopback.faults.add("GET", "/users/@me", what="rate_limit")
    assert [(await rest.get("/users/@me")).status for _ in range(2)] == [429, 429]
    assert loopback.limits.invalid_requests == 3

    for _ in range(INVALID_REQUESTS - 3):
        loopback.limits.count_answer(403, shared=False)
    banned = await rest.get("/users/@me")
    assert banned.status == 429
    assert "Via" not in banned.headers
    assert banned.headers["Content-Type"].startswith("text/html")
    await clock.advance(601)

    assert (await rest.get("/users/@me")).status == 200


async def test_the_limits_can_be_left_out(clock):
    async with LoopbackDiscord(clock=clock, rate_limits=False) as loopback, rest_client(loopback) as rest:
        path = f"/channels/{loopback.channel('general').id}/messages"

        answers = [await rest.post(path, {"content": str(number)}) for number in range(60)]

        assert {answer.status for answer in answers} == {200}
        assert not any(name.startswith("X-RateLimit") for name in answers[0].headers)


async def test_what_is_refused_still_counts_in_its_bucket(loopback, rest, general):
    loopback.set_permissions(general, send_messages=False)

    answers = [await rest.post(f"/channels/{general.id}/typing") for _ in range(6)]

    assert [answer.status for answer in answers] == [403] * 5 + [429]
