"""Parts that must not stay are deleted, by whatever is known of them."""

import asyncio
from dataclasses import replace

import pytest

from bot.core.fingerprints import fingerprint
from bot.core.messages import Part
from bot.discord.cleanup import CLOCKS_APART
from bot.discord.nonce import nonce
from bot.discord.part_search import NONCE_SECONDS
from bot.discord.requests import REQUEST_SECONDS

ONE_MESSAGE = r"/channels/\d+/messages/\d+$"
NOTICE = "I've got your message. 1 other comes first; my answer will appear here."


@pytest.fixture(autouse=True)
def forgetful(stage):
    """Discord knows no nonce again."""
    stage.discord.nonce_seconds = -1.0


async def left(stage, n, text, *, known=True):
    """A part of answer 1 that an earlier run posted, and that is to be deleted."""
    posted = await stage.outbox.create(stage.channel.id, text, nonce=f"nonce-{n}")
    surplus(stage, n, text, nonce=f"nonce-{n}", message_id=posted.message_id if known else None)
    return posted.message_id


def surplus(stage, n, text, *, nonce, message_id=None):
    stage.store.parts[1][n] = Part(n=n, channel_id=stage.channel.id, nonce=nonce, text=text, message_id=message_id)
    stage.store.deleting.add((1, n))
    stage.store.first_tried_at = stage.clock.now()


async def asked(stage):
    """A question of which nothing is stored."""
    return (await stage.discord.post(stage.channel, stage.you, "Why?")).id


def for_(stage, question_id, purpose="waiting"):
    """The nonce of a part that replies to this question."""
    attempt = 0 if purpose == "waiting" else 1
    return nonce(bot_id=stage.outbox.bot_id, question_id=question_id, attempt=attempt, n=0, purpose=purpose)


async def replied(stage, question_id, text):
    """We said so below the question, and nobody knows."""
    await stage.outbox.create(stage.channel.id, text, nonce=f"said-{len(stage.said())}", reply_to=question_id)


def posts(stage):
    return len(stage.asked_of_discord("POST", "/messages"))


async def cleaned_up(stage):
    stage.replies.clean_up()
    await stage.store.until(lambda: not stage.store.deleting)


async def test_what_an_earlier_run_left_is_deleted(stage):
    await left(stage, 0, "first")
    await left(stage, 1, "second")

    await cleaned_up(stage)

    assert stage.said() == []


@pytest.mark.parametrize("age", [1, NONCE_SECONDS + 1])
async def test_a_notice_that_nobody_knows_of_is_found_in_the_channel_and_nothing_posted(stage, age):
    question = await asked(stage)
    await replied(stage, question, NOTICE)
    surplus(stage, 1001, NOTICE, nonce=for_(stage, question))
    stage.clock.jump(age)

    await cleaned_up(stage)

    assert stage.said() == []
    assert posts(stage) == 1


async def test_nothing_else_below_the_question_is_taken_for_its_notice(stage):
    question, another = await asked(stage), await asked(stage)
    await replied(stage, question, "I can't reach my memory.")
    await replied(stage, another, NOTICE)
    surplus(stage, 1001, NOTICE, nonce=for_(stage, question))
    stage.clock.jump(REQUEST_SECONDS + 1)

    await cleaned_up(stage)

    assert stage.said() == ["I can't reach my memory.", NOTICE]


async def test_what_is_known_to_be_something_else_is_not_taken_for_it(stage):
    taken = await stage.asked()
    await replied(stage, taken.address.message_id, NOTICE)
    (message,) = [each for each in stage.discord.messages(stage.channel) if each.author is stage.discord.bot_user]
    stage.store.parts[taken.answer_id][0] = Part(
        n=0, channel_id=stage.channel.id, nonce="the answer's", text="", message_id=message.id
    )
    surplus(stage, 1001, NOTICE, nonce=for_(stage, taken.address.message_id))
    stage.clock.jump(REQUEST_SECONDS + 1)

    await cleaned_up(stage)

    assert stage.said() == [NOTICE]


async def test_a_draft_whose_text_was_erased_is_found_by_the_question_it_replies_to(stage):
    question = await asked(stage)
    await replied(stage, question, "The sky is")
    surplus(stage, 0, "", nonce=for_(stage, question, "answer"))

    await cleaned_up(stage)

    assert stage.said() == []
    assert posts(stage) == 1


async def test_a_draft_whose_text_was_erased_is_not_confused_with_the_next_answer_on_its_way(stage):
    taken = await stage.asked()
    question = taken.address.message_id
    await replied(stage, question, "The next answer.")
    pending = Part(n=0, channel_id=stage.channel.id, nonce="next", text="The next answer.")
    stage.store.parts[taken.answer_id + 1000][0] = pending
    surplus(stage, 0, "", nonce=for_(stage, question, "answer"))

    stage.replies.clean_up()
    await stage.clock.reach(1.0)
    said = stage.said()
    del stage.store.parts[taken.answer_id + 1000]
    stage.clock.jump(1.0)
    await stage.store.until(lambda: not stage.store.deleting)

    assert (said, stage.said()) == (["The next answer."], [])


async def test_a_later_part_whose_text_was_erased_is_found_right_below_the_one_before(stage):
    message_id = await left(stage, 0, "first")
    stage.store.deleting.clear()
    await stage.outbox.create(stage.channel.id, "second", nonce="nonce-1")
    surplus(stage, 1, "", nonce="nonce-1")

    await cleaned_up(stage)

    assert [each.id for each in stage.discord.messages(stage.channel)] == [message_id]


async def test_what_is_posted_only_now_is_found_when_it_is_looked_for_again(stage):
    question = await asked(stage)
    surplus(stage, 1001, NOTICE, nonce=for_(stage, question))

    stage.replies.clean_up()
    await stage.clock.reach(1.0)
    await replied(stage, question, NOTICE)
    stage.clock.jump(1.0)
    await stage.store.until(lambda: not stage.store.deleting)

    assert stage.said() == []


async def test_a_notice_whose_request_is_under_way_is_waited_for(stage):
    question = await asked(stage)
    hanging = stage.discord.faults.add("POST", r"/messages$", what="hang")
    its_nonce = for_(stage, question)
    posting = asyncio.create_task(
        stage.outbox.create(stage.channel.id, NOTICE, nonce=its_nonce, reply_to=question)
    )
    await stage.discord.until(lambda: hanging.times == 0)
    surplus(stage, 1001, NOTICE, nonce=its_nonce)
    stage.store.first_tried_at -= CLOCKS_APART

    stage.replies.clean_up()
    await stage.clock.reach(1.0)
    hanging.release()
    await posting
    stage.clock.jump(1.0)
    await stage.store.until(lambda: not stage.store.deleting)

    assert stage.said() == []


@pytest.mark.parametrize("age", [1, NONCE_SECONDS + 1])
async def test_where_the_history_cannot_be_read_the_nonce_finds_it_as_long_as_it_holds(stage, age):
    stage.discord.nonce_seconds = NONCE_SECONDS
    await left(stage, 0, "first", known=False)
    stage.discord.set_permissions(stage.channel, read_message_history=False)
    async with asyncio.timeout(10):
        while stage.outbox.may_read_history(stage.channel.id):
            await asyncio.sleep(0)
    stage.clock.jump(age)

    await cleaned_up(stage)

    assert stage.said() == ([] if age == 1 else ["first"])


async def test_a_part_that_somebody_else_deleted_is_gone(stage):
    await left(stage, 0, "first")
    await stage.discord.delete(stage.discord.messages(stage.channel)[-1])

    await cleaned_up(stage)


async def test_a_part_that_cannot_be_deleted_keeps_no_other_from_going(stage):
    await left(stage, 0, "first")
    await left(stage, 1, "second")
    stage.discord.faults.add("DELETE", ONE_MESSAGE, status=403, code=50013)

    stage.replies.clean_up()
    await stage.store.until(lambda: len(stage.store.deleting) == 1)

    assert stage.said() == ["second"]


async def test_a_part_that_cannot_be_found_yet_keeps_no_other_from_going(stage):
    surplus(stage, 1001, NOTICE, nonce="nowhere")
    await left(stage, 0, "first")

    stage.replies.clean_up()
    await stage.store.until(lambda: len(stage.store.deleting) == 1)
    await stage.clock.reach(1.0)
    stage.clock.jump(REQUEST_SECONDS + 1)
    await stage.store.until(lambda: not stage.store.deleting)

    assert stage.said() == []


async def test_questions_that_are_answered_together_keep_one_notice(stage):
    taken = await stage.asked()
    await left(stage, 1, "I've got your message, too.")

    reply = stage.replies.open(replace(taken, questions=taken.questions * 2))
    await stage.store.until(lambda: not stage.store.deleting)
    await reply.close()

    assert stage.said() == []


async def test_a_draft_whose_text_was_erased_and_which_replies_to_nothing_is_found_by_how_it_began(stage):
    question = await asked(stage)
    for n, text in enumerate(("The sky is blue.", "The sea is blue, since it is deep.", "The sea")):
        await stage.outbox.create(stage.channel.id, text, nonce=f"other-{n}")
    its_nonce = for_(stage, question, "answer")
    surplus(stage, 0, "", nonce=its_nonce)
    stage.store.fingerprints[1, 0] = fingerprint("The sea is blue", salt=its_nonce)

    await cleaned_up(stage)

    assert stage.said() == ["The sky is blue.", "The sea"]
