"""What catching up on missed messages asks of the store."""

from datetime import timedelta

from bot.core.messages import ConversationKey, Edit, StoredMessage
from bot.core.quotes import Link, Quote
from bot.core.tokens import TokenBudget
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import exchange, history, next_turn, rows, state_of, wait


async def test_marks_are_replaced_as_a_whole(store):
    assert await store.read_marks() == {}

    await store.write_marks({0: START, 5: START - timedelta(hours=1)})
    await store.write_marks({0: START + timedelta(seconds=10)})

    assert await store.read_marks() == {0: START + timedelta(seconds=10)}


async def test_a_missed_question_is_neither_answered_nor_history(store):
    await store.record_missed(message("old", id=1))

    assert await next_turn(store) is None
    assert await state_of(store, 1) == ("failed", "missed")
    assert await history(store, message("new", id=2)) == []


async def test_nothing_waits_of_a_missed_question_nor_what_it_brought_along(store):
    quote = Quote(message_id=18, author_id=2, author_name="Ada", text="quoted", raw_text="quoted")
    await store.record_missed(message("old", id=20, quote=quote, links=(Link(channel_id=12, message_id=4),)))

    assert await store.unfinished() == []


async def test_a_question_that_is_stored_already_is_not_missed(store):
    await wait(store, message("q", id=1))

    await store.record_missed(message("q", id=1))

    assert (await next_turn(store)).question.text == "q"


async def test_what_is_stored_of_a_range_are_questions_and_answers_of_the_channel(store):
    await exchange(store, message("before", id=10), "a", posted=[11])
    await exchange(store, message("q", id=20), "a", posted=[21, 22])
    await exchange(store, message("q", id=30, channel=11), "a")
    await store.edit(Edit(message_id=20, text="e", raw_text="e", note=None, edited_at=START))

    stored = await store.stored_since(10, after=11)

    assert sorted(stored, key=lambda one: one.message_id) == [
        StoredMessage(message_id=20, edited_at=START),
        StoredMessage(message_id=21, nonce="20-0"),
        StoredMessage(message_id=22, nonce="20-1"),
    ]


async def test_quoted_messages_of_a_range_are_those_of_their_own_channel(store):
    quote = Quote(message_id=18, author_id=2, author_name="Ada", text="quoted", raw_text="quoted")
    await exchange(store, message("q", id=20, quote=quote), "a")
    await exchange(store, message("q", id=30, links=(Link(channel_id=12, message_id=4),)), "a")

    assert await store.quoted_since(10, after=17) == [18]
    assert await store.quoted_since(10, after=18) == []
    assert await store.quoted_since(12, after=0) == [4]


async def test_what_was_deleted_or_is_private_is_not_looked_for(store):
    await exchange(store, message("q", id=20), "a", posted=[21])
    await store.erase_messages([20])
    await exchange(store, message("q", id=30, key=ConversationKey(channel_id=10, private_to=1)), "a", posted=[31])

    assert await store.stored_since(10, after=0) == []


async def test_of_a_refused_question_nothing_is_left_but_its_ids_and_it_is_not_answered(store):
    quote = Quote(message_id=18, author_id=2, author_name="Ben", text="quoted", raw_text="quoted")
    await store.record_refused(message("refused", id=20, quote=quote))

    assert await rows(store, "SELECT count(*) FROM speakers") == [(0,)]
    assert not (
        await store.receive(message("refused", id=20), take_up=False, budget=TokenBudget(history_tokens=8000))
    ).stored
    assert await next_turn(store) is None
    assert await store.withdrawn_since(10, after=19) == [20]
    assert await store.withdrawn_since(10, after=20) == await store.withdrawn_since(11, after=0) == []
    assert await rows(store, "SELECT author_id, label, text, raw_text FROM turns") == [(None, None, "", "")]


async def test_a_question_that_waits_is_not_refused(store):
    await wait(store, message("q", id=1))

    await store.record_refused(message("q", id=1))

    assert (await next_turn(store)).question.text == "q"


async def test_dms_are_found_by_when_somebody_last_wrote(store):
    await exchange(store, message("q", id=20, channel=7, guild_id=None), "a")
    await exchange(store, message("q", id=21, channel=8, guild_id=5), "a")

    assert await store.direct_channels(after=19) == [7]
    assert await store.direct_channels(after=20) == []


async def test_threads_are_found_by_when_somebody_last_wrote(store):
    await exchange(store, message("q", id=20, channel=7, parent_id=10), "a")
    await exchange(store, message("q", id=21, channel=8, parent_id=10, guild_id=6), "a")
    await exchange(store, message("q", id=22, channel=10), "a")
    await exchange(store, message("q", id=23, channel=7, parent_id=10), "a")
    hidden = ConversationKey(channel_id=9, private_to=1)
    await exchange(store, message("q", id=24, key=hidden, parent_id=10), "a")

    assert await store.recent_threads(after=19) == [(5, 7), (6, 8)]
    assert await store.recent_threads(after=21) == [(5, 7)]
