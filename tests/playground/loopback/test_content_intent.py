"""What an app reads without the message-content intent."""

import pytest

from bot.playground.loopback import Intent, Upload
from tests.playground.loopback.clients import EVERYTHING

WITHOUT = EVERYTHING & ~int(Intent.MESSAGE_CONTENT)


@pytest.fixture
async def own(rest, messages_path):
    """A message of the bot's."""
    answer = await rest.post(messages_path, {"content": "I am here"})
    return int(answer.body["id"])


async def test_other_messages_come_without_their_content(loopback, gateway, general, you):
    await gateway.identify(WITHOUT)
    attachment = Upload(filename="a.txt", data=b"x")

    message = await loopback.post(general, you, "secret", attachments=[attachment], stickers=["wave"])
    await loopback.edit(message, "still secret")

    created, updated = await gateway.event("MESSAGE_CREATE"), await gateway.event("MESSAGE_UPDATE")
    for event in (created, updated):
        assert (event["content"], event["embeds"], event["attachments"], event["components"]) == ("", [], [], [])
        assert event["author"]["username"] == "you"
        assert event["sticker_items"][0]["name"] == "wave"


async def test_with_the_intent_all_is_read(loopback, gateway, general, you):
    await gateway.identify(EVERYTHING)

    await loopback.post(general, you, "open", attachments=[Upload(filename="a.txt", data=b"x")])

    created = await gateway.event("MESSAGE_CREATE")
    assert (created["content"], len(created["attachments"])) == ("open", 1)


async def test_mentions_of_the_bot_and_dms_and_its_own_are_read(
    loopback, gateway, rest, general, you, messages_path
):
    await gateway.identify(WITHOUT)

    await loopback.post(general, you, f"{loopback.bot_user.mention} hi")
    await loopback.post(loopback.open_dm(you), you, "in the dm")
    await rest.post(messages_path, {"content": "my own"})
    await gateway.event("MESSAGE_CREATE", number=3)

    contents = [each["content"] for each in gateway.events("MESSAGE_CREATE")]
    assert contents == [f"{loopback.bot_user.mention} hi", "in the dm", "my own"]


@pytest.mark.parametrize(("ping", "content"), [(True, "and?"), (False, "")])
async def test_a_reply_is_read_if_it_pings(loopback, gateway, own, general, you, ping, content):
    await gateway.identify(WITHOUT)

    await loopback.post(general, you, "and?", reply_to=general.messages[own], ping_reply=ping)

    assert (await gateway.event("MESSAGE_CREATE"))["content"] == content


async def test_a_reply_to_a_command_s_answer_is_not_read(loopback, gateway, rest, general, you):
    await rest.put(f"/applications/{loopback.application_id}/commands", [{"name": "chat", "description": "x"}])
    interaction = await loopback.slash(general, you, "chat")
    body = {"type": 4, "data": {"content": "Because"}}
    await rest.post(f"/interactions/{interaction.id}/{interaction.token}/callback", body, token=None)
    await gateway.identify(WITHOUT)

    await loopback.post(general, you, "and?", reply_to=interaction.original)

    assert (await gateway.event("MESSAGE_CREATE"))["content"] == ""


async def test_mentioning_everyone_opens_nothing(loopback, gateway, general, you):
    await gateway.identify(WITHOUT)

    await loopback.post(general, you, "@everyone look")

    assert (await gateway.event("MESSAGE_CREATE"))["content"] == ""


async def test_what_a_mention_replies_to_stays_unread(loopback, gateway, general, you, ada):
    await gateway.identify(WITHOUT)
    secret = await loopback.post(general, ada, "secret")

    await loopback.post(general, you, f"{loopback.bot_user.mention} what is that?", reply_to=secret)

    asked = await gateway.event("MESSAGE_CREATE", number=2)
    assert asked["content"].endswith("what is that?")
    assert asked["referenced_message"]["content"] == ""


async def test_a_forward_is_read_or_not_like_any_message(loopback, gateway, general, you, ada):
    said = await loopback.post(general, ada, "forwarded words")
    await gateway.identify(WITHOUT)

    await loopback.post(general, you, forward_of=said)
    await loopback.post(loopback.open_dm(you), you, forward_of=said)

    await gateway.event("MESSAGE_CREATE", number=2)
    contents = [each["message_snapshots"][0]["message"]["content"] for each in gateway.events("MESSAGE_CREATE")]
    assert contents == ["", "forwarded words"]


@pytest.mark.parametrize("why", ["not granted", "not asked for"])
async def test_reading_back_hides_the_same(loopback, gateway, rest, general, you, messages_path, why):
    message = await loopback.post(general, you, "secret")
    await loopback.post(general, you, f"{loopback.bot_user.mention} open")
    assert (await rest.get(f"{messages_path}/{message.id}")).body["content"] == "secret"
    if why == "not granted":
        loopback.world.message_content_granted = False
    await gateway.identify(WITHOUT)

    answer = await rest.get(messages_path)

    assert [each["content"] for each in answer.body] == [f"{loopback.bot_user.mention} open", ""]
    assert (await rest.get(f"{messages_path}/{message.id}")).body["content"] == ""
