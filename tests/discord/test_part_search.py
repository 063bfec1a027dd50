"""A part whose request nobody saw the end of: found in the channel, posted if it is not there, else left alone."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.errors import Uncertain
from bot.core.messages import Part
from bot.discord.part_search import MOST_PAGES, NONCE_SECONDS
from bot.discord.split import split

SENTENCE = "The sky is blue because of how light is scattered."
LONG = " ".join(f"Sentence number {n} says something." for n in range(90))  # two parts
FIRST, SECOND = (part.content for part in split(LONG).parts)


@pytest.fixture(autouse=True)
def forgetful(stage):
    """Discord knows no nonce again."""
    stage.discord.nonce_seconds = -1.0


async def unknown(stage, taken, text, *, n=0, age=NONCE_SECONDS + 1):
    """A part that an earlier run tried to post, *age* seconds ago."""
    part = Part(
        n=n,
        channel_id=stage.channel.id,
        nonce=f"lost-{n}",
        text=text,
        first_tried_at=stage.clock.now() - timedelta(seconds=age),
    )
    await stage.store.add_part(taken.answer_id, attempt=1, part=part)
    return part


async def posted(stage, text, *, reply_to=None):
    """A message of ours of which nothing is stored."""
    return (
        await stage.outbox.create(stage.channel.id, text, nonce=f"said-{len(stage.said())}", reply_to=reply_to)
    ).message_id


async def finish(stage, taken, shown, *parts):
    reply = stage.replies.open(replace(taken, attempt=2, parts=parts))
    try:
        await reply.finish(shown)
    finally:
        await reply.close()


async def test_the_first_part_is_found_by_what_it_replies_to(stage):
    taken = await stage.asked()
    message_id = await posted(stage, "The sky is", reply_to=taken.address.message_id)

    await finish(stage, taken, SENTENCE, await unknown(stage, taken, "An older wording"))

    assert stage.said() == [SENTENCE]
    assert stage.store.parts[taken.answer_id][0].message_id == message_id


async def test_a_notice_to_the_first_of_several_questions_is_found(stage):
    first = await stage.asked("Why is the sky blue?")
    await stage.give_up(first)
    message_id = await posted(stage, "One other comes first.", reply_to=first.address.message_id)
    second = await stage.asked("And the sea?")
    taken = replace(second, questions=(*first.questions, *second.questions))

    await finish(stage, taken, SENTENCE, await unknown(stage, taken, "One other comes first."))

    assert stage.said() == [SENTENCE]
    assert stage.store.parts[taken.answer_id][0].message_id == message_id


async def test_a_sentence_of_ours_below_the_question_is_not_taken_for_the_answer_that_is_there(stage):
    taken = await stage.asked()
    await posted(stage, "I can't reach my memory.", reply_to=taken.address.message_id)
    await posted(stage, "The sky is blue", reply_to=taken.address.message_id)

    await finish(stage, taken, SENTENCE, await unknown(stage, taken, "The sky"))

    assert stage.said() == ["I can't reach my memory.", SENTENCE]


async def test_a_notice_below_an_earlier_question_that_is_answered_together_is_the_first_part(stage):
    earlier = await stage.discord.post(stage.channel, stage.you, "Hey,")
    message_id = await posted(stage, "I've got your message.", reply_to=earlier.id)
    taken = await stage.asked()
    together = replace(taken, questions=(replace(taken.question, message_id=earlier.id), taken.question))

    await finish(stage, together, SENTENCE, await unknown(stage, taken, "I've got your message."))

    assert stage.said() == [SENTENCE]
    assert stage.store.parts[taken.answer_id][0].message_id == message_id


@pytest.mark.parametrize("shown", [SECOND[:60], "Something quite different."], ids=["text", "place"])
async def test_a_later_part_is_found_by_its_text_or_its_place(stage, shown):
    taken = await stage.asked()
    first = replace(
        await unknown(stage, taken, FIRST),
        message_id=await posted(stage, FIRST, reply_to=taken.address.message_id),
    )
    await stage.store.part_posted(taken.answer_id, n=0, message_id=first.message_id)
    if shown in SECOND:
        await stage.discord.post(stage.channel, stage.you, "Somebody else comes between.")
    await posted(stage, shown)

    await finish(stage, taken, LONG, first, await unknown(stage, taken, SECOND[:50], n=1))

    assert stage.said() == [FIRST, SECOND]


async def test_another_answers_part_is_not_taken_for_one(stage):
    taken = await stage.asked()
    message_id = await posted(stage, SENTENCE)
    other = Part(n=0, channel_id=stage.channel.id, nonce="other", text=SENTENCE, message_id=message_id)
    stage.store.parts[taken.answer_id + 1000][0] = other

    await finish(stage, taken, SENTENCE, await unknown(stage, taken, SENTENCE))

    assert stage.said() == [SENTENCE, SENTENCE]


async def test_what_is_not_there_is_posted(stage):
    taken = await stage.asked()
    await stage.discord.post(stage.channel, stage.you, SENTENCE)

    await finish(stage, taken, SENTENCE, await unknown(stage, taken, SENTENCE))

    assert stage.said() == [SENTENCE]
    assert len(stage.asked_of_discord("POST", "/messages")) == 1


async def test_what_is_behind_a_page_of_others_messages_is_found(stage):
    taken = await stage.asked()
    for n in range(150):
        await stage.discord.post(stage.channel, stage.you, f"Chatter {n}")
    await posted(stage, "The sky is", reply_to=taken.address.message_id)

    await finish(stage, taken, SENTENCE, await unknown(stage, taken, "The sky"))

    assert stage.said() == [SENTENCE]


async def test_what_could_be_behind_too_many_messages_is_not_posted_again(stage, caplog):
    taken = await stage.asked()
    for n in range(100 * MOST_PAGES):
        await stage.discord.post(stage.channel, stage.you, f"Chatter {n}")

    with pytest.raises(Uncertain):
        await finish(stage, taken, SENTENCE, await unknown(stage, taken, "The sky"))

    assert stage.said() == []
    assert (
        f"not posted again: channel={stage.channel.id} question={taken.address.message_id} part=0" in caplog.text
    )


@pytest.mark.parametrize("age", [1, NONCE_SECONDS + 1])
async def test_where_the_history_cannot_be_read_the_nonce_tells_as_long_as_it_holds(stage, age):
    stage.discord.nonce_seconds = NONCE_SECONDS
    taken = await stage.asked()
    part = await unknown(stage, taken, "The sky", age=age)
    await stage.outbox.create(stage.channel.id, "The sky is", nonce=part.nonce, reply_to=taken.address.message_id)
    stage.discord.set_permissions(stage.channel, read_message_history=False)
    async with asyncio.timeout(10):
        while stage.outbox.may_read_history(stage.channel.id):
            await asyncio.sleep(0)

    if age > NONCE_SECONDS:
        with pytest.raises(Uncertain):
            await finish(stage, taken, SENTENCE, part)
    else:
        await finish(stage, taken, SENTENCE, part)

    assert stage.said() == ["The sky is" if age > NONCE_SECONDS else SENTENCE]


@pytest.mark.parametrize("where", ["response", "channel"])
async def test_the_answer_to_a_command_is_found_where_it_stands(stage, where):
    taken = await stage.chatted()
    begun = "> Why is the sky blue?\nThe sky"
    if where == "response":
        await stage.outbox.edit_original(taken.question.interaction, begun)
    else:
        await stage.outbox.settle_original(taken.question.interaction)
        await posted(stage, begun)
    stage.clock.jump(15 * 60.0)

    await finish(stage, taken, f"> Why is the sky blue?\n{SENTENCE}", await unknown(stage, taken, begun))

    assert stage.said()[-1] == f"> Why is the sky blue?\n{SENTENCE}"
    assert len(stage.said()) == (1 if where == "response" else 2)


async def test_a_surplus_part_is_found_and_deleted_without_being_posted_first(stage):
    taken = await stage.asked()
    await posted(stage, "The sky is", reply_to=taken.address.message_id)
    reply = stage.replies.open(replace(taken, attempt=2, parts=(await unknown(stage, taken, "The sky"),)))

    await reply.discard()
    await reply.close()

    assert stage.said() == []
    assert len(stage.asked_of_discord("POST", "/messages")) == 1


async def test_a_surplus_part_that_is_not_there_is_not_posted_to_be_deleted(stage):
    taken = await stage.asked()
    reply = stage.replies.open(replace(taken, attempt=2, parts=(await unknown(stage, taken, "The sky"),)))

    await reply.discard()
    await reply.close()

    assert stage.asked_of_discord("POST", "/messages") == []


async def test_a_notice_that_is_known_only_since_it_was_taken_up_is_not_posted_again(stage):
    taken = await stage.asked()
    part = await unknown(stage, taken, "I've got your message.", age=1)
    message_id = await posted(stage, part.text, reply_to=taken.address.message_id)
    await stage.store.part_posted(taken.answer_id, n=0, message_id=message_id)

    await finish(stage, taken, SENTENCE, part)

    assert stage.said() == [SENTENCE]
    assert len(stage.asked_of_discord("POST", "/messages")) == 1


async def test_a_notice_on_its_way_is_waited_for_and_another_sentence_not_taken_for_it(stage):
    taken = await stage.asked()
    await posted(stage, "I can't reach my memory.", reply_to=taken.address.message_id)
    part = await unknown(stage, taken, "I've got your message.", age=1)
    hanging = stage.discord.faults.add("POST", r"/messages$", what="hang")
    notice = stage.outbox.create(stage.channel.id, part.text, nonce=part.nonce, reply_to=taken.address.message_id)
    posting = stage.spawn(notice)
    await stage.discord.until(lambda: hanging.times == 0)

    finishing = stage.spawn(finish(stage, taken, SENTENCE, part))
    await stage.settle()
    hanging.release()
    await posting
    await finishing

    assert stage.said() == ["I can't reach my memory.", SENTENCE]


async def test_a_notice_on_its_way_is_left_to_the_cleanup_where_its_answer_is_discarded(stage):
    taken = await stage.asked()
    part = await unknown(stage, taken, "I've got your message.", age=1)
    hanging = stage.discord.faults.add("POST", r"/messages$", what="hang")
    posting = stage.spawn(stage.outbox.create(stage.channel.id, part.text, nonce=part.nonce))
    await stage.discord.until(lambda: hanging.times == 0)
    reply = stage.replies.open(replace(taken, attempt=2, parts=(part,)))

    await reply.discard()
    await reply.close()
    left = dict(stage.store.parts[taken.answer_id])
    hanging.release()
    await posting

    assert list(left) == [0]


async def test_a_reply_to_another_question_is_not_taken_for_a_part(stage):
    other = await stage.asked("Another question?")
    await stage.give_up(other)
    taken = await stage.asked()
    first = replace(
        await unknown(stage, taken, FIRST),
        message_id=await posted(stage, FIRST, reply_to=taken.address.message_id),
    )
    await stage.store.part_posted(taken.answer_id, n=0, message_id=first.message_id)
    await posted(stage, SECOND, reply_to=other.address.message_id)

    await finish(stage, taken, LONG, first, await unknown(stage, taken, SECOND[:50], n=1))

    assert stage.said() == [FIRST, SECOND, SECOND]


async def test_a_follow_up_that_may_be_there_is_not_repeated(stage):
    taken = await stage.chatted()
    await stage.outbox.edit_original(taken.question.interaction, "Its first part.")
    part = await unknown(stage, taken, SECOND[:50], n=1, age=1)
    stage.discord.set_permissions(stage.channel, read_message_history=False, send_messages=False)
    async with asyncio.timeout(10):
        while stage.outbox.may_read_history(stage.channel.id):
            await asyncio.sleep(0)

    with pytest.raises(Uncertain):
        await finish(stage, taken, LONG, part)

    assert stage.discord.interactions[0].followups == []
