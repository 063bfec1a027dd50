"""Parts that must not stay are deleted, by whatever is known of them."""

from dataclasses import replace

from bot.core.messages import Part
from bot.discord.part_search import NONCE_SECONDS

ONE_MESSAGE = r"/channels/\d+/messages/\d+$"


async def left(stage, n, text, *, known=True):
    """A part of answer 1 that an earlier run posted, and that is to be deleted."""
    posted = await stage.outbox.create(stage.channel.id, text, nonce=f"nonce-{n}")
    stage.store.parts[1][n] = Part(
        n=n,
        channel_id=stage.channel.id,
        nonce=f"nonce-{n}",
        text=text,
        message_id=posted.message_id if known else None,
    )
    stage.store.deleting.add((1, n))
    stage.store.first_tried_at = stage.clock.now()


async def test_what_an_earlier_run_left_is_deleted(stage):
    await left(stage, 0, "first")
    await left(stage, 1, "second")

    stage.replies.clean_up()
    await stage.store.until(lambda: not stage.store.deleting)

    assert stage.said() == []


async def test_a_message_that_nobody_knows_of_is_found_by_its_nonce(stage):
    await left(stage, 0, "first", known=False)

    stage.replies.clean_up()
    await stage.store.until(lambda: not stage.store.deleting)

    assert stage.said() == []


async def test_nothing_is_posted_where_a_nonce_finds_nothing_any_more(stage):
    await left(stage, 0, "first", known=False)
    stage.clock.jump(NONCE_SECONDS + 1)

    stage.replies.clean_up()
    await stage.store.until(lambda: not stage.store.deleting)

    assert stage.said() == ["first"]


async def test_a_part_that_somebody_else_deleted_is_gone(stage):
    await left(stage, 0, "first")
    await stage.discord.delete(stage.discord.messages(stage.channel)[-1])

    stage.replies.clean_up()
    await stage.store.until(lambda: not stage.store.deleting)


async def test_a_part_that_cannot_be_deleted_keeps_no_other_from_going(stage):
    await left(stage, 0, "first")
    await left(stage, 1, "second")
    stage.discord.faults.add("DELETE", ONE_MESSAGE, status=403, code=50013)

    stage.replies.clean_up()
    await stage.store.until(lambda: len(stage.store.deleting) == 1)

    assert stage.said() == ["second"]


async def test_questions_that_are_answered_together_keep_one_notice(stage):
    taken = await stage.asked()
    await left(stage, 1, "I've got your message, too.")

    reply = stage.replies.open(replace(taken, questions=taken.questions * 2))
    await stage.store.until(lambda: not stage.store.deleting)
    await reply.close()

    assert stage.said() == []
