"""An answer grows in its channel: first words, drafts at a pace, an exact final state, whatever goes wrong."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from discord.http import Route

from bot.core.errors import (
    DatabaseUnavailable,
    DiscordUnavailable,
    TextRefused,
    Uncertain,
    Undeliverable,
    Withdrawn,
)
from bot.core.messages import Kind, Part, WaitingQuestion
from bot.core.wording import question_head
from bot.discord import requests
from bot.discord.draft_pace import SECONDS_BETWEEN_EDITS
from bot.discord.first_words import FIRST_WORDS_SECONDS
from bot.discord.live_message import SECONDS_AFTER_FAILED_DRAFT
from bot.discord.pacer import GaveUpItsTurn, Importance
from bot.discord.refusals import NotAllowed
from bot.discord.responses import FOLLOWS_BELOW
from bot.discord.split import split
from bot.discord.typing_sign import SECONDS_BEFORE_TYPING, SECONDS_BETWEEN_TYPING
from tests.openapi import validate_record

SENTENCE = "The sky is blue because of how light is scattered."
LONG = " ".join(f"Sentence number {n} says something." for n in range(90))  # two parts
LONGER = " ".join(f"Sentence number {n} says something." for n in range(140))  # three
MESSAGES = r"/channels/\d+/messages$"
ONE_MESSAGE = r"/channels/\d+/messages/\d+$"


def creates(stage):
    return stage.asked_of_discord("POST", "/messages")


def edits(stage):
    return stage.asked_of_discord("PATCH", "/messages/{message_id}")


async def test_an_answer_finished_before_its_first_words_is_one_request(stage):
    reply = stage.replies.open(await stage.asked())
    reply.show("All")
    reply.show("All good.")

    await reply.finish("All good.")
    await reply.close()

    assert stage.said() == ["All good."]
    assert (len(creates(stage)), len(edits(stage))) == (1, 0)


async def test_an_answer_replies_to_its_question_and_pings_nobody_else(stage):
    taken = await stage.asked()
    reply = stage.replies.open(taken)

    await reply.finish(LONG)
    await reply.close()

    first, second = [each for each in stage.discord.messages(stage.channel) if each.author is not stage.you]
    assert first.replied_to.id == taken.question.message_id
    assert first.mentions_pinged == [stage.you.id]
    assert second.replied_to is None
    assert second.mentions_pinged == []
    assert [first.content, second.content] == [part.content for part in split(LONG).parts]


@pytest.mark.parametrize("words", ["Hi. ", "Hello there!\n", "好的。", "x" * 40, "One line\n"])
async def test_first_words_go_out_at_a_sentence_end_or_forty_characters(stage, words):
    reply = stage.replies.open(await stage.asked())

    reply.show(words)
    await stage.discord.until(stage.said)

    assert reply.visible
    await reply.close()


async def test_first_words_that_end_nowhere_go_out_after_a_moment(stage):
    reply = stage.replies.open(await stage.asked())
    reply.show("Pi is 3.14 and 1. is")
    await stage.clock.advance(FIRST_WORDS_SECONDS)

    await stage.discord.until(stage.said)

    await reply.close()


async def test_words_taken_back_before_they_were_visible_are_never_seen(stage):
    reply = stage.replies.open(await stage.asked())
    reply.show("A first try")
    await stage.clock.reach(FIRST_WORDS_SECONDS)
    reply.show("")
    stage.clock.jump(FIRST_WORDS_SECONDS)
    assert not reply.visible
    reply.show(SENTENCE)

    await stage.discord.until(stage.said)

    (said,) = stage.discord.messages(stage.channel)[1:]
    assert said.versions == [SENTENCE]
    await reply.close()


async def test_drafts_follow_at_a_pace_and_the_latest_text_wins(stage):
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    await stage.discord.until(stage.said)
    reply.show(f"{SENTENCE} One")
    reply.show(f"{SENTENCE} One two")
    await stage.clock.reach(SECONDS_BETWEEN_EDITS)
    reply.show(f"{SENTENCE} One two three")

    stage.clock.jump(SECONDS_BETWEEN_EDITS)
    await stage.discord.until(lambda: edits(stage))

    said = stage.discord.messages(stage.channel)[-1]
    assert said.versions == [SENTENCE, f"{SENTENCE} One two three"]
    await reply.close()


async def test_the_final_state_waits_for_no_pace(stage):
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    await stage.discord.until(stage.said)
    reply.show(f"{SENTENCE} And so")

    await reply.finish(f"{SENTENCE} And so on.")
    await reply.close()

    assert stage.said() == [f"{SENTENCE} And so on."]
    assert len(edits(stage)) == 1


async def test_the_final_state_waits_for_the_edit_under_way(deaf_stage):
    stage = deaf_stage
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    await stage.discord.until(lambda: reply.visible and stage.said())
    fault = stage.discord.faults.add("PATCH", ONE_MESSAGE, what="hang")
    reply.show(f"{SENTENCE} And so")
    await stage.clock.advance(SECONDS_BETWEEN_EDITS)
    await stage.discord.until(lambda: edits(stage))
    finishing = stage.spawn(reply.finish(f"{SENTENCE} And so on."))
    await stage.settle()
    assert len(edits(stage)) == 1

    fault.release()
    await finishing
    await reply.close()

    assert stage.said() == [f"{SENTENCE} And so on."]


async def test_a_part_is_stored_before_its_request_and_its_message_after_it(stage):
    taken = await stage.asked()
    reply = stage.replies.open(taken)
    stage.store.fault = DatabaseUnavailable("down")

    with pytest.raises(DatabaseUnavailable):
        await reply.finish("All good.")
    assert creates(stage) == []
    stage.store.fault = None
    await reply.finish("All good.")
    await reply.close()

    (part,) = stage.store.parts[taken.answer_id].values()
    (body,) = creates(stage)
    assert part.nonce == body["nonce"]
    assert part.message_id == stage.discord.messages(stage.channel)[-1].id


async def test_a_part_that_was_posted_before_a_crash_is_found_by_its_nonce_and_corrected(stage):
    taken = await stage.asked()
    await stage.outbox.create(stage.channel.id, "An old dra", nonce="stored")
    part = Part(n=0, channel_id=stage.channel.id, nonce="stored", text="An old dra")
    await stage.store.add_part(taken.answer_id, attempt=1, part=part)
    reply = stage.replies.open(replace(taken, attempt=2, parts=(part,)))

    await reply.finish("All good.")
    await reply.close()

    assert stage.said() == ["All good."]
    assert stage.store.parts[taken.answer_id][0].message_id == stage.discord.messages(stage.channel)[-1].id


async def test_parts_of_an_earlier_attempt_are_edited_and_surplus_ones_deleted(stage):
    taken = await stage.asked()
    crashed = stage.replies.open(taken)
    await crashed.finish(LONGER)
    await crashed.close()
    parts = tuple(stage.store.parts[taken.answer_id].values())
    assert len(parts) == 3
    reply = stage.replies.open(replace(taken, attempt=2, parts=parts))
    assert not reply.visible

    await reply.finish(LONG)
    await reply.close()

    assert stage.said() == [part.content for part in split(LONG).parts]
    assert sorted(stage.store.parts[taken.answer_id]) == [0, 1]


async def test_a_surplus_part_of_which_nobody_knows_whether_it_was_posted_is_found_and_deleted(stage):
    taken = await stage.asked()
    parts = []
    for n, text in enumerate(["All", "Leftover"]):
        posted = await stage.outbox.create(stage.channel.id, text, nonce=f"stored-{n}")
        known = posted.message_id if n == 0 else None
        part = Part(n=n, channel_id=stage.channel.id, nonce=f"stored-{n}", text=text, message_id=known)
        await stage.store.add_part(taken.answer_id, attempt=1, part=part)
        parts.append(part)
    stage.discord.nonce_seconds = -1.0
    reply = stage.replies.open(replace(taken, attempt=2, parts=tuple(parts)))

    await reply.finish("All good.")
    await reply.close()

    assert stage.said() == ["All good."]
    assert sorted(stage.store.parts[taken.answer_id]) == [0]
    assert len(creates(stage)) == 2


async def test_a_draft_that_waits_for_its_turn_gives_way_to_the_whole_text(stage):
    for n in range(5):  # all that the channel takes
        await stage.outbox.create(stage.channel.id, f"Busy {n}", nonce=f"busy{n}")
    stage.pacer._bucket(("POST", "/channels/{id}/messages", str(stage.channel.id))).learn(
        {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "5"},
        now=stage.clock.monotonic(),
    )
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    async with asyncio.timeout(10):
        while not stage.pacer.waiting:
            await asyncio.sleep(0)

    finishing = asyncio.create_task(reply.finish(f"{SENTENCE} And so on."))
    await stage.settle()
    await stage.clock.advance(5.01)
    await finishing
    await reply.close()

    (said,) = stage.discord.messages(stage.channel)[-1:]
    assert said.versions == [f"{SENTENCE} And so on."]


async def test_a_draft_that_discord_does_not_take_is_no_end(stage):
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    await stage.discord.until(stage.said)
    stage.discord.faults.add("PATCH", ONE_MESSAGE, status=503)
    reply.show(f"{SENTENCE} And")
    await stage.clock.advance(SECONDS_BETWEEN_EDITS)
    await stage.clock.advance(SECONDS_BETWEEN_EDITS + SECONDS_AFTER_FAILED_DRAFT)
    await stage.discord.until(lambda: stage.said() == [f"{SENTENCE} And"])

    await reply.finish(f"{SENTENCE} And so on.")
    await reply.close()

    assert stage.said() == [f"{SENTENCE} And so on."]


async def drafts_refused(stage, reply, words):
    """Show *words* behind the sentence that is there already, and let filters refuse them."""
    reply.show(SENTENCE)
    await stage.discord.until(stage.said)
    refusal = stage.discord.faults.add("PATCH", ONE_MESSAGE, status=400, code=200000, times=99)
    reply.show(f"{SENTENCE}{words}")
    await stage.clock.advance(SECONDS_BETWEEN_EDITS)
    await stage.discord.until(lambda: refusal.times < 99)
    return refusal


async def test_a_draft_that_filters_refuse_is_no_end(stage):
    reply = stage.replies.open(await stage.asked())
    refusal = await drafts_refused(stage, reply, " darn")
    refusal.times = 0
    reply.show(f"{SENTENCE} darned")
    await stage.clock.advance(SECONDS_BETWEEN_EDITS + SECONDS_AFTER_FAILED_DRAFT)
    await stage.discord.until(lambda: stage.said() == [f"{SENTENCE} darned"])

    await reply.finish(f"{SENTENCE} darned socks.")
    await reply.close()

    assert stage.said() == [f"{SENTENCE} darned socks."]


async def test_after_a_refused_draft_other_words_can_still_stand(stage):
    stage.discord.faults.add("POST", MESSAGES, status=400, code=200000)
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    with pytest.raises(TextRefused):
        await reply.finish(SENTENCE)

    await reply.finish("The earlier answer.")
    await reply.close()

    assert stage.said() == ["The earlier answer."]


async def test_words_that_filters_refused_are_not_sent_again(stage):
    reply = stage.replies.open(await stage.asked())
    refusal = await drafts_refused(stage, reply, " Darn.")

    with pytest.raises(TextRefused):
        await reply.finish(f"{SENTENCE} Darn.")
    refusal.times = 0
    await reply.say_instead("Refused.")
    await reply.close()

    assert stage.said() == ["Refused."]
    assert [each["content"] for each in edits(stage)] == [f"{SENTENCE} Darn.", "Refused."]


async def test_a_first_post_of_unknown_outcome_is_taken_up_again_by_the_final(deaf_stage):
    stage = deaf_stage
    stage.discord.faults.add("POST", MESSAGES, status=503, when="after")
    stage.discord.faults.add("POST", MESSAGES, status=503, times=2)
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    await stage.clock.advance(1.0)
    await stage.clock.advance(3.0)
    await stage.discord.until(lambda: len([each for each in stage.discord.requests if each.status == 503]) == 3)

    await reply.finish(f"{SENTENCE} And so on.")
    await reply.close()

    assert stage.said() == [f"{SENTENCE} And so on."]


async def test_a_refusal_of_a_draft_surfaces_in_the_end(stage):
    stage.discord.set_permissions(stage.channel, send_messages=False)
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)

    with pytest.raises(Undeliverable, match="50013"):
        await reply.finish(SENTENCE)
    await reply.close()

    assert len(creates(stage)) == 1


@pytest.mark.parametrize(("status", "is_settled"), [(503, False), (403, True), (200, True)])
async def test_a_sentence_instead_is_settled_unless_discord_is_away(stage, monkeypatch, status, is_settled):
    monkeypatch.setattr(requests, "SECONDS_BEFORE_RETRIES", ())
    live = stage.replies.open(await stage.asked())
    if status != 200:
        stage.discord.faults.add("POST", r"/messages$", status=status, code=50013, times=5)

    settled = await live.say_instead("Discord didn't take my answer.")
    await live.close()

    assert settled is is_settled


async def test_a_question_withdrawn_meanwhile_gets_no_answer(stage):
    taken = await stage.asked()
    await stage.store.erase_messages([taken.question.message_id])
    reply = stage.replies.open(taken)
    reply.show(SENTENCE)

    with pytest.raises(Withdrawn):
        await reply.finish(SENTENCE)
    await reply.discard()
    await reply.close()

    assert stage.said() == []


async def test_discarding_deletes_every_visible_part(stage):
    taken = await stage.asked()
    reply = stage.replies.open(taken)
    reply.show(LONG)
    await stage.discord.until(stage.said)
    await stage.clock.advance(SECONDS_BETWEEN_EDITS)
    await stage.discord.until(lambda: len(stage.said()) == 2)

    await reply.discard()
    await reply.close()

    assert stage.said() == []
    assert stage.store.parts[taken.answer_id] == {}


async def test_a_draft_that_discord_does_not_delete_now_is_deleted_later(stage):
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    await stage.discord.until(stage.said)
    stage.discord.faults.add("DELETE", ONE_MESSAGE, status=503, times=2)

    await reply.discard()
    await reply.close()
    assert stage.said() == [SENTENCE]
    await stage.clock.advance(1.0)
    await stage.discord.until(lambda: not stage.said())


async def test_a_part_is_known_to_be_deleted_before_the_request(stage):
    taken = await stage.asked()
    reply = stage.replies.open(taken)
    reply.show(SENTENCE)
    await stage.posted(taken)
    hanging = stage.discord.faults.add("DELETE", ONE_MESSAGE, what="hang")

    discarding = stage.spawn(reply.discard())
    await stage.discord.until(lambda: stage.asked_of_discord("DELETE", "/messages/{message_id}"))

    assert stage.store.deleting == {(taken.answer_id, 0)}
    hanging.release()
    await discarding
    await reply.close()
    assert stage.store.deleting == set()


async def test_discarding_lets_a_post_under_way_end_and_deletes_it(deaf_stage):
    stage = deaf_stage
    fault = stage.discord.faults.add("POST", MESSAGES, what="hang", when="after")
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    await stage.discord.until(stage.said)
    discarding = stage.spawn(reply.discard())
    await stage.settle()

    fault.release()
    await discarding
    await reply.close()

    assert stage.said() == []


async def test_without_permission_to_read_the_history_the_answer_comes_without_a_reply(stage):
    stage.discord.set_permissions(stage.channel, read_message_history=False)
    reply = stage.replies.open(await stage.asked())

    await reply.finish("All good.")
    await reply.close()

    assert stage.said() == ["All good."]
    assert stage.discord.messages(stage.channel)[-1].replied_to is None


async def test_typing_shows_until_the_first_words(stage):
    reply = stage.replies.open(await stage.asked())
    reply.start_typing()
    await stage.clock.advance(SECONDS_BEFORE_TYPING)
    await stage.discord.until(lambda: stage.discord.is_typing(stage.channel))
    await stage.clock.advance(SECONDS_BETWEEN_TYPING)
    await stage.discord.until(lambda: len(stage.asked_of_discord("POST", "/typing")) == 2)

    await reply.finish("All good.")
    stage.clock.jump(60.0)
    await reply.close()

    assert len(stage.asked_of_discord("POST", "/typing")) == 2


async def test_a_typing_sign_that_fails_or_hangs_delays_nothing(stage):
    stage.discord.faults.add("POST", r"/typing$", what="hang")
    reply = stage.replies.open(await stage.asked())
    reply.start_typing()
    await stage.clock.advance(SECONDS_BEFORE_TYPING)
    await stage.discord.until(lambda: stage.asked_of_discord("POST", "/typing") == [None])

    await reply.finish("All good.")
    await reply.close()

    assert stage.said() == ["All good."]


async def test_a_refused_typing_sign_is_harmless_and_tried_again(stage):
    stage.discord.faults.add("POST", r"/typing$", status=403, code=50013)
    reply = stage.replies.open(await stage.asked())
    reply.start_typing()
    await stage.clock.advance(SECONDS_BEFORE_TYPING)
    await stage.clock.advance(SECONDS_BETWEEN_TYPING)
    await stage.discord.until(lambda: stage.discord.is_typing(stage.channel))

    await reply.finish("All good.")
    await reply.close()

    assert stage.said() == ["All good."]


async def test_a_chat_answer_fills_the_original_response_below_its_question(stage):
    taken = await stage.chatted()
    reply = stage.replies.open(taken)
    reply.start_typing()
    reply.show(SENTENCE)
    await stage.discord.until(stage.said)
    assert stage.said() == [f"{question_head(taken)}{SENTENCE}"]

    await reply.finish(f"{question_head(taken)}{LONG}")
    await reply.close()

    (called,) = stage.discord.interactions
    first, second = (part.content for part in split(f"{question_head(taken)}{LONG}").parts)
    assert called.original.content == first
    assert stage.said() == [first, second]
    assert called.followups == []
    assert stage.asked_of_discord("POST", "/typing") == []


async def test_a_chat_answer_that_comes_too_late_is_an_ordinary_message_and_the_response_says_so(stage):
    taken = await stage.chatted()
    stage.clock.jump(14 * 60.0)
    reply = stage.replies.open(taken)

    await reply.finish("All good.")
    await reply.close()

    assert stage.said() == [FOLLOWS_BELOW, "All good."]


async def test_a_chat_answer_goes_on_when_its_interaction_expires_under_way(stage):
    taken = await stage.chatted()
    reply = stage.replies.open(taken)
    reply.show(SENTENCE)
    await stage.posted(taken)
    stage.clock.jump(15 * 60.0)

    await reply.finish(f"{question_head(taken)}{SENTENCE} And so on.")
    await reply.close()

    assert stage.said() == [f"{question_head(taken)}{SENTENCE} And so on."]


async def test_where_the_bot_may_not_post_a_chat_answer_goes_on_in_follow_ups(stage):
    stage.discord.set_permissions(stage.channel, send_messages=False)
    reply = stage.replies.open(await stage.chatted())

    await reply.finish(LONG)
    await reply.close()

    (called,) = stage.discord.interactions
    assert [called.original.content, *(each.content for each in called.followups)] == [
        part.content for part in split(LONG).parts
    ]


async def test_a_private_answer_never_reaches_the_channel(stage):
    taken = await stage.chatted(private=True)
    reply = stage.replies.open(taken)
    await reply.finish(LONG)
    late = stage.replies.open(replace(taken, attempt=2))
    stage.clock.jump(15 * 60.0)

    with pytest.raises(Undeliverable):
        await late.finish(LONG)
    await late.close()
    await reply.close()

    assert creates(stage) == []
    assert all(each.is_ephemeral for each in stage.discord.interactions[0].followups)
    assert len(stage.discord.interactions[0].followups) == 1


async def test_a_private_part_of_unknown_outcome_is_neither_repeated_nor_sought(stage):
    taken = await stage.chatted(private=True)
    unknown = Part(n=1, channel_id=stage.channel.id, nonce="lost", text="")
    await stage.store.add_part(taken.answer_id, attempt=1, part=unknown)
    longer = stage.replies.open(replace(taken, attempt=2, parts=(unknown,)))
    with pytest.raises(Undeliverable):
        await longer.finish(LONG)
    await longer.close()
    shorter = stage.replies.open(replace(taken, attempt=3, parts=(unknown,)))
    await shorter.finish("Short.")
    await shorter.close()

    (called,) = stage.discord.interactions
    assert called.followups == []
    assert called.original.content == "Short."
    assert creates(stage) == []


async def test_when_a_private_response_is_out_of_reach_nothing_is_said_or_deleted_elsewhere(stage):
    taken = await stage.chatted(private=True)
    reply = stage.replies.open(taken)
    await reply.finish(LONG)
    await reply.close()
    left = stage.replies.open(replace(taken, attempt=2, parts=tuple(stage.store.parts[taken.answer_id].values())))
    stage.clock.jump(15 * 60.0)

    await left.discard()
    await left.close()
    await stage.replies.say(taken.address, "I can't reach my memory.")

    in_channel = "/channels/{channel_id}/messages"
    assert not [each for each in stage.discord.requests if each.route.startswith(in_channel)]


async def test_a_private_answer_that_is_written_is_shown_as_long_as_it_can_be(stage):
    taken = await stage.chatted(private=True)
    unknown = Part(n=0, channel_id=stage.channel.id, nonce="lost", text="")
    await stage.store.add_part(taken.answer_id, attempt=1, part=unknown)
    reply = stage.replies.open(replace(taken, attempt=2, parts=(unknown,)))
    stage.clock.jump(14.5 * 60.0)

    await reply.finish("Just in time.")
    await reply.close()

    assert stage.discord.interactions[0].original.content == "Just in time."


async def test_discarding_a_chat_answer_leaves_nothing_that_says_thinking(stage):
    reply = stage.replies.open(await stage.chatted())
    reply.show("Too sho")

    await reply.discard()
    await reply.close()

    assert stage.said() == []
    assert not stage.discord.interactions[0].thinking


async def test_letting_go_in_the_middle_ends_every_task(stage):
    reply = stage.replies.open(await stage.asked())
    reply.start_typing()
    reply.show("Too sho")
    await stage.settle()

    await reply.close()

    assert not [task for task in asyncio.all_tasks() if "LiveMessage" in repr(task.get_coro())]
    assert stage.said() == []


async def test_a_sentence_that_nothing_is_stored_of_is_said_where_the_question_was_asked(stage):
    asked = await stage.asked()
    await stage.give_up(asked)
    chatted = await stage.chatted()
    await stage.give_up(chatted)

    await stage.replies.say(asked.address, "I can't reach my memory.")
    await stage.replies.say(chatted.address, "I can't reach it either.")
    stage.discord.set_permissions(stage.channel, send_messages=False)
    await stage.replies.say((await stage.asked()).address, "Nobody hears this.")

    assert sorted(stage.said()) == ["I can't reach it either.", "I can't reach my memory."]


async def test_an_expired_interaction_is_told_in_the_channel(stage):
    taken = await stage.chatted()
    interaction = replace(taken.question.interaction, expires_at=stage.clock.now() + timedelta(seconds=1))
    address = replace(taken.address, interaction=interaction)

    await stage.replies.say(address, "I can't reach my memory.")

    assert stage.said() == ["I can't reach my memory."]


async def test_all_that_is_asked_of_discord_is_as_discord_describes_it(stage):
    asked = await stage.asked()
    reply = stage.replies.open(asked)
    reply.start_typing()
    reply.show(SENTENCE)
    await stage.posted(asked)
    await reply.finish(LONG)
    await reply.discard()
    await reply.close()
    await stage.give_up(asked)
    chatted = stage.replies.open(await stage.chatted())
    await chatted.finish(SENTENCE)
    await chatted.close()

    assert validate_record(stage.discord.requests) >= 8


@pytest.mark.parametrize("handed_over", [True, False])
async def test_an_answer_whose_notice_had_no_turn_is_posted_as_if_there_had_been_none(
    stage, monkeypatch, handed_over
):
    taken = await stage.asked()
    told, left = [], asyncio.Event()

    async def add_notice(_message_id, *, part):
        told.append(part)
        return True

    async def drop_notice(_nonce):
        return not handed_over

    monkeypatch.setattr(stage.store, "add_notice", add_notice)
    monkeypatch.setattr(stage.store, "drop_notice", drop_notice)
    question = WaitingQuestion(
        key=taken.conversation.key, kind=Kind.MESSAGE, author_id=stage.you.id, address=taken.address
    )
    async with AsyncExitStack() as held:
        for _ in range(4):  # all that Discord lets out but what is in reserve
            route = Route("POST", "/channels/{channel_id}/messages", channel_id=stage.channel.id)
            await held.enter_async_context(stage.pacer.turn(route, Importance.FINAL))
        telling = stage.spawn(stage.replies.say_waiting(question, "Please wait.", unless=left))
        await stage.settle()
        left.set()
        with pytest.raises(GaveUpItsTurn):
            await telling

    if handed_over:
        stage.store.parts[taken.answer_id][0] = told[0]
        taken = replace(taken, parts=tuple(told))
    reply = stage.replies.open(taken)
    await reply.finish(SENTENCE)
    await reply.close()

    assert stage.said() == [SENTENCE]
    assert not edits(stage)


async def test_a_notice_that_may_be_there_is_not_forgotten_when_its_question_goes_before_it_is_tried_again(
    deaf_stage, monkeypatch
):
    stage = deaf_stage
    taken = await stage.asked()
    left, dropped = asyncio.Event(), []

    async def add_notice(_message_id, *, part):
        return True

    async def drop_notice(nonce):
        dropped.append(nonce)
        return True

    monkeypatch.setattr(stage.store, "add_notice", add_notice)
    monkeypatch.setattr(stage.store, "drop_notice", drop_notice)
    question = WaitingQuestion(
        key=taken.conversation.key, kind=Kind.MESSAGE, author_id=stage.you.id, address=taken.address
    )
    stage.discord.faults.add("POST", MESSAGES, status=503, when="after")

    telling = stage.spawn(stage.replies.say_waiting(question, "Please wait.", unless=left))
    await stage.clock.reach(1.0)
    async with AsyncExitStack() as held:
        for _ in range(4):  # all that Discord lets out but what is in reserve
            route = Route("POST", "/channels/{channel_id}/messages", channel_id=stage.channel.id)
            await held.enter_async_context(stage.pacer.turn(route, Importance.FINAL))
        stage.clock.jump(1.0)
        async with asyncio.timeout(10):
            while not stage.pacer.waiting:
                await asyncio.sleep(0)
        left.set()
        with pytest.raises(GaveUpItsTurn):
            await telling

    assert (stage.said(), dropped) == (["Please wait."], [])


async def test_a_part_that_one_of_several_tries_may_have_posted_is_posted_once(deaf_stage):
    stage = deaf_stage
    stage.discord.faults.add("POST", MESSAGES, status=503, when="after")
    stage.discord.faults.add("POST", MESSAGES, what="rate_limit", times=5, retry_after=0.01)
    taken = await stage.asked()
    for attempt in (1, 2):
        parts = tuple(stage.store.parts[taken.answer_id].values())
        reply = stage.replies.open(replace(taken, attempt=attempt, parts=parts))
        finishing = stage.spawn(reply.finish(SENTENCE))
        while not finishing.done():
            stage.clock.jump(0.001)
            await asyncio.sleep(0)
        assert isinstance(finishing.exception(), DiscordUnavailable | None)
        await reply.close()

    assert finishing.exception() is None
    assert stage.said() == [SENTENCE]


async def refused_after_a_try(stage, *, stored, **permissions):
    """An answer whose first request Discord says nothing sensible of, and then takes away what it needs."""
    taken = await stage.asked()
    stage.discord.faults.add("POST", MESSAGES, status=503, when="after" if stored else "before")
    reply = stage.replies.open(taken)
    finishing = stage.spawn(reply.finish(SENTENCE))
    await stage.clock.reach(1.0)
    stage.discord.set_permissions(stage.channel, send_messages=False, **permissions)
    if permissions:
        async with asyncio.timeout(10):
            while stage.outbox.may_read_history(stage.channel.id):
                await asyncio.sleep(0)
    stage.clock.jump(1.0)
    try:
        await finishing
    finally:
        await reply.close()
    return taken


async def test_a_part_that_was_posted_before_the_bot_might_write_no_more_is_found(deaf_stage):
    taken = await refused_after_a_try(deaf_stage, stored=True)

    assert deaf_stage.said() == [SENTENCE]
    assert deaf_stage.store.parts[taken.answer_id][0].message_id is not None


async def test_a_part_that_was_not_posted_before_the_bot_might_write_no_more_is_not_uncertain(deaf_stage):
    with pytest.raises(NotAllowed):
        await refused_after_a_try(deaf_stage, stored=False)


@pytest.mark.parametrize("taken_away", ["read_message_history", "view_channel"])
async def test_a_part_that_may_stand_where_nobody_can_look_any_more_is_uncertain_and_told(
    deaf_stage, taken_away, caplog
):
    with pytest.raises(Uncertain):
        await refused_after_a_try(deaf_stage, stored=True, **{taken_away: False})

    assert f"may be in the channel or not, and is not posted again: channel={deaf_stage.channel.id}" in caplog.text


async def test_a_part_of_an_earlier_run_that_discord_takes_no_more_is_uncertain_where_nobody_can_look(stage):
    taken = await stage.asked()
    part = Part(n=0, channel_id=stage.channel.id, nonce="a", text="The sky", first_tried_at=stage.clock.now())
    await stage.store.add_part(taken.answer_id, attempt=1, part=part)
    stage.discord.set_permissions(stage.channel, send_messages=False, read_message_history=False)
    async with asyncio.timeout(10):
        while stage.outbox.may_read_history(stage.channel.id):
            await asyncio.sleep(0)
    reply = stage.replies.open(replace(taken, attempt=2, parts=(part,)))

    with pytest.raises(Uncertain):
        await reply.finish(SENTENCE)
    await reply.close()
