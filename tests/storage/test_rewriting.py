"""An answer is written anew in its place, and until then it stands."""

import pytest

from bot.core.messages import ConversationKey, Kind, Outcome, Press, Reopened
from bot.core.tokens import TokenBudget
from tests.fakes import message
from tests.storage.talk import (
    HERE,
    TOKENS,
    answer,
    exchange,
    history,
    next_turn,
    quote,
    rows,
    state_of,
    take,
    wait,
    write,
)


async def reopen(store, question_id=1, *, person=1, moderates=False, key=HERE):
    press = Press(id=9, question_id=question_id, person=person, moderates=moderates, key=key)
    return await store.reopen(press)


@pytest.fixture
async def answered(store):
    await exchange(store, message("q", id=1), "old", posted=[70])
    return store


async def test_it_is_taken_up_again_with_its_parts_and_its_place(answered):
    assert await reopen(answered) is Reopened.YES

    taken = await next_turn(answered)

    assert (taken.question.text, taken.previous.text, taken.written, taken.history) == ("q", "old", None, ())
    assert [(part.n, part.message_id) for part in taken.parts] == [(0, 70)]
    assert (taken.attempt, taken.tries) == (2, 1)


async def test_the_new_text_takes_the_old_one_s_place(answered):
    await reopen(answered)

    await answer(answered, await next_turn(answered), "new")

    assert await history(answered, message("p", id=2)) == ["q", "new"]
    assert await rows(answered, "SELECT count(*) FROM turns WHERE text = 'old' OR raw_text = 'old'") == [(0,)]


async def test_what_is_given_up_stands_as_it_was(answered):
    await reopen(answered)
    taken = await next_turn(answered)

    await answered.restore(taken.answer_id, taken.previous)
    await answered.stand(taken.answer_id)

    assert await state_of(answered, 1) == ("answered", None)
    assert await history(answered, message("p", id=2)) == ["q", "old"]


async def test_what_is_given_up_after_a_new_text_was_stored_stands_as_it_was(answered):
    was = await rows(answered, "SELECT text, raw_text, outcome, kind FROM turns WHERE role = 'assistant'")
    await reopen(answered)
    taken = await next_turn(answered)
    await write(answered, taken, "new", outcome=Outcome.LENGTH)

    await answered.restore(taken.answer_id, taken.previous)
    await answered.stand(taken.answer_id)

    assert await rows(answered, "SELECT text, raw_text, outcome, kind FROM turns WHERE role = 'assistant'") == was


async def test_a_new_text_that_is_not_shown_yet_is_nothing_to_go_back_to(answered):
    await reopen(answered)
    await write(answered, await next_turn(answered), "new")

    again = await next_turn(answered)

    assert (again.written, again.previous) == ("new", None)


async def test_a_text_that_was_restored_and_not_shown_yet_is_shown_without_asking(answered):
    await reopen(answered)
    taken = await next_turn(answered)
    await answered.restore(taken.answer_id, taken.previous)

    assert (await next_turn(answered)).written == "old"


async def test_only_the_author_and_moderators_may(answered):
    assert await reopen(answered, person=2) is Reopened.NOT_THEIRS
    assert await reopen(answered, person=2, moderates=True) is Reopened.YES


async def test_not_once_something_was_asked_since(answered):
    await wait(answered, message("q2", id=2))
    waiting = await reopen(answered)
    taken = await next_turn(answered)
    under_way = await reopen(answered)
    await answer(answered, taken, "a2")

    assert (waiting, under_way, await reopen(answered)) == (Reopened.NOT_LAST,) * 3
    assert await reopen(answered, 2) is Reopened.YES


async def test_not_after_a_reset(answered):
    await answered.reset((await take(answered, message("q2", id=2))).conversation.key)

    assert await reopen(answered) is Reopened.NOT_LAST


async def test_not_twice_at_once(answered):
    await reopen(answered)
    before = await reopen(answered)
    await next_turn(answered)

    assert (before, await reopen(answered)) == (Reopened.UNDER_WAY,) * 2


@pytest.mark.parametrize("key", [ConversationKey(channel_id=11), ConversationKey(channel_id=10, private_to=1)])
async def test_not_from_another_conversation(answered, key):
    assert await reopen(answered, key=key, moderates=True) is Reopened.GONE

    assert await next_turn(answered) is None


async def test_what_the_question_brought_along_is_read_again(store):
    await exchange(store, message("Is that so?", id=5, quote=quote("Cats can fly.", id=4)), "old")
    await reopen(store, 5)

    taken = await next_turn(store)

    assert [(each.kind, each.text) for each in taken.questions] == [
        (Kind.QUOTE, "Cats can fly."),
        (Kind.MESSAGE, "Is that so?"),
    ]
    assert taken.history == ()


async def test_not_if_question_or_answer_is_gone(store):
    await exchange(store, message("q", id=1), "a", posted=[70])
    await exchange(store, message("q2", id=2), "a2", posted=[71])
    await store.erase_messages([2])
    await exchange(store, message("q3", id=3), "a3", posted=[72])
    await store.erase_messages([72])

    assert [await reopen(store, id_) for id_ in (2, 3, 99)] == [
        Reopened.QUESTION_DELETED,
        Reopened.GONE,
        Reopened.GONE,
    ]


async def test_not_what_was_no_answer(store):
    taken = await take(store, message("q", id=1))
    await store.write_notice(taken.answer_id, shown="busy", code="model_busy")
    await store.stand(taken.answer_id)

    assert await reopen(store) is Reopened.GONE


async def test_a_question_deleted_meanwhile_takes_both_texts_along(answered):
    await reopen(answered)
    taken = await next_turn(answered)

    erased = await answered.erase_messages([1])

    assert erased.answers == (taken.answer_id,)
    assert await rows(answered, "SELECT count(*) FROM turns WHERE text = 'old' OR raw_text = 'old'") == [(0,)]


async def test_neighbours_are_answered_anew_together(store):
    await wait(store, message("a", id=1), message("b", id=2))
    await answer(
        store,
        await store.take_up(message("a", id=1).key, budget=TokenBudget(history_tokens=TOKENS)),
        "both",
        posted=[70],
    )

    assert await reopen(store, 2) is Reopened.YES

    taken = await next_turn(store)
    assert [question.text for question in taken.questions] == ["a", "b"]
    await write(store, taken, "anew")


PAYERS = "SELECT payer_id FROM turns WHERE payer_id IS NOT NULL"


async def test_whoever_pressed_first_pays_for_all_take_ups(answered):
    await reopen(answered, person=9, moderates=True)
    refused = [
        await reopen(answered),
        await reopen(answered, person=8),
        await reopen(answered, person=7, moderates=True),
    ]

    payers = [(await next_turn(answered)).payer for _ in range(2)]

    assert refused == [Reopened.UNDER_WAY, Reopened.NOT_THEIRS, Reopened.UNDER_WAY]
    assert payers == [9, 9]


@pytest.mark.parametrize("end", ["stands", "stays", "is undeliverable", "is withdrawn"])
async def test_who_paid_is_known_no_longer_than_until_it_has_ended(answered, end):
    await reopen(answered, person=9, moderates=True)
    taken = await next_turn(answered)
    before = await rows(answered, PAYERS)

    if end == "stands":
        await answer(answered, taken, "new")
    elif end == "stays":
        await answered.restore(taken.answer_id, taken.previous)
        await answered.stand(taken.answer_id)
    elif end == "is undeliverable":
        await answered.undeliverable(taken.answer_id, code="gone")
    else:
        await answered.erase_messages([1])
        await answered.withdraw(taken.answer_id)

    assert before == [(9,)]
    assert await rows(answered, PAYERS) == []


async def test_the_asker_pays_for_what_they_have_written_anew_themselves(answered):
    await reopen(answered, person=9, moderates=True)
    await answer(answered, await next_turn(answered), "new")
    await reopen(answered)

    assert (await next_turn(answered)).payer == 1
    assert await rows(answered, PAYERS) == []
