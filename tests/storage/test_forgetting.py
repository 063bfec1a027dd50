"""One person is forgotten, in one channel or everywhere; what is others' stays."""

import pytest

from bot.core.errors import Withdrawn
from bot.core.messages import ConversationKey, Press
from bot.core.quotes import Link, Opened
from bot.core.rights import Share
from tests.fakes import message
from tests.storage.talk import HERE, call, exchange, next_turn, part, quote, rows, take, wait, write

PRIVATE = ConversationKey(channel_id=10, private_to=1)
TEXTS = "SELECT text FROM turns WHERE text <> '' ORDER BY id"
BOB = {"author": 2, "name": "Bob"}
ADAS = {"author": 1, "name": "Ada"}


@pytest.fixture
async def talk(store):
    """Ada and Bob, here and elsewhere."""
    await exchange(store, message("ada here", id=1), "to ada here")
    await exchange(store, message("ada alone", id=2, key=PRIVATE), "to ada alone")
    await exchange(store, message("ada there", id=3, channel=20), "to ada there")
    await exchange(store, message("ada in a dm", id=4, channel=30, guild_id=None), "to ada in a dm")
    await exchange(
        store,
        message("bob here", id=5, reply_to=9, quote=quote("ada quoted", id=9, **ADAS), **BOB),
        "to bob here",
    )
    linking = await take(
        store, message("bob there", id=6, channel=20, links=(Link(channel_id=10, message_id=8),), **BOB)
    )
    await store.open_link(linking.questions[0].id, Opened(quote=quote("ada linked", id=8, **ADAS)))
    await write(store, linking, "to bob there")
    await store.stand(linking.answer_id)


async def test_here_is_the_channel_with_what_was_private_and_what_was_linked_from_it(store, talk):
    share = await store.share_of(1, channel_id=10)
    forgotten = await store.forget_user(1, channel_id=10)

    assert share == forgotten.share == Share(messages=4, answers=2, records=2)
    assert await rows(store, TEXTS) == [
        ("ada there",), ("to ada there",), ("ada in a dm",), ("to ada in a dm",),
        ("bob here",), ("to bob here",), ("bob there",), ("to bob there",),
    ]  # fmt: skip
    assert await rows(store, "SELECT count(*) FROM conversations WHERE private_to <> 0") == [(0,)]
    assert await store.share_of(1, channel_id=10) == Share()


async def test_here_the_name_and_the_id_on_costs_go_of_this_channel_alone(store, talk):
    await store.forget_user(1, channel_id=10)

    assert await rows(
        store, "SELECT channel_id, label FROM speakers JOIN conversations ON id = conversation_id ORDER BY 1, 2"
    ) == [(10, "Bob"), (20, "Ada"), (20, "Bob"), (30, "Ada")]
    assert await rows(
        store, "SELECT channel_id, count(*) FROM model_calls WHERE author_id = 1 GROUP BY 1 ORDER BY 1"
    ) == [(20, 1), (30, 1)]


async def test_everywhere_is_everywhere(store, talk):
    share = await store.share_of(1)
    forgotten = await store.forget_user(1)

    assert share == forgotten.share == Share(messages=6, answers=4, records=4)
    assert await rows(store, TEXTS) == [("bob here",), ("to bob here",), ("bob there",), ("to bob there",)]
    assert await rows(store, "SELECT count(*) FROM turns WHERE author_id = 1 OR label = 'Ada'") == [(0,)]
    assert await rows(store, "SELECT count(*) FROM speakers WHERE author_id = 1") == [(0,)]
    assert await rows(store, "SELECT author_id, count(*) FROM model_calls GROUP BY 1 ORDER BY 2") == [
        (2, 2), (None, 4),
    ]  # fmt: skip
    assert await store.share_of(1) == Share()


async def test_counting_erases_nothing(store, talk):
    before = await rows(store, TEXTS)

    await store.share_of(1)

    assert await rows(store, TEXTS) == before


async def test_costs_alone_are_something_that_is_stored(store):
    await exchange(store, message("ada here", id=1), "to ada here")
    await store.erase_messages([1])

    assert await store.share_of(1) == Share(records=1)


async def test_a_private_answer_under_way_keeps_its_row_until_it_has_ended(store):
    taken = await take(store, message("ada alone", id=1, key=PRIVATE))
    await store.add_part(taken.answer_id, attempt=1, part=part())

    forgotten = await store.forget_user(1)
    other = await take(store, message("bob here", id=2, **BOB))
    with pytest.raises(Withdrawn):
        await write(store, taken, "to ada alone")
    await store.part_deleted(taken.answer_id, n=0)
    await store.withdraw(taken.answer_id)

    assert forgotten.erased.answers == (taken.answer_id,)
    assert other.answer_id != taken.answer_id
    assert await rows(store, TEXTS) == [("bob here",)]
    assert await rows(store, "SELECT private_to FROM conversations") == [(0,)]


async def test_a_private_question_asked_meanwhile_is_kept(store):
    taken = await take(store, message("ada alone", id=1, key=PRIVATE))
    await store.forget_user(1)
    await wait(store, message("ada anew", id=2, key=PRIVATE))

    await store.withdraw(taken.answer_id)

    assert await rows(store, TEXTS) == [("ada anew",)]


@pytest.mark.parametrize("way", ["written", "recorded"])
async def test_what_an_answer_under_way_cost_is_recorded_without_its_author(store, way):
    taken = await take(store, message("ada here", id=1))
    other = await take(store, message("bob there", id=2, channel=20, **BOB))
    await store.forget_user(1)

    if way == "written":
        with pytest.raises(Withdrawn):
            await write(store, taken, "to ada here")
    else:
        await store.record_call(call(taken, outcome="stopped"))
    await store.record_call(call(other))

    assert await rows(store, "SELECT author_id FROM model_calls ORDER BY id") == [(None,), (2,)]


async def test_what_somebody_wanted_written_anew_of_another_s_answers_is_recorded_without_them(store):
    await exchange(store, message("bob here", id=2, **BOB), "to bob")
    await store.reopen(Press(id=9, question_id=2, person=1, moderates=True, key=HERE))
    anew = await next_turn(store)
    before = call(anew, author_id=1)
    await store.forget_user(1)

    await store.record_call(before)
    again = await next_turn(store)
    await store.record_call(call(again, author_id=again.payer))

    assert await rows(store, "SELECT author_id FROM model_calls ORDER BY id") == [(2,), (None,), (None,)]


async def test_who_had_an_answer_written_anew_is_forgotten_with_it(store):
    await exchange(store, message("bob here", id=2, **BOB), "to bob")
    await store.reopen(Press(id=9, question_id=2, person=1, moderates=True, key=HERE))

    await store.forget_user(1, channel_id=20)
    elsewhere = (await next_turn(store)).payer
    await store.forget_user(1, channel_id=10)

    assert (elsewhere, (await next_turn(store)).payer) == (1, None)
    assert await rows(store, "SELECT count(*) FROM turns WHERE payer_id = 1") == [(0,)]


async def test_who_pays_for_an_answer_to_somebody_forgotten_is_named(store):
    await exchange(store, message("bob here", id=2, **BOB), "to bob")
    await store.reopen(Press(id=9, question_id=2, person=1, moderates=True, key=HERE))
    anew = await next_turn(store)
    await store.forget_user(2)

    await store.record_call(call(anew, author_id=anew.payer))

    assert await rows(store, "SELECT author_id FROM model_calls ORDER BY id") == [(None,), (1,)]


async def test_whoever_asks_after_having_been_forgotten_is_named(store):
    taken = await take(store, message("ada here", id=1))
    await store.forget_user(1)
    await store.withdraw(taken.answer_id)  # SQLite gives the number of its row to the next one
    anew = await take(store, message("ada anew", id=2))

    await store.record_call(call(anew))

    assert await rows(store, "SELECT author_id FROM model_calls") == [(1,)]


async def test_whoever_had_themselves_forgotten_beside_an_answer_may_pay_for_it_later(store):
    taken = await take(store, message("bob here", id=2, **BOB))
    await store.forget_user(1)
    await write(store, taken, "to bob")
    await store.stand(taken.answer_id)
    await store.reopen(Press(id=9, question_id=2, person=1, moderates=True, key=HERE))
    anew = await next_turn(store)

    await store.record_call(call(anew, author_id=anew.payer))

    assert await rows(store, "SELECT author_id FROM model_calls ORDER BY id") == [(2,), (1,)]
