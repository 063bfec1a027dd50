"""Slash commands by Discord's two clocks: three seconds to acknowledge, fifteen minutes to answer."""

import pytest

from bot.playground.loopback import MessageFlag

CHAT = {
    "name": "chat",
    "description": "Ask me something",
    "options": [{"name": "message", "type": 3, "description": "Your question", "required": True}],
}
DEFER = {"type": 5}
PRIVATELY = {"flags": int(MessageFlag.EPHEMERAL)}


@pytest.fixture
async def chat(loopback, rest, general, you):
    """Calls /chat as "you"."""
    await rest.put(f"/applications/{loopback.application_id}/commands", [CHAT])

    async def call(channel=general):
        return await loopback.slash(channel, you, "chat", {"message": "Why?"})

    return call


def callback(interaction):
    return f"/interactions/{interaction.id}/{interaction.token}/callback"


@pytest.fixture
def webhook(loopback):
    return lambda interaction: f"/webhooks/{loopback.application_id}/{interaction.token}"


async def respond(rest, interaction, body, query=""):
    return await rest.post(callback(interaction) + query, body, token=None)


async def test_a_command_reaches_the_bot_with_who_where_and_what(loopback, gateway, chat, general, you):
    await gateway.identify()

    interaction = await chat()

    event = await gateway.event("INTERACTION_CREATE")
    assert event["token"] == interaction.token
    assert event["data"]["name"] == "chat"
    assert event["data"]["options"] == [{"name": "message", "type": 3, "value": "Why?"}]
    assert event["member"]["user"]["id"] == str(you.id)
    assert int(event["member"]["permissions"]) & 1 << 13
    assert (event["channel"]["id"], event["guild_id"]) == (str(general.id), str(loopback.guild.id))
    assert event["context"] == 0
    assert event["authorizing_integration_owners"] == {"0": str(loopback.guild.id)}


async def test_in_a_dm_a_command_comes_from_a_user(loopback, gateway, chat, you):
    await gateway.identify()

    await chat(loopback.open_dm(you))

    event = await gateway.event("INTERACTION_CREATE")
    assert event["user"]["id"] == str(you.id)
    assert event["context"] == 1
    assert "member" not in event
    assert "guild_id" not in event


async def test_an_answer_at_once_is_shown(loopback, rest, chat, general):
    interaction = await chat()

    answer = await respond(rest, interaction, {"type": 4, "data": {"content": "Because"}})

    assert answer.status == 204
    assert interaction.acknowledged
    assert interaction.original.content == "Because"
    assert interaction.original.type == 20
    assert loopback.messages(general) == [interaction.original]


async def test_a_response_can_be_asked_for(rest, chat):
    interaction = await chat()

    answer = await respond(rest, interaction, {"type": 4, "data": {"content": "Because"}}, "?with_response=true")

    assert answer.body["interaction"]["response_message_id"] == str(interaction.original.id)
    assert answer.body["resource"]["message"]["content"] == "Because"


async def test_deferred_it_says_thinking_until_the_text_comes(loopback, rest, chat, webhook, general):
    interaction = await chat()
    answer = await respond(rest, interaction, DEFER, "?with_response=true")
    assert answer.body["interaction"]["response_message_loading"] is True
    assert interaction.thinking
    assert interaction.original is None
    assert loopback.messages(general) == []

    answer = await rest.patch(webhook(interaction) + "/messages/@original", {"content": "Because"}, token=None)

    assert answer.body["flags"] & MessageFlag.LOADING == 0
    assert not interaction.thinking
    assert [message.content for message in loopback.messages(general)] == ["Because"]
    assert interaction.original.edited_timestamp is None
    assert interaction.original.versions == ["Because"]
    assert answer.body["interaction_metadata"]["id"] == str(interaction.id)


async def test_three_seconds_are_enough_and_no_more(loopback, rest, clock, chat):
    in_time, late = await chat(), await chat()
    await clock.advance(3)
    assert (await respond(rest, in_time, DEFER)).status == 204

    await clock.advance(0.1)
    answer = await respond(rest, late, DEFER)

    assert (answer.status, answer.code) == (404, 10062)
    assert not late.acknowledged


async def test_after_three_seconds_the_person_is_told(loopback, rest, clock, chat):
    answered, ignored = await chat(), await chat()
    await respond(rest, answered, DEFER)

    await clock.advance(3)

    await loopback.until(lambda: ignored.unanswered)
    assert not answered.unanswered


async def test_a_second_acknowledgement_is_40060(rest, clock, chat):
    interaction = await chat()
    await respond(rest, interaction, DEFER)

    answer = await respond(rest, interaction, DEFER)
    await clock.advance(5)

    assert (answer.status, answer.code) == (400, 40060)
    assert (await respond(rest, interaction, DEFER)).code == 40060


async def test_a_made_up_interaction_is_10062(rest, chat):
    interaction = await chat()

    assert (await rest.post(f"/interactions/{interaction.id}/nonsense/callback", DEFER, token=None)).code == 10062
    assert (await rest.post(f"/interactions/1/{interaction.token}/callback", DEFER, token=None)).code == 10062


async def test_a_response_of_another_kind_or_without_content_is_refused(rest, chat):
    interaction = await chat()

    assert (await respond(rest, interaction, {"type": 6})).code == 50035
    assert (await respond(rest, interaction, {"type": 4, "data": {"content": ""}})).code == 50006
    assert (await respond(rest, interaction, {"type": 4, "data": {"content": "x" * 2001}})).code == 50035
    assert not interaction.acknowledged


async def test_before_the_first_response_its_webhook_is_unknown(rest, chat, webhook):
    interaction = await chat()

    answer = await rest.patch(webhook(interaction) + "/messages/@original", {"content": "Because"}, token=None)

    assert (answer.status, answer.code) == (404, 10015)


async def test_the_token_is_good_for_fifteen_minutes(loopback, rest, clock, chat, webhook):
    interaction = await chat()
    original = webhook(interaction) + "/messages/@original"
    await respond(rest, interaction, DEFER)
    await clock.advance(900)
    assert (await rest.patch(original, {"content": "Because"}, token=None)).status == 200

    await clock.advance(1)

    for answer in (
        await rest.patch(original, {"content": "So"}, token=None),
        await rest.post(webhook(interaction), {"content": "So"}, token=None),
        await rest.delete(original, token=None),
    ):
        assert (answer.status, answer.code) == (401, 50027)
    assert interaction.original.content == "Because"


async def test_a_follow_up_replies_to_the_original(loopback, rest, chat, webhook, general):
    interaction = await chat()
    await respond(rest, interaction, {"type": 4, "data": {"content": "One"}})

    await rest.post(webhook(interaction), {"content": "Two"}, token=None)
    await rest.post(webhook(interaction), {"content": "Three", **PRIVATELY}, token=None)

    assert [message.content for message in loopback.messages(general)] == ["One", "Two"]
    assert [message.content for message in interaction.followups] == ["Two", "Three"]
    assert interaction.followups[0].replied_to is interaction.original


async def test_a_follow_up_straight_after_a_deferral_becomes_the_deferred_message(
    loopback, rest, chat, webhook, general
):
    interaction = await chat()
    await respond(rest, interaction, DEFER)

    await rest.post(webhook(interaction), {"content": "Because", **PRIVATELY}, token=None)

    assert interaction.followups == []
    assert not interaction.original.is_ephemeral
    assert loopback.messages(general) == [interaction.original]


@pytest.mark.parametrize("deferred", [True, False])
async def test_an_ephemeral_answer_is_seen_by_the_asker_alone(
    loopback, rest, gateway, chat, webhook, general, you, ada, messages_path, deferred
):
    await gateway.identify()
    interaction = await chat()
    if deferred:
        await respond(rest, interaction, {"type": 5, "data": PRIVATELY})
        await rest.patch(webhook(interaction) + "/messages/@original", {"content": "psst"}, token=None)
    else:
        await respond(rest, interaction, {"type": 4, "data": {"content": "psst", **PRIVATELY}})

    assert interaction.ephemeral
    assert loopback.messages(general) == loopback.messages(general, seen_by=ada) == []
    assert loopback.messages(general, seen_by=you) == [interaction.original]
    assert (await rest.get(messages_path)).body == []
    assert (await rest.get(f"{messages_path}/{interaction.original.id}")).code == 10008
    created = await gateway.event("MESSAGE_CREATE")
    assert "guild_id" not in created
    assert "member" not in created
    assert general.last_message_id is None


async def test_an_ephemeral_answers_events_need_the_intent_for_dms(loopback, rest, gateway, chat, webhook):
    await gateway.identify(1 << 0 | 1 << 9)
    interaction = await chat()

    await respond(rest, interaction, {"type": 4, "data": {"content": "psst", **PRIVATELY}})
    await rest.post(webhook(interaction), {"content": "aloud"}, token=None)

    created = await gateway.event("MESSAGE_CREATE")
    assert created["content"] == "aloud"


async def test_a_deleted_original_cannot_be_edited(rest, chat, webhook):
    interaction = await chat()
    original = webhook(interaction) + "/messages/@original"
    await respond(rest, interaction, DEFER)

    assert (await rest.delete(original, token=None)).status == 204

    assert (await rest.patch(original, {"content": "Because"}, token=None)).code == 10008
    assert (await rest.get(original, token=None)).code == 10008
    assert interaction.original is None


async def test_follow_ups_can_be_read_edited_and_deleted_by_id(
    loopback, rest, chat, webhook, general, messages_path
):
    interaction = await chat()
    await respond(rest, interaction, {"type": 4, "data": {"content": "One"}})
    other = await rest.post(messages_path, {"content": "elsewhere"})
    posted = await rest.post(webhook(interaction), {"content": "Two"}, token=None)
    path = f"{webhook(interaction)}/messages/{posted.body['id']}"

    assert (await rest.get(path, token=None)).body["content"] == "Two"
    assert (await rest.patch(path, {"content": "2"}, token=None)).body["content"] == "2"
    assert (await rest.delete(path, token=None)).status == 204
    assert (await rest.get(path, token=None)).code == 10008
    stranger = f"{webhook(interaction)}/messages/{other.body['id']}"
    assert (await rest.get(stranger, token=None)).code == 10008
    assert [message.content for message in loopback.messages(general)] == ["One", "elsewhere"]


async def test_another_applications_webhook_is_unknown(rest, chat):
    interaction = await chat()
    await respond(rest, interaction, DEFER)

    assert (await rest.post(f"/webhooks/1/{interaction.token}", {"content": "x"}, token=None)).code == 10015


async def test_an_answer_to_a_command_pings_users_by_default_and_no_roles(loopback, rest, chat, ada, general):
    mods = loopback.add_role(loopback.guild, "mods")
    interaction = await chat()

    await respond(rest, interaction, {"type": 4, "data": {"content": f"@everyone {ada.mention} <@&{mods.id}>"}})

    assert interaction.original.mentions_pinged == [ada.id]
    assert not interaction.original.everyone_pinged


async def test_a_command_can_be_answered_where_the_bot_sees_nothing(loopback, rest, gateway, chat, general):
    await gateway.identify()
    loopback.set_permissions(general, view_channel=False)

    interaction = await chat()
    await gateway.event("INTERACTION_CREATE")
    await respond(rest, interaction, {"type": 4, "data": {"content": "Because"}})
    await gateway.all_sent_so_far()

    assert interaction.original.content == "Because"
    assert "MESSAGE_CREATE" not in gateway.names


async def test_an_edit_that_is_refused_leaves_it_thinking(rest, chat, webhook):
    interaction = await chat()
    await respond(rest, interaction, DEFER)

    answer = await rest.patch(webhook(interaction) + "/messages/@original", {"content": "x" * 2001}, token=None)

    assert answer.code == 50035
    assert interaction.thinking
