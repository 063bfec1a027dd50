"""In which conversations the words of a message are, so that nobody reads there what was edited or deleted."""

from dataclasses import replace

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.messages import ConversationKey
from bot.core.quotes import Link, Opened
from bot.storage import sqlite
from bot.storage.turns import open_store
from tests.fakes import message
from tests.storage.talk import HERE, exchange, quote, take, wait

ELSEWHERE = ConversationKey(channel_id=11)


async def held_in(store, message_id, *keys):
    return [await store.conversation_holds(key, {message_id, 999}) for key in keys]


async def test_a_question_is_where_it_was_asked_and_an_answer_where_it_stands(store):
    await exchange(store, message("one", id=1), "Yes.", posted=[2])
    await exchange(store, message("other", id=3, channel=11), "No.", posted=[4])
    await wait(store, message("waits", id=8, channel=11))

    assert [await held_in(store, id_, HERE, ELSEWHERE) for id_ in (1, 2, 3, 4, 8)] == [
        [True, False], [True, False], [False, True], [False, True], [False, True],
    ]  # fmt: skip


async def test_a_private_conversation_is_one_of_its_own(store):
    private = replace(HERE, private_to=1)
    await exchange(store, message("mine", id=1, key=private), "Yes.", posted=[2])

    assert await held_in(store, 1, HERE, private) == [False, True]


async def test_a_quote_is_where_it_was_brought_along(store):
    await take(store, message("this?", id=7, channel=11, quote=quote("before", id=3)))

    assert await held_in(store, 3, HERE, ELSEWHERE) == [False, True]


async def test_what_is_erased_is_nowhere(store):
    await exchange(store, message("one", id=1), "Yes.", posted=[2])
    await store.erase_messages([1])

    assert [await held_in(store, id_, HERE) for id_ in (1, 2)] == [[False], [False]]
    assert not await store.own_hold(1, {1, 2})


async def test_no_prompt_is_built_from_what_was_said_before_a_reset(store):
    await exchange(store, message("one", id=1), "Yes.", posted=[2])
    before = [await store.prompts_hold(HERE, {id_}) for id_ in (1, 2)]
    await store.reset(HERE)
    await wait(store, message("waits", id=5))

    assert before == [True, True]
    assert [await store.prompts_hold(HERE, {id_}) for id_ in (1, 2, 5)] == [False, False, True]
    assert await held_in(store, 1, HERE) == [True]


async def test_a_persons_own_are_their_messages_anywhere_quotes_of_them_and_the_answers_to_them(store):
    await exchange(store, message("mine", id=1, author=1), "Yes.", posted=[2])
    await exchange(store, message("theirs", id=3, author=2), "No.", posted=[4])
    await take(store, message("this?", id=7, author=2, channel=11, quote=quote("said", id=6, author=1)))

    assert [await store.own_hold(1, {id_}) for id_ in (1, 2, 3, 4, 6, 7)] == [
        True, True, False, False, True, False,
    ]  # fmt: skip


async def test_no_prompt_is_built_from_what_was_missed_nor_from_what_it_brought_along(store):
    await store.record_missed(message("too late", id=15, quote=quote("quoted", id=13)))
    await wait(store, message("waits", id=19, quote=quote("quoted, too", id=17)))

    assert [await store.prompts_hold(HERE, {id_}) for id_ in (13, 15, 17, 19)] == [False, False, True, True]
    assert await held_in(store, 15, HERE) == [True]


async def test_what_was_said_in_a_channel_a_thread_below_it_or_a_server_is_there_and_where_it_is_quoted(store):
    thread = ConversationKey(channel_id=30)
    await exchange(store, message("one", id=1, key=thread, parent_id=20), "Yes.", posted=[2])
    linking = message("this?", id=7, channel=11, guild_id=6, links=(Link(channel_id=30, message_id=9),))
    linked = await take(store, linking)
    await store.open_link(linked.questions[0].id, Opened(quote=quote("said", id=9, author=3), parent_id=20))

    assert [await held_in(store, id_, thread, ELSEWHERE) for id_ in (30, 20, 5, 6)] == [
        [True, True], [True, True], [True, False], [False, True],
    ]  # fmt: skip
    assert [await store.own_hold(3, {id_}) for id_ in (30, 20, 5)] == [True, True, False]


async def test_a_prompt_is_built_from_the_question_that_is_being_answered_after_a_reset_too(store):
    await take(store, message("one", id=15, quote=quote("quoted", id=13)))
    await store.reset(HERE)

    assert [await store.prompts_hold(HERE, {id_}) for id_ in (13, 15)] == [True, True]


async def test_what_was_said_before_a_reset_is_not_read_for_prompts_be_its_page_damaged_or_not(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(sqlite, "CHECKED_BYTES", 0)  # as if it were too long to be read through at the start
    path = tmp_path / "bot.db"
    async with open_store(f"sqlite:///{path}") as store:
        for n in range(1, 400, 2):
            await exchange(store, message(f"xylophone {n} " + "a " * 250, id=1000 + n), "Yes.", posted=[5000 + n])
        await store.reset(HERE)
        await exchange(store, message("later", id=2001), "Yes.", posted=[2002])
    content = bytearray(path.read_bytes())
    page = content.index(b"xylophone 101 ") // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    path.write_bytes(content)

    async with open_store(f"sqlite:///{path}") as store:
        assert await store.prompts_hold(HERE, {1}) is False
        assert await store.prompts_hold(HERE, {2001}) is True
        with pytest.raises(DatabaseUnavailable):
            await store.conversation_holds(HERE, {1})
