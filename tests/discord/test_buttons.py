"""What is below an answer while it is written, and when it stands."""

import asyncio
from dataclasses import replace

import pytest

from bot.discord.buttons import again_button, forget_button, read_custom_id, stop_button
from bot.discord.draft_pace import SECONDS_BETWEEN_EDITS
from bot.discord.payloads import Button, Content
from tests.pressing import labels

SENTENCE = "The sky is blue because of how light is scattered."
LONG = " ".join(f"Sentence number {n} says something." for n in range(90))  # two parts
ONE_MESSAGE = r"/channels/\d+/messages/\d+$"


def below(stage):
    return [labels(each) for each in stage.discord.messages(stage.channel) if each.author is not stage.you]


async def test_stop_is_below_the_newest_part_and_regenerate_below_the_last(stage):
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    await stage.discord.until(lambda: below(stage) == [["Stop"]])

    reply.show(LONG)
    for _ in range(2):
        await stage.clock.advance(SECONDS_BETWEEN_EDITS)
    await stage.discord.until(lambda: below(stage) == [[], ["Stop"]])
    await reply.finish(LONG, can_be_rewritten=True)
    await reply.close()

    assert below(stage) == [[], ["Regenerate"]]


async def test_nothing_is_below_a_sentence_of_ours(stage):
    reply = stage.replies.open(await stage.asked())
    reply.show(SENTENCE)
    await stage.discord.until(lambda: below(stage) == [["Stop"]])

    await reply.finish("I can't answer that.", can_be_rewritten=False)
    await reply.close()

    assert below(stage) == [[]]


async def test_what_an_earlier_attempt_left_below_a_part_goes(stage):
    taken = await stage.asked()
    reply = stage.replies.open(taken)
    await reply.finish(SENTENCE, can_be_rewritten=True)
    await reply.close()
    parts = tuple(stage.store.parts[taken.answer_id].values())

    again = stage.replies.open(replace(taken, attempt=2, parts=parts))
    await again.finish(SENTENCE, can_be_rewritten=False)
    await again.close()

    assert below(stage) == [[]]


async def test_an_edit_is_not_done_when_the_same_words_are_heard_with_another_button(deaf_stage):
    stage = deaf_stage
    posted = await stage.outbox.create(stage.channel.id, SENTENCE, nonce="n")
    slow = stage.discord.faults.add("PATCH", ONE_MESSAGE, what="hang")
    wanted = Content(text=SENTENCE, button=again_button(1))
    editing = stage.spawn(stage.outbox.edit(stage.channel.id, posted.message_id, wanted))
    await stage.discord.until(lambda: any(each.fault == "hang" for each in stage.discord.requests))

    stage.outbox.heard_own_edit(posted.message_id, replace(wanted, button=stop_button(1)))
    await stage.settle()
    before = editing.done()
    stage.outbox.heard_own_edit(posted.message_id, wanted)
    async with asyncio.timeout(10):
        await editing

    assert not before
    slow.release()


@pytest.mark.parametrize(
    ("custom_id", "read"),
    [
        (stop_button(2**63 - 1).custom_id, ("stop", 2**63 - 1)),
        (again_button(1).custom_id, ("again", 1)),
        (forget_button(7, everywhere=False).custom_id, ("forget-here", 7)),
        (forget_button(7, everywhere=True).custom_id, ("forget-everywhere", 7)),
        ("forget:7", None),
        (f"again:{2**63}", None),
        (f"again:{2**64}", None),
        ("again:-1", None),
        ("again:1\n", None),
        ("again:\u0661", None),
        ("delete:1", None),
        ("", None),
    ],
)
def test_a_custom_id_is_read_as_what_we_made_or_not_at_all(custom_id, read):
    assert read_custom_id(custom_id) == read


def test_a_custom_id_is_no_longer_than_discord_takes():
    longest: list[Button] = [stop_button(2**64), again_button(2**64), forget_button(2**64, everywhere=True)]

    assert all(len(button.custom_id) <= 100 for button in longest)
