"""Commands in the menu of a message: what the bot is told of it, and what its answer is."""

import pytest

from bot.playground.loopback import MessageFlag, MessageType
from tests.openapi import validate_object

WHY = {"name": "Why this?", "type": 3}
PRIVATELY = {"flags": int(MessageFlag.EPHEMERAL)}


@pytest.fixture
async def registered(loopback, rest):
    await rest.put(f"/applications/{loopback.application_id}/commands", [WHY])


async def respond(rest, interaction, body):
    path = f"/interactions/{interaction.id}/{interaction.token}/callback?with_response=true"
    return await rest.post(path, body, token=None)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("granted", [True, False])
async def test_the_bot_is_told_of_the_message_with_its_words(loopback, gateway, general, you, ada, granted):
    loopback.world.message_content_granted = granted
    await gateway.identify(1 << 0 | 1 << 9)  # without the intent for content
    message = await loopback.post(general, ada, "Hello")

    interaction = await loopback.choose(message, you, "Why this?")

    event = await gateway.event("INTERACTION_CREATE")
    data = event["data"]
    assert (event["type"], data["type"], data["name"]) == (2, 3, "Why this?")
    assert data["id"] == loopback.commands[0]["id"]
    assert data["target_id"] == str(message.id)
    assert data["resolved"]["messages"][str(message.id)]["content"] == "Hello"
    assert event["member"]["user"]["id"] == str(you.id)
    assert event["token"] == interaction.token
    validate_object("MessageResponse", data["resolved"]["messages"][str(message.id)])


@pytest.mark.usefixtures("registered")
async def test_its_answer_says_which_message_it_is_about(loopback, rest, general, you):
    message = await loopback.post(general, you, "Hello")
    interaction = await loopback.choose(message, you, "Why this?")

    answer = await respond(rest, interaction, {"type": 4, "data": {"content": "Because", **PRIVATELY}})

    shown = answer.body["resource"]["message"]
    assert interaction.original.type is MessageType.CONTEXT_MENU_COMMAND
    assert shown["type"] == 23
    assert shown["interaction_metadata"]["target_message_id"] == str(message.id)
    assert not interaction.original.is_system
    validate_object("MessageResponse", shown)


@pytest.mark.usefixtures("registered")
async def test_nobody_chooses_it_on_what_they_do_not_see(loopback, rest, general, you, ada):
    message = await loopback.post(general, you, "Hello")
    unseen = await loopback.choose(message, you, "Why this?")
    await respond(rest, unseen, {"type": 4, "data": {"content": "Because", **PRIVATELY}})
    await loopback.delete(message)

    for each, person in ((unseen.original, ada), (message, you)):
        with pytest.raises(LookupError, match="no such message"):
            await loopback.choose(each, person, "Why this?")
    assert (await loopback.choose(unseen.original, you, "Why this?")).target is unseen.original


@pytest.mark.usefixtures("registered")
async def test_after_three_seconds_without_an_answer_the_person_is_told(loopback, clock, general, you):
    interaction = await loopback.choose(await loopback.post(general, you, "Hello"), you, "Why this?")

    await clock.advance(3)

    await loopback.until(lambda: interaction.unanswered)
