"""What people find of the stored turns: theirs to read, as it is worded now, and no more."""

from bot.core.messages import ConversationKey, Kind
from bot.core.quotes import Link, Opened
from bot.core.recall import recall
from tests.clock import START
from tests.fakes import message
from tests.searches import FOUND, NOT_FOUND
from tests.storage.talk import HERE, answer, exchange, quote, take

PRIVATE = ConversationKey(channel_id=10, private_to=1)
BOB = {"author": 2, "name": "Bob"}


async def found(store, query, key=HERE):
    return [hit.turn.text for hit in (await recall(store.archive, key, query)).hits]


# Searching


async def test_words_of_many_scripts_are_found_in_every_database(store):
    for n, (text, _, _) in enumerate(FOUND):
        await exchange(store, message(text, id=n + 1, channel=1_000 + n), "ok, noted")
    for n, (text, _) in enumerate(NOT_FOUND):
        await exchange(store, message(text, id=n + 101, channel=2_000 + n), "ok, noted")

    missing = [
        (text, query)
        for n, (text, query, _) in enumerate(FOUND)
        if text not in await found(store, query, ConversationKey(channel_id=1_000 + n))
    ]
    wrong = [
        (text, query)
        for n, (text, query) in enumerate(NOT_FOUND)
        if await found(store, query, ConversationKey(channel_id=2_000 + n))
    ]

    assert (missing, wrong) == ([], [])


async def test_hits_come_newest_first_with_who_said_it_when_and_where(store):
    await exchange(store, message("my zebra", id=1 << 22), "a zebra", posted=[50, 51])
    await exchange(store, message("no", id=2 << 22), "nothing")
    await exchange(store, message("his zebra", id=3 << 22, kind=Kind.SLASH, **BOB), "hm", posted=[60])

    hits = [hit.turn for hit in (await recall(store.archive, HERE, "ZEBRA")).hits]

    assert [(hit.text, hit.kind, hit.label, hit.message_id) for hit in hits] == [
        ("his zebra", Kind.SLASH, "Bob", 60),
        ("a zebra", Kind.ANSWER, None, 50),
        ("my zebra", Kind.MESSAGE, "Ada", 1 << 22),
    ]
    assert hits[2].sent_at.isoformat() == "2015-01-01T00:00:00.001000+00:00"


async def test_only_the_conversation_where_it_is_asked_is_searched(store):
    await exchange(store, message("zebra here", id=1), "ok")
    await exchange(store, message("zebra there", id=2, channel=20), "ok")
    await exchange(store, message("zebra alone", id=3, key=PRIVATE), "ok")

    assert await found(store, "zebra") == ["zebra here"]
    assert await found(store, "zebra", PRIVATE) == ["zebra alone"]
    assert await found(store, "zebra", ConversationKey(channel_id=10, private_to=2)) == []


async def test_what_was_erased_is_not_found(store):
    await exchange(store, message("zebra one", id=1), "zebra two", posted=[50])
    await exchange(store, message("three", id=2), "zebra four", posted=[60])
    await exchange(store, message("zebra five", id=3, **BOB), "ok")

    await store.erase_messages([1])
    await store.erase_messages([60])
    await store.forget_user(2)

    assert await found(store, "zebra") == []


async def test_what_was_edited_is_found_by_its_current_words_alone(store):
    await exchange(store, message("zebra", id=1), "ok")

    await store.edit(1, text="okapi", raw_text="okapi", note=None, edited_at=START)

    assert await found(store, "zebra") == []
    assert await found(store, "okapi") == ["okapi"]


async def test_what_was_said_before_a_reset_is_found(store):
    await exchange(store, message("zebra", id=1), "ok")

    await store.reset(HERE)

    assert await found(store, "zebra") == ["zebra"]


async def test_what_questions_brought_along_is_not_found(store):
    await exchange(store, message("re", id=6, reply_to=5, quote=quote("zebra", id=5)), "ok")
    linking = await take(store, message("see", id=8, links=(Link(channel_id=20, message_id=7),)))
    await store.open_link(linking.questions[0].id, Opened(quote=quote("zebra too", id=7)))
    await answer(store, linking, "ok")

    assert await found(store, "zebra") == []
