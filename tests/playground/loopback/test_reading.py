"""Reading back: pages of messages, and who and where the bot is."""

import pytest


@pytest.fixture
async def ten(loopback, general, you):
    return [await loopback.post(general, you, str(number)) for number in range(10)]


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("", "9876543210"),
        ("?limit=3", "987"),
        ("?before={5}&limit=3", "432"),
        ("?after={5}", "9876"),
        ("?after={5}&limit=2", "76"),
        ("?around={5}&limit=3", "654"),
        ("?after=0&limit=3", "210"),
    ],
)
async def test_pages_come_newest_first_and_without_gaps(rest, messages_path, ten, query, texts):
    answer = await rest.get(messages_path + query.replace("{5}", str(ten[5].id)))

    assert "".join(message["content"] for message in answer.body) == texts


@pytest.mark.parametrize("limit", ["0", "101", "many"])
async def test_a_page_has_1_to_100_messages(rest, messages_path, limit):
    assert (await rest.get(f"{messages_path}?limit={limit}")).code == 50035


async def test_deleted_messages_are_gone(loopback, rest, messages_path, ten):
    await loopback.delete(ten[9])

    assert (await rest.get(f"{messages_path}?limit=1")).body[0]["content"] == "8"
    assert (await rest.get(f"{messages_path}/{ten[9].id}")).code == 10008


async def test_the_bot_is_told_who_it_is(loopback, rest):
    me = await rest.get("/users/@me")
    application = await rest.get("/applications/@me")

    assert me.body["id"] == str(loopback.bot_user.id)
    assert application.body["id"] == str(loopback.application_id)
    assert application.body["flags"] == 1 << 19
    assert (await rest.get("/oauth2/applications/@me")).body == application.body


async def test_an_application_without_the_intent_has_neither_flag(loopback, rest):
    loopback.world.message_content_granted = False

    assert (await rest.get("/applications/@me")).body["flags"] & (1 << 18 | 1 << 19) == 0


async def test_anybody_may_ask_for_the_gateway_and_the_bot_for_its_sessions(loopback, rest, gateway):
    assert (await rest.get("/gateway", token=None)).body == {"url": loopback.gateway_url}
    await gateway.identify()

    limits = (await rest.get("/gateway/bot")).body["session_start_limit"]

    assert (limits["total"], limits["remaining"]) == (1000, 999)


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_a_wrong_or_missing_token_is_401(rest, messages_path, token):
    answer = await rest.post(messages_path, {"content": "Hello"}, token=token)

    assert answer.status == 401
    assert answer.body == {"message": "401: Unauthorized", "code": 0}


async def test_a_reset_token_is_refused_from_then_on(loopback, rest):
    old = loopback.token
    loopback.token = "another"

    assert (await rest.get("/users/@me", token=old)).status == 401
    assert (await rest.get("/users/@me")).status == 200


async def test_channels_of_each_kind_can_be_looked_up(loopback, rest, general, you):
    thread = loopback.add_thread(general, "side")
    voice = loopback.add_channel(loopback.guild, "Lounge", type=2)
    category = loopback.add_channel(loopback.guild, "Games", type=4)
    forum = loopback.add_channel(loopback.guild, "help", type=15, parent=category)
    dm = loopback.open_dm(you)

    for channel in (general, thread, voice, category, forum, dm):
        answer = await rest.get(f"/channels/{channel.id}")
        assert (answer.body["id"], answer.body["type"]) == (str(channel.id), channel.type)


async def test_a_dm_is_opened_once(loopback, rest, you):
    first = await rest.post("/users/@me/channels", {"recipient_id": str(you.id)})
    second = await rest.post("/users/@me/channels", {"recipient_id": str(you.id)})

    assert first.body["id"] == second.body["id"] == str(loopback.open_dm(you).id)
    assert (await rest.post("/users/@me/channels", {"recipient_id": "1"})).code == 10013


async def test_a_user_can_be_looked_up(rest, ada):
    assert (await rest.get(f"/users/{ada.id}")).body["global_name"] == "Ada"
    assert (await rest.get("/users/1")).code == 10013


async def test_an_unknown_route_is_404_and_recorded(loopback, rest):
    answer = await rest.get("/no/such/thing")

    assert (answer.status, answer.code) == (404, 0)
    assert loopback.requests[-1].path == "/no/such/thing"


async def test_answers_have_discords_exact_content_type(rest):
    assert (await rest.get("/users/@me")).headers["Content-Type"] == "application/json"


async def test_an_id_that_is_none_is_refused(rest):
    assert (await rest.get("/channels/general")).code == 50035
