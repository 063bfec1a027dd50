"""Who is pinged: what the text names, less what `allowed_mentions` rules out."""

import pytest


@pytest.mark.parametrize(
    ("allowed", "pinged"),
    [
        (None, {"you", "ada", "mods", "everyone"}),
        ({"parse": []}, set()),
        ({"parse": ["users"]}, {"you", "ada"}),
        ({"parse": ["roles"]}, {"mods"}),
        ({"parse": ["everyone"]}, {"everyone"}),
        ({"users": "ada"}, {"ada"}),
        ({"roles": "mods", "parse": []}, {"mods"}),
    ],
)
async def test_allowed_mentions_say_who_is_pinged(
    loopback, rest, general, you, ada, messages_path, allowed, pinged
):
    mods = loopback.add_role(loopback.guild, "mods")
    names = {you.id: "you", ada.id: "ada", mods.id: "mods"}
    ids = {name: str(snowflake) for snowflake, name in names.items()}
    body = {"content": f"@everyone {you.mention} <@!{ada.id}> <@&{mods.id}>"}
    if allowed is not None:
        body["allowed_mentions"] = {
            key: [ids[value]] if isinstance(value, str) else value for key, value in allowed.items()
        }

    answer = await rest.post(messages_path, body)

    (message,) = loopback.messages(general)
    everyone = {"everyone"} if message.everyone_pinged else set()
    assert {names[each] for each in message.mentions_pinged} | everyone == pinged
    assert {names[int(user["id"])] for user in answer.body["mentions"]} == pinged & {"you", "ada"}
    assert answer.body["mention_everyone"] is bool(everyone)


@pytest.mark.parametrize(
    ("allowed", "pinged"),
    [(None, True), ({"parse": []}, False), ({"parse": [], "replied_user": True}, True)],
)
async def test_a_reply_pings_its_author_unless_ruled_out(
    loopback, rest, general, you, messages_path, allowed, pinged
):
    question = await loopback.post(general, you, "Why?")

    await rest.post(
        messages_path,
        {
            "content": "Because",
            "message_reference": {"message_id": str(question.id)},
            "allowed_mentions": allowed,
        },
    )

    assert (you.id in loopback.messages(general)[1].mentions_pinged) is pinged


async def test_an_edit_without_allowed_mentions_pings_as_by_default(loopback, rest, general, messages_path):
    posted = await rest.post(messages_path, {"content": "@everyone", "allowed_mentions": {"parse": []}})
    (message,) = loopback.messages(general)
    assert not message.everyone_pinged

    await rest.patch(f"{messages_path}/{posted.body['id']}", {"content": "@everyone, really"})

    assert message.everyone_pinged


async def test_an_edit_of_something_else_pings_for_the_old_text(loopback, rest, general, messages_path):
    posted = await rest.post(messages_path, {"content": "@everyone", "allowed_mentions": {"parse": []}})

    await rest.patch(f"{messages_path}/{posted.body['id']}", {"components": []})

    assert loopback.messages(general)[0].everyone_pinged


async def test_a_ping_is_not_taken_back_by_an_edit(loopback, rest, general, you, messages_path):
    posted = await rest.post(messages_path, {"content": you.mention})

    await rest.patch(f"{messages_path}/{posted.body['id']}", {"content": "nobody"})

    (message,) = loopback.messages(general)
    assert message.mentions_pinged == [you.id]
    assert message.mentions == ()


async def test_what_stands_in_code_pings_nobody(loopback, rest, general, you, messages_path):
    await rest.post(messages_path, {"content": f"`{you.mention}` ```py\n@everyone\n``` ``@here``"})

    (message,) = loopback.messages(general)
    assert (message.mentions_pinged, message.everyone_pinged) == ([], False)


async def test_without_the_permission_everyone_is_not_pinged(loopback, rest, general, messages_path):
    loopback.set_permissions(general, mention_everyone=False)

    await rest.post(messages_path, {"content": "@everyone"})

    assert not loopback.messages(general)[0].everyone_pinged


@pytest.mark.parametrize(
    "allowed",
    [
        {"parse": ["users"], "users": ["1"]},
        {"parse": ["roles"], "roles": ["1"]},
        {"parse": ["nobody"]},
        {"users": [str(each) for each in range(101)]},
    ],
)
async def test_contradictory_or_overlong_allowed_mentions_are_refused(rest, messages_path, allowed):
    answer = await rest.post(messages_path, {"content": "Hello", "allowed_mentions": allowed})

    assert answer.code == 50035


async def test_people_mention_whom_they_name(loopback, gateway, general, you, ada):
    await gateway.identify()
    question = await loopback.post(general, ada, "Why?")

    quiet = await loopback.post(general, you, "so", reply_to=question, ping_reply=False)
    loud = await loopback.post(general, you, f"so {loopback.bot_user.mention}", reply_to=question)

    assert quiet.mentions == ()
    assert set(loud.mentions) == {loopback.bot_user, ada}
    created = await gateway.event("MESSAGE_CREATE", number=3)
    assert {each["username"] for each in created["mentions"]} == {"confab", "ada"}
    assert all("joined_at" in each["member"] for each in created["mentions"])
    assert created["type"] == 19
