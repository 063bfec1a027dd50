"""What a question brings along, and when the model reads it anyway."""

from dataclasses import replace

import pytest

from bot.core.messages import Kind
from bot.core.tokens import CUT, SHARE_OF_A_QUOTE
from bot.storage.questions import SHARE_OF_NEIGHBOURS
from bot.storage.quotes import TURNS_IN_SIGHT
from tests.fakes import message
from tests.storage.talk import HERE, answer, exchange, history, next_turn, quote, take, wait, write


def reply(to, text="why?", *, id=900):  # noqa: A002 - reads as the message's id
    return message(text, id=id, reply_to=to, quote=quote("the quoted", id=to))


def texts(taken):
    return [turn.text for turn in taken.questions]


async def test_a_message_that_is_no_turn_is_brought_along(store):
    await exchange(store, message("something else", id=1), "hm", posted=[2])

    assert texts(await take(store, reply(3))) == ["the quoted", "why?"]


async def test_what_we_said_and_is_no_answer_is_not_brought_along(store):
    ours = replace(quote("I'm busy.", id=3), ours=True)

    assert texts(await take(store, message("why?", id=4, reply_to=3, quote=ours))) == ["why?"]


@pytest.mark.parametrize("replied_to", [1, 2, 3], ids=["a question", "an answer", "an answer's second part"])
async def test_what_the_model_has_just_read_is_not_brought_along(store, replied_to):
    await exchange(store, message("asked", id=1), "answered", posted=[2, 3])

    assert texts(await take(store, reply(replied_to))) == ["why?"]


async def test_neither_is_what_waits_or_is_being_answered(store):
    await take(store, message("being answered", id=1, author=7))
    await wait(store, message("waits", id=2, author=8), reply(1, id=10), reply(2, id=11))

    await answer(store, await next_turn(store), "a")  # of what an earlier run began
    await answer(store, await next_turn(store), "b")

    assert texts(await next_turn(store)) == ["why?", "why?"]


async def test_a_reply_without_words_of_its_own_brings_it_along_always(store):
    await exchange(store, message("asked", id=1), "answered", posted=[2])

    assert texts(await take(store, reply(1, ""))) == ["the quoted", ""]


@pytest.mark.parametrize(("turns_back", "brought"), [(TURNS_IN_SIGHT, False), (TURNS_IN_SIGHT + 2, True)])
@pytest.mark.parametrize("replied_to", [1, 2])
async def test_what_is_far_back_is_brought_along(store, replied_to, turns_back, brought):
    for n in range(turns_back // 2):
        await exchange(store, message(f"q{n}", id=1 + 10 * n), "a", posted=[2 + 10 * n])

    assert ("the quoted" in texts(await take(store, reply(replied_to)))) is brought


async def test_what_was_said_before_a_reset_is_brought_along(store):
    await exchange(store, message("asked", id=1), "answered", posted=[2])
    await store.reset(HERE)

    assert texts(await take(store, reply(2))) == ["the quoted", "why?"]


async def test_what_is_no_history_is_brought_along(store):
    taken = await take(store, message("refused", id=1))
    await store.write_notice(taken.answer_id, shown="busy", code="model_busy")
    await store.stand(taken.answer_id)

    assert texts(await take(store, reply(1))) == ["the quoted", "why?"]


async def test_what_was_said_in_another_channel_is_no_turn_here(store):
    await exchange(store, message("asked", id=1, channel=11), "answered", posted=[2])

    assert texts(await take(store, reply(1))) == ["the quoted", "why?"]


async def test_a_long_quote_leaves_room_for_the_rest_of_the_history(store):
    long = message("why?", id=5, reply_to=3, quote=quote("word " * 10_000, id=3))
    await exchange(store, message("before", id=1), "hm")
    await exchange(store, long, "because")

    before, _, cut, why, because = await history(store, message("?", id=6))

    assert (before, why, because) == ("before", "why?", "because")
    assert cut.startswith("word word")
    assert cut.endswith(CUT)


async def test_a_long_quote_parts_no_neighbours(store):
    for n in (10, 11):
        await wait(store, message("why?", id=n, reply_to=n - 5, quote=quote("word " * 3_000, id=n - 5)))

    taken = await next_turn(store)

    assert [turn.kind for turn in taken.questions] == [Kind.QUOTE, Kind.MESSAGE] * 2
    assert SHARE_OF_A_QUOTE * 2 < SHARE_OF_NEIGHBOURS
    await write(store, taken, "both")
