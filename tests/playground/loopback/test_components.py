"""Buttons below a message, and what pressing them sends."""

import pytest

from bot.playground.loopback import MessageFlag


def button(custom_id="stop:1", *, label="Stop", **more):
    return {"type": 2, "style": 2, "label": label, "custom_id": custom_id} | more


def row(*buttons):
    return {"type": 1, "components": list(buttons)}


async def post(rest, path, *rows):
    return await rest.post(path, {"content": "Hello", "components": list(rows)})


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        ([row(button("x" * 101))], "components.0.components.0.custom_id"),
        ([row(button(""))], "components.0.components.0.custom_id"),
        ([row(button("a"), button("b", label="x" * 81))], "components.0.components.1.label"),
        ([row(button("a")), row(button("a"))], "components.1.components.0.custom_id"),
        ([row(*(button(str(n)) for n in range(6)))], "components.0.components"),
        ([row()], "components.0.components"),
        ([row(button(str(n))) for n in range(6)], "components"),
        ([button()], "components.0"),
    ],
)
async def test_what_discord_does_not_take_is_refused(loopback, rest, general, messages_path, rows, where):
    answer = await post(rest, messages_path, *rows)

    assert (answer.status, answer.code) == (400, 50035)
    errors = answer.body["errors"]
    for name in where.split("."):
        errors = errors[name]
    assert "_errors" in errors
    assert loopback.messages(general) == []
    loopback.requests.clear()  # what is refused here is not as Discord describes it


async def test_the_most_that_discord_takes_is_taken(rest, messages_path):
    rows = [row(*(button(f"{n}-{m}".ljust(100, "x"), label="x" * 80) for m in range(5))) for n in range(5)]

    assert (await post(rest, messages_path, *rows)).status == 200


async def test_a_link_needs_no_id(loopback, rest, general, you, messages_path):
    link = {"type": 2, "style": 5, "label": "Docs", "url": "https://example.com"}

    assert (await post(rest, messages_path, row(link))).status == 200
    with pytest.raises(LookupError):
        await loopback.press(loopback.messages(general)[0], you, "Docs")


async def test_an_edit_that_says_nothing_of_buttons_keeps_them(loopback, rest, general, messages_path):
    posted = await post(rest, messages_path, row(button()))
    message = loopback.messages(general)[0]

    await rest.patch(f"{messages_path}/{posted.body['id']}", {"content": "Hello again"})
    kept = list(message.components)
    await rest.patch(f"{messages_path}/{posted.body['id']}", {"components": []})

    assert [each["components"][0]["label"] for each in kept] == ["Stop"]
    assert message.components == []


async def test_a_press_tells_who_pressed_what_below_which_message(
    loopback, rest, gateway, general, ada, messages_path
):
    await gateway.identify()
    posted = await post(rest, messages_path, row(button("stop:7")))

    pressed = await loopback.press(loopback.messages(general)[0], ada, "Stop")

    event = await gateway.event("INTERACTION_CREATE")
    assert (event["type"], event["data"]["component_type"], event["data"]["custom_id"]) == (3, 2, "stop:7")
    assert (event["message"]["id"], event["channel_id"]) == (posted.body["id"], str(general.id))
    assert event["member"]["user"]["id"] == str(ada.id)
    assert (event["id"], event["token"]) == (str(pressed.id), pressed.token)


async def respond(rest, pressed, body):
    return await rest.post(f"/interactions/{pressed.id}/{pressed.token}/callback", body)


async def test_a_press_is_acknowledged_without_a_trace_or_with_a_message_for_one(
    loopback, rest, general, you, ada, messages_path
):
    await post(rest, messages_path, row(button()))
    message = loopback.messages(general)[0]
    silent, told = await loopback.press(message, you, "Stop"), await loopback.press(message, ada, "Stop")

    assert (await respond(rest, silent, {"type": 6})).status == 204
    answer = {"type": 4, "data": {"content": "No.", "flags": int(MessageFlag.EPHEMERAL)}}
    assert (await respond(rest, told, answer)).status == 204

    assert silent.acknowledged
    assert silent.original is None
    assert told.original.content == "No."
    assert told.original in loopback.messages(general, seen_by=ada)
    assert told.original not in loopback.messages(general, seen_by=you)


async def test_a_press_may_change_the_message_that_was_pressed_and_change_it_again(
    loopback, rest, general, you, messages_path
):
    await post(rest, messages_path, row(button()))
    message = loopback.messages(general)[0]
    pressed = await loopback.press(message, you, "Stop")

    taken = await respond(rest, pressed, {"type": 7, "data": {"content": "Stopping.", "components": []}})
    said = message.content
    webhook = f"/webhooks/{loopback.application_id}/{pressed.token}/messages/@original"
    changed = await rest.patch(webhook, {"content": "Stopped."})

    assert (taken.status, said, message.components) == (204, "Stopping.", [])
    assert (changed.status, changed.body["id"], message.content) == (200, str(message.id), "Stopped.")


async def test_a_command_has_no_message_to_change(rest, loopback, general, you):
    await rest.put(f"/applications/{loopback.application_id}/commands", [{"name": "x", "description": "x"}])
    called = await loopback.slash(general, you, "x")

    assert (await respond(rest, called, {"type": 7, "data": {"content": "No."}})).code == 50035
    loopback.requests.clear()  # what is refused here is not as Discord describes it


async def test_a_press_that_nobody_takes_is_told(loopback, rest, clock, general, you, messages_path):
    await post(rest, messages_path, row(button()))
    pressed = await loopback.press(loopback.messages(general)[0], you, "Stop")

    await clock.advance(3.1)

    await loopback.until(lambda: pressed.unanswered)
    assert (await respond(rest, pressed, {"type": 6})).code == 10062


@pytest.mark.parametrize("change", [{"disabled": True}, {"label": "Go on"}])
async def test_what_is_not_there_to_be_pressed_is_not(loopback, rest, general, you, messages_path, change):
    await post(rest, messages_path, row(button(**change)))

    with pytest.raises(LookupError):
        await loopback.press(loopback.messages(general)[0], you, "Stop")


async def test_messages_made_of_components_have_rules_of_their_own(rest, messages_path):
    text = {"type": 10, "content": "Hello"}
    body = {"components": [text], "flags": int(MessageFlag.IS_COMPONENTS_V2)}

    assert (await rest.post(messages_path, body)).status == 200
