"""Linked messages as rows: there since the question was stored, empty until the link is opened."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.messages import Edit, Kind
from bot.core.quotes import CHANGED_MEANWHILE, Link, Opened
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import answer, exchange, history, next_turn, quote, rows, take, wait

LATER = START + timedelta(hours=1)


def linking(*message_ids, id=900, channel=20, **more):  # noqa: A002 - reads as the message's id
    links = tuple(Link(channel_id=channel, message_id=message_id) for message_id in message_ids)
    return message("what of this?", id=id, links=links, **more)


def opened(text, *, id=5, **more):  # noqa: A002 - reads as the message's id
    return Opened(quote=replace(quote(text, id=id), **more))


def texts(taken):
    return [turn.text for turn in taken.questions]


async def test_links_wait_empty_before_their_question(store):
    taken = await take(store, linking(5, 6))

    assert [(turn.kind, turn.text, turn.is_unopened) for turn in taken.questions] == [
        (Kind.QUOTE, "", True), (Kind.QUOTE, "", True), (Kind.MESSAGE, "what of this?", False),
    ]  # fmt: skip
    assert taken.questions[0].link == Link(channel_id=20, message_id=5)
    assert taken.conversation.labelled


async def test_an_opened_link_is_a_quote_with_its_authors_label(store):
    taken = await take(store, linking(5, author=1))

    turn = await store.open_link(taken.questions[0].id, opened("the linked"))
    await answer(store, taken, "hm")

    assert (turn.text, turn.label, turn.author_id, turn.is_unopened) == ("the linked", "Bob", 2, False)
    assert turn.position == taken.questions[0].position
    assert await history(store, message("?", id=901)) == ["the linked", "what of this?", "hm"]


async def test_a_link_that_could_not_be_opened_says_so_and_is_not_tried_again(store):
    taken = await take(store, linking(5))

    turn = await store.open_link(taken.questions[0].id, Opened(note="gone"))
    again = await next_turn(store)

    assert (turn.note, turn.is_unopened) == ("gone", False)
    assert again.questions[0] == turn


async def test_what_was_opened_is_there_when_it_is_taken_up_again(store):
    taken = await take(store, linking(5))
    turn = await store.open_link(taken.questions[0].id, opened("the linked"))

    assert (await next_turn(store)).questions[0] == turn


async def test_what_is_in_sight_or_replied_to_is_not_linked_as_well(store):
    await exchange(store, message("asked", id=1), "answered", posted=[2])

    taken = await take(store, linking(1, 2, 7, 8, reply_to=7, quote=quote("the quoted", id=7)))

    assert [turn.message_id for turn in taken.questions] == [7, 8, 900]


async def test_an_edit_does_not_open_a_link(store):
    await wait(store, linking(5))

    await store.edit(Edit(message_id=5, text="secret", raw_text="secret", note=None, edited_at=LATER))
    taken = await next_turn(store)
    await store.open_link(taken.questions[0].id, Opened(note="not for you"))
    await store.edit(Edit(message_id=5, text="secret", raw_text="secret", note=None, edited_at=LATER))

    assert await rows(store, "SELECT count(*) FROM turns WHERE text = 'secret' OR raw_text = 'secret'") == [(0,)]


@pytest.mark.parametrize(("edited_at", "text"), [(None, ""), (START, ""), (LATER, "the linked")])
async def test_what_was_edited_while_it_was_read_is_not_taken_in_its_old_wording(store, edited_at, text):
    taken = await take(store, linking(5))
    await store.edit(Edit(message_id=5, text="new", raw_text="new", note=None, edited_at=LATER))

    turn = await store.open_link(taken.questions[0].id, opened("the linked", edited_at=edited_at))

    assert (turn.text, turn.note) == (text, None if text else CHANGED_MEANWHILE)


async def test_an_edit_reaches_what_was_opened(store):
    taken = await take(store, linking(5))
    await store.open_link(taken.questions[0].id, opened("the linked"))
    await answer(store, taken, "hm")

    await store.edit(Edit(message_id=5, text="edited", raw_text="edited", note=None, edited_at=LATER))

    assert await history(store, message("?", id=901)) == ["edited", "what of this?", "hm"]


async def test_a_deletion_reaches_a_link_also_while_it_is_read(store):
    taken = await take(store, linking(5))

    await store.erase_messages([5])

    assert await store.open_link(taken.questions[0].id, opened("the linked")) is None
    assert texts(await next_turn(store)) == ["what of this?"]


@pytest.mark.parametrize("erase", ["the channel", "the channel above it", "the person", "the question"])
async def test_what_was_linked_goes_with(store, erase):
    taken = await take(store, linking(5))
    await store.open_link(taken.questions[0].id, replace(opened("the linked"), parent_id=30))
    await answer(store, taken, "hm")

    if erase.startswith("the channel"):
        await store.erase_channel(20 if erase == "the channel" else 30)
    elif erase == "the person":
        await store.forget_user(2)
    else:
        await store.erase_messages([900])

    assert await rows(store, "SELECT count(*) FROM turns WHERE text = 'the linked'") == [(0,)]
    assert await rows(store, "SELECT label FROM speakers WHERE author_id = 2") == []


async def reword(store, *message_ids, id=900):  # noqa: A002 - reads as the message's id
    links = tuple(Link(channel_id=20, message_id=message_id) for message_id in message_ids)
    text = f"what of {message_ids}?"
    await store.edit(Edit(message_id=id, text=text, raw_text=text, note=None, edited_at=LATER, links=links))


async def test_the_links_of_a_question_that_waits_follow_its_edits(store):
    await exchange(store, message("asked", id=1), "answered")
    await wait(store, linking(5, 6, reply_to=7, quote=quote("the quoted", id=7)))

    await reword(store, 1, 6, 7, 8, 9)

    assert [turn.message_id for turn in (await next_turn(store)).questions] == [7, 6, 8, 9, 900]


async def test_a_link_takes_the_place_of_the_one_that_it_corrects_while_an_answer_is_made(store):
    taken = await take(store, linking(5, 6))
    await store.open_link(taken.questions[0].id, opened("the wrong one"))

    await reword(store, 6, 8, 9)
    again = await next_turn(store)

    assert await store.open_link(taken.questions[0].id, opened("the wrong one")) is None
    assert [(turn.message_id, turn.position) for turn in again.questions] == [
        (8, taken.questions[0].position),
        (6, taken.questions[1].position),
        (900, taken.questions[2].position),
    ]
    assert again.questions[0].is_unopened


async def test_an_older_wording_brings_its_links_no_more(store):
    await take(store, linking(5))
    await reword(store, 6)

    await store.edit(
        Edit(
            message_id=900,
            text="old",
            raw_text="old",
            note=None,
            edited_at=START,
            links=(Link(channel_id=20, message_id=5),),
        )
    )

    assert [turn.message_id for turn in (await next_turn(store)).questions] == [6, 900]


async def test_what_an_answered_question_links_to_no_more_is_no_history(store):
    taken = await take(store, linking(5))
    await store.open_link(taken.questions[0].id, opened("the wrong one"))
    await answer(store, taken, "hm")

    await reword(store, 6)

    assert await history(store, message("?", id=901)) == ["what of (6,)?", "hm"]
