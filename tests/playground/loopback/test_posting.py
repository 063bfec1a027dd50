"""What the bot may post, edit and delete, and how Discord refuses the rest."""

from datetime import timedelta

import pytest

from bot.playground.loopback import MessageFlag


async def test_a_posted_message_stands_in_the_channel(loopback, rest, general, messages_path):
    answer = await rest.post(messages_path, {"content": "Hello"})

    assert answer.status == 200
    (message,) = loopback.messages(general)
    assert (message.content, message.author) == ("Hello", loopback.bot_user)
    assert answer.body["id"] == str(message.id) == str(general.last_message_id)
    assert answer.body["edited_timestamp"] is None


@pytest.mark.parametrize("content", ["x" * 2001, "\N{GRINNING FACE}" * 1001])
async def test_more_than_2000_units_are_refused(rest, messages_path, content):
    answer = await rest.post(messages_path, {"content": content})

    assert (answer.status, answer.code) == (400, 50035)
    assert answer.body["errors"] == {
        "content": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}]}
    }


async def test_2000_units_are_taken(rest, messages_path):
    assert (await rest.post(messages_path, {"content": "x" * 2000})).status == 200


@pytest.mark.parametrize("body", [{}, {"content": ""}, {"content": " \n "}, {"content": None, "embeds": []}])
async def test_an_empty_message_is_refused(rest, messages_path, body):
    answer = await rest.post(messages_path, body)

    assert (answer.status, answer.code) == (400, 50006)


async def test_whitespace_at_the_ends_is_stripped(loopback, rest, general, messages_path):
    await rest.post(messages_path, {"content": "\n hello \n"})

    assert loopback.messages(general)[0].content == "hello"


async def test_an_unknown_channel_is_10003(rest):
    answer = await rest.post("/channels/123/messages", {"content": "Hello"})

    assert (answer.status, answer.code) == (404, 10003)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_an_unknown_message_is_10008(rest, messages_path, method):
    answer = await rest.request(method, f"{messages_path}/123", None if method != "PATCH" else {"content": "x"})

    assert (answer.status, answer.code) == (404, 10008)


@pytest.mark.parametrize("data", ["{", "no json"])
async def test_a_body_that_is_no_json_is_50109(rest, messages_path, data):
    answer = await rest.request("POST", messages_path, data=data)

    assert (answer.status, answer.code) == (400, 50109)


async def test_an_edit_replaces_the_text_and_is_dated(loopback, rest, clock, general, messages_path):
    posted = await rest.post(messages_path, {"content": "Hel"})
    await clock.advance(2)

    answer = await rest.patch(f"{messages_path}/{posted.body['id']}", {"content": "Hello"})

    (message,) = loopback.messages(general)
    assert message.content == answer.body["content"] == "Hello"
    assert message.versions == ["Hel", "Hello"]
    assert message.edited_timestamp - message.created_at == timedelta(seconds=2)
    assert answer.body["edited_timestamp"] is not None


async def test_an_edit_may_not_empty_a_message_nor_overfill_it(loopback, rest, general, messages_path):
    posted = await rest.post(messages_path, {"content": "Hello"})
    path = f"{messages_path}/{posted.body['id']}"

    assert (await rest.patch(path, {"content": ""})).code == 50006
    assert (await rest.patch(path, {"content": "x" * 2001})).code == 50035
    assert loopback.messages(general)[0].content == "Hello"


async def test_nobody_elses_message_can_be_edited(loopback, rest, general, you, messages_path):
    message = await loopback.post(general, you, "mine")

    answer = await rest.patch(f"{messages_path}/{message.id}", {"content": "yours"})

    assert (answer.status, answer.code) == (403, 50005)
    assert message.content == "mine"


async def test_suppressed_previews_stay_suppressed_until_flags_say_otherwise(
    loopback, rest, general, messages_path
):
    posted = await rest.post(messages_path, {"content": "https://example.com", "flags": 4})
    path = f"{messages_path}/{posted.body['id']}"
    (message,) = loopback.messages(general)

    await rest.patch(path, {"content": "https://example.com/a"})
    assert message.flags & MessageFlag.SUPPRESS_EMBEDS
    assert not await loopback.unfurl(message)

    await rest.patch(path, {"content": "https://example.com/b", "flags": 0})
    assert not message.flags & MessageFlag.SUPPRESS_EMBEDS
    assert await loopback.unfurl(message)
    assert message.embeds


async def test_an_edit_of_flags_alone_does_not_count_as_an_edit(loopback, rest, general, messages_path):
    posted = await rest.post(messages_path, {"content": "Hello"})

    await rest.patch(f"{messages_path}/{posted.body['id']}", {"flags": 4})

    assert loopback.messages(general)[0].edited_timestamp is None


async def test_own_messages_can_be_deleted_and_others_only_with_permission(
    loopback, rest, general, you, messages_path
):
    own = await rest.post(messages_path, {"content": "Hello"})
    other = await loopback.post(general, you, "mine")

    assert (await rest.delete(f"{messages_path}/{own.body['id']}")).status == 204
    assert (await rest.delete(f"{messages_path}/{other.id}")).code == 50013
    loopback.set_permissions(general, manage_messages=True)
    assert (await rest.delete(f"{messages_path}/{other.id}")).status == 204
    assert loopback.messages(general) == []
    assert other.deleted


async def test_in_a_dm_only_own_messages_can_be_deleted(loopback, rest, you):
    dm = loopback.open_dm(you)
    message = await loopback.post(dm, you, "mine")

    assert (await rest.delete(f"/channels/{dm.id}/messages/{message.id}")).code == 50003


async def test_bulk_deletion_takes_2_to_100_young_messages_and_permission(loopback, rest, clock, general, you):
    path = f"/channels/{general.id}/messages/bulk-delete"
    old = await loopback.post(general, you, "old")
    await clock.advance(15 * 86_400)
    new = [await loopback.post(general, you, f"new {number}") for number in range(2)]
    ids = [str(message.id) for message in new]

    assert (await rest.post(path, {"messages": ids})).code == 50013
    loopback.set_permissions(general, manage_messages=True)
    assert (await rest.post(path, {"messages": ids[:1]})).code == 50035
    assert (await rest.post(path, {"messages": [*ids, str(old.id)]})).code == 50034
    assert (await rest.post(path, {"messages": ids})).status == 204
    assert loopback.messages(general) == [old]


async def test_a_reply_shows_what_it_answers(loopback, rest, general, you, messages_path):
    question = await loopback.post(general, you, "Why?")

    answer = await rest.post(
        messages_path, {"content": "Because", "message_reference": {"message_id": str(question.id)}}
    )

    assert answer.body["type"] == 19
    assert answer.body["message_reference"]["message_id"] == str(question.id)
    assert answer.body["referenced_message"]["content"] == "Why?"
    assert loopback.messages(general)[1].reference.message_id == question.id


async def test_a_reply_to_a_deleted_message_fails_unless_told_not_to(loopback, rest, general, you, messages_path):
    question = await loopback.post(general, you, "Why?")
    await loopback.delete(question)
    reference = {"message_id": str(question.id)}

    refused = await rest.post(messages_path, {"content": "Because", "message_reference": reference})
    taken = await rest.post(
        messages_path, {"content": "Because", "message_reference": {**reference, "fail_if_not_exists": False}}
    )

    assert refused.code == 50035
    assert refused.body["errors"]["message_reference"]["_errors"][0]["code"] == "REPLIES_UNKNOWN_MESSAGE"
    assert taken.status == 200
    assert "message_reference" not in taken.body


async def test_a_system_message_cannot_be_replied_to(loopback, rest, general, you, messages_path):
    joined = await loopback.post(general, you, type=7)

    answer = await rest.post(
        messages_path, {"content": "Welcome", "message_reference": {"message_id": str(joined.id)}}
    )

    assert answer.code == 50035


async def test_a_reply_whose_question_is_deleted_later_refers_to_null(loopback, rest, general, you, messages_path):
    question = await loopback.post(general, you, "Why?")
    reply = await rest.post(
        messages_path, {"content": "Because", "message_reference": {"message_id": str(question.id)}}
    )
    await loopback.delete(question)

    answer = await rest.get(f"{messages_path}/{reply.body['id']}")

    assert answer.body["referenced_message"] is None


async def test_an_archived_thread_is_woken_by_a_post_but_takes_no_edits_and_deletions(
    loopback, rest, general, gateway
):
    await gateway.identify()
    thread = loopback.add_thread(general, "side")
    posted = await rest.post(f"/channels/{thread.id}/messages", {"content": "Hello"})
    await loopback.set_thread_state(thread, archived=True)

    edited = await rest.patch(f"/channels/{thread.id}/messages/{posted.body['id']}", {"content": "x"})
    deleted = await rest.delete(f"/channels/{thread.id}/messages/{posted.body['id']}")
    woken = await rest.post(f"/channels/{thread.id}/messages", {"content": "Again"})

    assert (edited.code, deleted.code) == (50083, 50083)
    assert woken.status == 200
    assert not thread.archived
    assert (await gateway.event("THREAD_UPDATE", number=2))["thread_metadata"]["archived"] is False


async def test_whoever_may_write_opens_an_archived_thread_but_no_locked_one(loopback, rest, general):
    thread = loopback.add_thread(general, "side")
    await loopback.set_thread_state(thread, archived=True)

    opened = await rest.patch(f"/channels/{thread.id}", {"archived": False})
    archived = await rest.patch(f"/channels/{thread.id}", {"archived": True})
    await loopback.set_thread_state(thread, archived=True, locked=True)
    locked = await rest.patch(f"/channels/{thread.id}", {"archived": False})

    assert not opened.body["thread_metadata"]["archived"]
    assert (archived.code, locked.code) == (50013, 50013)


async def test_a_locked_thread_takes_no_posts(loopback, rest, general):
    thread = loopback.add_thread(general, "side")
    await loopback.set_thread_state(thread, archived=True, locked=True)

    assert (await rest.post(f"/channels/{thread.id}/messages", {"content": "Hello"})).code == 160005


async def test_a_forum_takes_no_posts_of_its_own_and_its_threads_begin_with_their_id(loopback, rest, you):
    forum = loopback.add_channel(loopback.guild, "help", type=15)
    thread = loopback.add_thread(forum, "How do I …")

    first = await loopback.post(thread, you, "…do it?")

    assert (await rest.post(f"/channels/{forum.id}/messages", {"content": "Hello"})).code == 50008
    assert first.id == thread.id
    assert (await rest.post(f"/channels/{thread.id}/messages", {"content": "So"})).body["id"] != str(thread.id)
