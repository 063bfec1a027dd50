"""The outbox against a loopback Discord: safe payloads, one message a nonce, plain faults."""

import asyncio
import logging
import socket

import aiohttp
import pytest

from bot.core.errors import DiscordUnavailable, Undeliverable
from bot.core.messages import Interaction
from bot.discord.nonce import nonce
from bot.discord.refusals import Gone, NotAllowed, OutcomeUnknown, translate, was_turned_away
from bot.discord.requests import REQUEST_SECONDS, SECONDS_TO_CLOSE
from bot.discord.responses import FOLLOWS_BELOW

MESSAGES = r"/channels/\d+/messages$"
CREATE = ("POST", "/messages")
EDIT = ("PATCH", "/messages/{message_id}")
PING_NOBODY = {"parse": [], "replied_user": False}


async def test_a_message_that_tries_to_ping_everyone_pings_nobody(stage):
    posted = await stage.outbox.create(stage.channel.id, f"@everyone {stage.you.mention}", nonce="a")
    await stage.outbox.edit(stage.channel.id, posted.message_id, f"@here and {stage.you.mention}")

    (said,) = stage.discord.messages(stage.channel)
    assert not said.everyone_pinged
    assert said.mentions_pinged == []
    assert said.versions[-1] == f"@here and {stage.you.mention}"


async def test_only_the_author_of_the_question_is_pinged_by_a_reply(stage):
    ada = stage.discord.user("ada")
    question = await stage.discord.post(stage.channel, stage.you, "Hello?")

    await stage.outbox.create(stage.channel.id, f"Hello, {ada.mention}!", nonce="a", reply_to=question.id)

    said = stage.discord.messages(stage.channel)[-1]
    assert said.mentions_pinged == [stage.you.id]
    assert said.replied_to is question


async def test_every_write_names_its_allowed_mentions_and_suppresses_previews(stage):
    taken = await stage.chatted()
    interaction = taken.question.interaction

    posted = await stage.outbox.create(stage.channel.id, "One", nonce="a")
    await stage.outbox.edit(stage.channel.id, posted.message_id, "https://example.com/")
    await stage.outbox.edit_original(interaction, "Two")
    followed = await stage.outbox.follow_up(interaction, "Three", ephemeral=False)
    await stage.outbox.edit_follow_up(interaction, followed.message_id, "Four")

    writes = [
        each.body for each in stage.discord.requests if isinstance(each.body, dict) and "content" in each.body
    ]
    assert len(writes) == 5
    assert all(body["allowed_mentions"] == PING_NOBODY for body in writes)
    assert all(body["flags"] == 4 for body in writes)
    (said,) = [each for each in stage.discord.messages(stage.channel) if each.id == posted.message_id]
    assert await stage.discord.unfurl(said) is False


async def test_a_question_deleted_meanwhile_does_not_stop_its_answer(stage):
    question = await stage.discord.post(stage.channel, stage.you, "Hello?")
    await stage.discord.delete(question)

    await stage.outbox.create(stage.channel.id, "Hello!", nonce="a", reply_to=question.id)

    assert stage.said() == ["Hello!"]


async def test_a_create_that_discord_stored_and_denied_is_repeated_into_one_message(deaf_stage):
    stage = deaf_stage
    stage.discord.faults.add("POST", MESSAGES, status=503, when="after")
    creating = stage.spawn(stage.outbox.create(stage.channel.id, "Hello!", nonce="a"))

    await stage.clock.advance(1.0)
    posted = await creating

    assert [body["nonce"] for body in stage.asked_of_discord(*CREATE)] == ["a", "a"]
    assert [each.id for each in stage.discord.messages(stage.channel)] == [posted.message_id]


@pytest.mark.parametrize("what", ["reset", "close", "truncated"])
async def test_a_connection_lost_after_storing_leaves_one_message(deaf_stage, what):
    stage = deaf_stage
    stage.discord.faults.add("POST", MESSAGES, what=what, when="after")
    creating = stage.spawn(stage.outbox.create(stage.channel.id, "Hello!", nonce="a"))

    await stage.clock.advance(1.0)
    await creating

    assert stage.said() == ["Hello!"]


async def test_a_create_without_an_answer_is_given_up_after_a_minute_and_repeated(deaf_stage):
    stage = deaf_stage
    stage.discord.faults.add("POST", MESSAGES, what="hang", when="after")
    creating = stage.spawn(stage.outbox.create(stage.channel.id, "Hello!", nonce="a"))
    await stage.discord.until(stage.said)

    await stage.clock.advance(REQUEST_SECONDS)
    await stage.clock.advance(1.0)
    await creating

    assert stage.said() == ["Hello!"]


async def test_a_message_heard_over_the_gateway_is_posted_whatever_the_request_does(stage):
    fault = stage.discord.faults.add("POST", MESSAGES, what="hang", when="after")

    posted = await stage.outbox.create(stage.channel.id, "Hello!", nonce="a")

    assert posted.content == "Hello!"
    assert [each.id for each in stage.discord.messages(stage.channel)] == [posted.message_id]
    assert len(stage.asked_of_discord(*CREATE)) == 1
    fault.release()


async def test_an_edit_heard_over_the_gateway_is_done_whatever_the_request_does(stage):
    posted = await stage.outbox.create(stage.channel.id, "Hello!", nonce="a")
    fault = stage.discord.faults.add("PATCH", r"/messages/\d+$", what="hang", when="after")

    await stage.outbox.edit(stage.channel.id, posted.message_id, "Hello again!")

    assert stage.said() == ["Hello again!"]
    fault.release()


async def test_a_nonce_that_gives_back_an_old_message_says_what_the_message_says(deaf_stage):
    stage = deaf_stage
    first = await stage.outbox.create(stage.channel.id, "Old words", nonce="a")

    second = await stage.outbox.create(stage.channel.id, "New words", nonce="a", resumed=True)

    assert second == first
    assert second.content == "Old words"


async def test_a_message_that_somebody_deleted_is_not_posted_again(stage):
    await stage.outbox.create(stage.channel.id, "Hello!", nonce="a")
    await stage.discord.delete(stage.discord.messages(stage.channel)[0])

    with pytest.raises(Gone, match="10008"):
        await stage.outbox.create(stage.channel.id, "Hello!", nonce="a", resumed=True)

    assert stage.said() == []
    assert len(stage.asked_of_discord(*CREATE)) == 2


async def test_discord_being_down_is_told_after_two_repetitions(deaf_stage):
    stage = deaf_stage
    stage.discord.faults.add("POST", MESSAGES, status=503, times=9)
    creating = stage.spawn(stage.outbox.create(stage.channel.id, "Hello!", nonce="a"))

    await stage.clock.advance(1.0)
    await stage.clock.advance(3.0)

    with pytest.raises(DiscordUnavailable, match="503"):
        await creating
    assert len(stage.asked_of_discord(*CREATE)) == 3


@pytest.mark.parametrize("status", [200, 400, 403, 404])
async def test_a_page_of_somebody_between_is_no_message_and_no_refusal(deaf_stage, status):
    stage = deaf_stage
    stage.discord.faults.add("POST", MESSAGES, what="html", status=status)
    creating = stage.spawn(stage.outbox.create(stage.channel.id, "Hello!", nonce="a"))

    await stage.clock.advance(1.0)
    await creating

    assert stage.said() == ["Hello!"]


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_what_somebody_between_goes_on_refusing_is_no_refusal_of_discord_s(deaf_stage, status):
    stage = deaf_stage
    stage.discord.faults.add("POST", MESSAGES, what="html", status=status, times=9)
    creating = stage.spawn(stage.outbox.create(stage.channel.id, "Hello!", nonce="a"))

    await stage.clock.advance(1.0)
    await stage.clock.advance(3.0)

    with pytest.raises(DiscordUnavailable, match=f"HTTP {status}, and not in Discord's words"):
        await creating
    assert len(stage.asked_of_discord(*CREATE)) == 3


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_refusal_of_discord_s_without_a_code_is_one_all_the_same(stage, status):
    stage.discord.faults.add("POST", MESSAGES, status=status, code=0)

    with pytest.raises(Undeliverable, match=f"HTTP {status}, code 0"):
        await stage.outbox.create(stage.channel.id, "Hello!", nonce="a")

    assert len(stage.asked_of_discord(*CREATE)) == 1


async def test_a_ban_by_cloudflare_is_not_hammered(stage):
    stage.discord.faults.add("POST", MESSAGES, what="html", status=429)

    with pytest.raises(DiscordUnavailable, match="429"):
        await stage.outbox.create(stage.channel.id, "Hello!", nonce="a")

    assert len(stage.asked_of_discord(*CREATE)) == 1


async def test_once_the_token_is_refused_nothing_goes_out(stage):
    stage.pacer.token_refused.set()

    with pytest.raises(DiscordUnavailable, match="token"):
        await stage.outbox.create(stage.channel.id, "Hello!", nonce="a")

    assert stage.asked_of_discord(*CREATE) == []


async def test_a_channel_that_may_not_be_written_to_is_logged_once_an_hour_without_text(stage, caplog):
    stage.discord.set_permissions(stage.channel, send_messages=False)
    caplog.set_level(logging.WARNING, logger="bot")

    for n in range(2):
        with pytest.raises(Undeliverable, match="50013"):
            await stage.outbox.create(stage.channel.id, "Secret words", nonce=f"a{n}")
    stage.clock.jump(3600.0)
    with pytest.raises(Undeliverable):
        await stage.outbox.create(stage.channel.id, "Secret words", nonce="a3")

    lines = [record.getMessage() for record in caplog.records if record.name.startswith("bot")]
    assert len(lines) == 2
    assert all(str(stage.channel.id) in line and "50013" in line for line in lines)
    assert "Secret" not in caplog.text
    assert len(stage.asked_of_discord(*CREATE)) == 2


async def test_where_it_may_not_write_it_asks_again_once_permissions_change(stage):
    stage.discord.set_permissions(stage.channel, send_messages=False)
    with pytest.raises(NotAllowed):
        await stage.outbox.create(stage.channel.id, "Hello!", nonce="a")
    stage.discord.set_permissions(stage.channel, send_messages=True)
    with pytest.raises(NotAllowed):
        await stage.outbox.create(stage.channel.id, "Hello!", nonce="b")

    stage.outbox.permissions_changed()
    await stage.outbox.create(stage.channel.id, "Hello!", nonce="c")

    assert len(stage.asked_of_discord(*CREATE)) == 2


async def test_text_of_our_own_making_that_discord_refuses_is_undeliverable(stage):
    with pytest.raises(Undeliverable, match="50035"):
        await stage.outbox.create(stage.channel.id, "x" * 2001, nonce="a")


async def test_an_original_response_says_where_to_look_only_while_it_says_nothing_else(stage):
    first = await stage.chatted()
    await stage.give_up(first)
    second = await stage.chatted()
    await stage.outbox.edit_original(first.question.interaction, "The answer")

    await stage.outbox.settle_original(first.question.interaction)
    await stage.outbox.settle_original(second.question.interaction)

    assert stage.said() == ["The answer", FOLLOWS_BELOW]


async def test_an_original_response_that_could_not_be_edited_holds_no_text(deaf_stage):
    stage = deaf_stage
    interaction = (await stage.chatted()).question.interaction
    stage.discord.faults.add("PATCH", "@original$", status=503)

    with pytest.raises(DiscordUnavailable):
        await stage.outbox.edit_original(interaction, "The answer")

    assert not stage.outbox.original_has_text(interaction.id)


async def test_what_an_interaction_is_asked_too_late_is_undeliverable(stage):
    taken = await stage.chatted()
    stage.clock.jump(901.0)

    with pytest.raises(Undeliverable, match="50027"):
        await stage.outbox.edit_original(taken.question.interaction, "The answer")


def test_a_nonce_is_the_same_in_every_process_and_its_own_for_every_message():
    about = {"bot_id": 1, "question_id": 2, "attempt": 1, "n": 0, "purpose": "answer"}
    others = [
        about | change
        for change in ({"bot_id": 9}, {"question_id": 9}, {"attempt": 9}, {"n": 9}, {"purpose": "fault"})
    ]

    assert nonce(**about) == "henb4z1y1gu7ww4qhsiu8fvy"
    assert len({nonce(**each) for each in [about, *others]}) == 6
    assert len(nonce(**about)) == 24
    assert nonce(**about).isalnum()


async def test_closing_lets_go_of_a_request_that_hangs_after_its_message_was_heard(stage):
    stage.discord.faults.add("POST", MESSAGES, what="hang", when="after")
    await stage.outbox.create(stage.channel.id, "Hello!", nonce="a")
    closing = stage.spawn(stage.outbox.close())

    await stage.clock.advance(SECONDS_TO_CLOSE)
    await closing

    assert stage.said() == ["Hello!"]


async def test_a_write_whose_caller_was_cancelled_goes_on_to_its_end(stage):
    fault = stage.discord.faults.add("POST", MESSAGES, what="hang")
    creating = stage.spawn(stage.outbox.create(stage.channel.id, "Hello!", nonce="a"))
    await stage.discord.until(lambda: stage.asked_of_discord(*CREATE))
    creating.cancel()
    await stage.settle()

    fault.release()
    await stage.discord.until(stage.said)

    assert creating.cancelled()


async def test_an_edit_of_the_response_waits_for_the_acknowledgement_under_way(stage):
    fault = stage.discord.faults.add("POST", "/callback$", what="hang")
    called = await stage.called()
    await stage.discord.until(lambda: stage.asked_of_discord("POST", "/callback"))
    interaction = Interaction(id=called.id, token=called.token, expires_at=stage.clock.now())
    editing = stage.spawn(stage.outbox.edit_original(interaction, "Hello!"))
    await stage.settle()
    assert stage.asked_of_discord("PATCH", "@original") == []

    fault.release()
    await editing

    assert called.original.content == "Hello!"


@pytest.mark.parametrize("acknowledged_first", [False, True])
async def test_a_command_is_answered_privately_whether_or_not_it_was_acknowledged(stage, acknowledged_first):
    async def respond(interaction):
        if acknowledged_first:
            await stage.outbox.acknowledge(interaction, ephemeral=True)
        await stage.outbox.respond(interaction, f"Not for you, {stage.you.mention}.", ephemeral=True)

    stage.client.on_command = respond
    called = await stage.called()

    said = await stage.discord.until(lambda: called.original)

    assert said.is_ephemeral
    assert said.mentions_pinged == []
    assert stage.outbox.original_has_text(called.id)
    *_, body = [each.body for each in stage.discord.requests if each.body]
    data = body.get("data", body)
    assert data["allowed_mentions"]["parse"] == []
    assert data["flags"] & 4


async def test_an_acknowledgement_that_comes_too_late_is_undeliverable(stage):
    told = asyncio.get_running_loop().create_future()

    async def acknowledge_late(interaction):
        stage.clock.jump(4.0)
        with pytest.raises(Undeliverable, match="10062"):
            await stage.outbox.acknowledge(interaction, ephemeral=False)
        told.set_result(True)

    stage.client.on_command = acknowledge_late
    await stage.called()

    assert await told


async def test_an_acknowledgement_that_discord_has_already_is_one(stage):
    stage.discord.faults.add("POST", "/callback$", status=400, code=40060, when="after")

    taken = await stage.chatted()
    await stage.outbox.edit_original(taken.question.interaction, "Hello!")

    assert stage.said() == ["Hello!"]


async def test_of_a_connection_that_was_refused_it_is_known_that_nothing_was_posted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await session.post(f"http://127.0.0.1:{port}")

    with pytest.raises(OutcomeUnknown) as failed:
        raise translate(refused.value) from refused.value
    assert was_turned_away(failed.value)
    assert not was_turned_away(OutcomeUnknown("ServerDisconnectedError"))
