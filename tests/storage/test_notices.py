"""Notices for those who wait, as rows: they become their answer's first part."""

from bot.core.messages import Part
from bot.core.tokens import TokenBudget
from tests.fakes import message
from tests.storage.talk import HERE, answer, next_turn, part, rows, take, wait


def notice(nonce="waiting-1"):
    return Part(n=0, channel_id=10, nonce=nonce, text="you're next")


async def parts(store):
    return [tuple(row) for row in await rows(store, "SELECT n, nonce, message_id, state FROM parts ORDER BY n")]


async def test_a_notice_becomes_the_answer_s_first_part(store):
    await wait(store, message("q", id=1))
    assert await store.add_notice(1, part=notice())
    await store.notice_posted("waiting-1", message_id=70)

    taken = await next_turn(store)

    assert [(each.n, each.nonce, each.message_id) for each in taken.parts] == [(0, "waiting-1", 70)]


async def test_a_notice_is_told_where_it_was_posted_after_it_became_the_answer_s(store):
    await wait(store, message("q", id=1))
    await store.add_notice(1, part=notice())
    taken = await next_turn(store)

    await store.notice_posted("waiting-1", message_id=70)

    assert [each.message_id for each in taken.parts] == [None]
    assert await parts(store) == [(0, "waiting-1", 70, "posted")]


async def test_only_who_waits_gets_a_notice_and_only_one(store):
    await take(store, message("q", id=1))
    await wait(store, message("q", id=2))

    got = [
        await store.add_notice(1, part=notice("a")),
        await store.add_notice(2, part=notice("b")),
        await store.add_notice(2, part=notice("c")),
        await store.add_notice(3, part=notice("d")),
    ]

    assert got == [False, True, False, False]


async def test_of_several_notices_the_first_becomes_the_answer_and_the_others_must_go(store):
    await wait(store, message("q", id=1), message("q", id=2))
    for id_, nonce in ((1, "a"), (2, "b")):
        await store.add_notice(id_, part=notice(nonce))
        await store.notice_posted(nonce, message_id=id_ + 70)

    taken = await next_turn(store)

    assert [each.nonce for each in taken.parts] == ["a"]
    (surplus,) = await store.surplus()
    assert (surplus.part.message_id, surplus.part.nonce, surplus.part.text) == (72, "b", "you're next")


async def test_a_notice_that_must_go_is_no_part_of_the_answer_when_that_is_taken_up_again(store):
    await wait(store, message("q", id=1), message("q", id=2))
    for id_, nonce in ((1, "a"), (2, "b")):
        await store.add_notice(id_, part=notice(nonce))
    await next_turn(store)

    again = await next_turn(store)

    assert [each.nonce for each in again.parts] == ["a"]
    assert [each.part.nonce for each in await store.surplus()] == ["b"]


async def test_a_question_deleted_while_it_waits_takes_its_notice_along(store):
    await wait(store, message("q", id=1))
    await store.add_notice(1, part=notice())
    await store.notice_posted("waiting-1", message_id=70)

    await store.erase_messages([1])

    (surplus,) = await store.surplus()
    assert surplus.part.message_id == 70
    await store.part_deleted(surplus.answer_id, n=surplus.part.n)
    assert await store.surplus() == []
    assert not (
        await store.receive(message("q", id=1), take_up=False, budget=TokenBudget(history_tokens=100))
    ).stored


async def test_a_deleted_notice_does_not_take_the_question_along(store):
    await wait(store, message("q", id=1))
    await store.add_notice(1, part=notice())
    await store.notice_posted("waiting-1", message_id=70)

    await store.erase_messages([70])
    taken = await next_turn(store)

    assert (taken.question.text, taken.parts) == ("q", ())
    await answer(store, taken, "a", posted=[71])
    assert await parts(store) == [(0, "waiting-1", 70, "deleted"), (0, "1-0", 71, "posted")]


async def test_a_notice_that_was_never_posted_is_dropped(store):
    await wait(store, message("q", id=1))
    await store.add_notice(1, part=notice())

    await store.drop_notice("waiting-1")

    assert (await next_turn(store)).parts == ()


async def test_a_notice_that_became_the_answer_s_is_not_dropped(store):
    await wait(store, message("q", id=1))
    await store.add_notice(1, part=notice())
    taken = await next_turn(store)

    await store.drop_notice("waiting-1")

    assert len(await parts(store)) == len(taken.parts) == 1


async def test_a_question_that_waits_again_needs_no_second_notice(store):
    await wait(store, message("q", id=1), message("q", id=2))
    await store.add_notice(1, part=notice())
    taken = await next_turn(store)
    await store.add_part(taken.answer_id, attempt=1, part=part(1))
    await store.withdraw(taken.answer_id)

    assert not await store.add_notice(1, part=notice())
    assert (await next_turn(store, HERE)).parts == ()
