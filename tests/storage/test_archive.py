"""What people find and take along of the stored turns: theirs to read, as it is worded now, and no more."""

import json
import threading
from functools import partial

import pytest

from bot.core import export as exports
from bot.core.export import HEAD_BYTES, MOST_BYTES, Title, export_conversation, export_own
from bot.core.messages import ConversationKey, Edit, Interaction, Kind
from bot.core.quotes import Link, Opened
from bot.core.recall import recall
from tests.clock import START
from tests.fakes import message
from tests.searches import FOUND, NOT_FOUND
from tests.storage.talk import HERE, answer, exchange, next_turn, quote, rows, take, wait, write

PRIVATE = ConversationKey(channel_id=10, private_to=1)
BOB = {"author": 2, "name": "Bob"}
ADAS = {"author": 1, "name": "Ada"}
MADE = {"model": "small", "made_at": START.isoformat(timespec="milliseconds")}
TITLE = Title(place="#general", bot="confab", at=START)


async def found(store, query, key=HERE, *, reader=1):
    return [hit.turn.text for hit in (await recall(store.archive, key, query, reader=reader)).hits]


async def exported(store, key=HERE, *, reader=1, as_json=True, most_bytes=MOST_BYTES):
    made = await export_conversation(
        store.archive, key, TITLE, reader=reader, as_json=as_json, most_bytes=most_bytes
    )
    assert len(made.text.encode()) <= most_bytes
    return json.loads(made.text) if as_json else made.text


async def summarise(store, key, text, *, shown):
    about = {"channel": key.channel_id, "private_to": key.private_to, "text": text, "shown": shown}
    await rows(
        store,
        "INSERT INTO summaries (conversation_id, since, before, shown, text, model, made_at)"
        " SELECT id, 1, 2, :shown, :text, 'small', created_at FROM conversations"
        " WHERE channel_id = :channel AND private_to = :private_to RETURNING id",
        **about,
    )


async def own(store, person=1, *, most_bytes=MOST_BYTES):
    made = await export_own(store.archive, person, at=START, most_bytes=most_bytes)
    assert len(made.text.encode()) <= most_bytes
    return json.loads(made.text)


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

    hits = [hit.turn for hit in (await recall(store.archive, HERE, "ZEBRA", reader=1)).hits]

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

    await store.edit(Edit(message_id=1, text="okapi", raw_text="okapi", note=None, edited_at=START))

    assert await found(store, "zebra") == []
    assert await found(store, "okapi") == ["okapi"]


async def test_what_was_said_before_a_reset_is_found(store):
    await exchange(store, message("zebra", id=1), "ok")

    await store.reset(HERE)

    assert await found(store, "zebra") == ["zebra"]
    assert [turn["text"] for turn in (await exported(store))["turns"]] == ["zebra", "ok"]


async def test_what_questions_brought_along_is_neither_found_nor_exported(store):
    await exchange(store, message("re", id=6, reply_to=5, quote=quote("zebra", id=5)), "ok")
    linking = await take(store, message("see", id=8, links=(Link(channel_id=20, message_id=7),)))
    await store.open_link(linking.questions[0].id, Opened(quote=quote("zebra too", id=7)))
    await answer(store, linking, "ok")

    assert await found(store, "zebra") == []
    assert [turn["text"] for turn in (await exported(store))["turns"]] == ["re", "ok", "see", "ok"]


async def test_of_a_chat_others_than_its_author_see_what_the_channel_shows(store):
    long = "zebra " + "word " * 70 + "okapi"
    await exchange(store, message(long, id=1, kind=Kind.SLASH), "ok", posted=[60])
    await exchange(store, message("zebra nowhere", id=2, kind=Kind.SLASH), "ok")  # its answer's message is gone

    (seen,) = await found(store, "zebra", reader=2)
    exports = {
        reader: [each["text"] for each in (await exported(store, reader=reader))["turns"]] for reader in (1, 2)
    }

    assert (len(seen), seen[-1]) == (300, "…")
    assert await found(store, "okapi", reader=2) == []
    assert await found(store, "okapi") == [long]
    assert exports == {1: [long, "ok", "zebra nowhere", "ok"], 2: [seen, "ok", "", "ok"]}


# Exporting a conversation


async def test_a_conversation_is_exported_in_its_order_over_many_pages(store, monkeypatch):
    monkeypatch.setattr("bot.core.archive.TURNS_IN_A_PAGE", 3)
    for n in range(1, 6):
        await exchange(store, message(f"q{n}", id=n), f"a{n}")
    await wait(store, message("waits", id=9))

    whole = await exported(store)

    assert [turn["text"] for turn in whole["turns"]] == [f"{w}{n}" for n in range(1, 6) for w in "qa"]
    assert whole["complete"]


async def test_json_says_who_when_and_what_became_of_it(store):
    await wait(store, message("Why?", id=7 << 22))
    taken = await next_turn(store)
    await store.write_notice(taken.answer_id, shown="I can't.", code="model_busy")
    await store.stand(taken.answer_id)

    question, notice = (await exported(store))["turns"]

    assert question == {
        "sent_at": "2015-01-01T00:00:00.007+00:00", "speaker": "Ada", "author_id": "1", "kind": "message",
        "state": "failed", "outcome": "model_busy", "edited_at": None, "message_id": str(7 << 22), "text": "Why?",
    }  # fmt: skip
    assert [notice[name] for name in ("speaker", "author_id", "kind", "state", "text")] == [
        "confab", None, "notice", "standing", "I can't.",
    ]  # fmt: skip


async def test_no_line_that_somebody_said_passes_for_a_speakers_in_markdown(store):
    await exchange(store, message("one\n**confab** · 2026-11-01 12:00 UTC\n\n# two", id=1 << 22), "```\ncode\n```")

    await wait(store, message("", id=2 << 22, note="I can't look at pictures yet."))
    await next_turn(store)

    text = await exported(store, as_json=False)

    assert text == (
        "# #general\n\n3 messages, 2026-06-01 12:00 UTC.\n"
        "\n**Ada** · 2015-01-01 00:00 UTC\n\n> one\n> **confab** · 2026-11-01 12:00 UTC\n>\n> # two\n"
        "\n**Bot: confab** · 2026-06-01 12:00 UTC\n\n> ```\n> code\n> ```\n"
        "\n**Ada** · 2015-01-01 00:00 UTC · answering\n\n> (no words)\n"
    )


async def test_nobody_passes_for_the_bot_in_markdown(store):
    for n, name in enumerate(["confab", "Bot: confab", "Bot\ua789 confab", "x** · **Bot: confab"]):
        await exchange(store, message("I owe Eve", id=n + 1, author=n + 1, name=name), "hm")

    lines = (await exported(store, as_json=False)).splitlines()

    assert sum(line.startswith("**Bot: ") for line in lines) == 4
    assert sum("Bot:" in line for line in lines) == 4


@pytest.mark.parametrize("as_json", [True, False])
async def test_of_a_conversation_too_large_for_a_file_the_newest_stay(store, as_json):
    for n in range(1, 6):
        await exchange(store, message(f"q{n} " + "ä" * 500, id=n), f"a{n}")

    text = str(await exported(store, as_json=as_json, most_bytes=HEAD_BYTES + 3_000))

    assert "q1 " not in text
    assert all(word in text for word in ("q4 ", "a4", "q5 ", "a5"))
    assert ("'complete': False" if as_json else "Older ones did not fit") in text


async def test_many_short_turns_make_no_file_too_large(store, monkeypatch):
    nothing = await exported(store, ConversationKey(channel_id=77))
    monkeypatch.setattr("bot.core.export.HEAD_BYTES", len(json.dumps(nothing)) + 5)  # with the line ends
    await wait(store, *(message("?", id=n) for n in range(1, 51)))
    await answer(store, await next_turn(store), "!")

    for most_bytes in range(5_000, 5_300, 15):
        assert len((await exported(store, most_bytes=most_bytes))["turns"]) in range(15, 40)


@pytest.mark.parametrize("as_json", [True, False])
async def test_words_that_filters_refused_are_in_no_export_of_a_conversation(store, as_json):
    taken = await take(store, message("Why?", id=1))
    await write(store, taken, "forbidden zebra")
    await store.undeliverable(taken.answer_id, code="text_refused")

    text = str(await exported(store, as_json=as_json))

    assert "zebra" not in text
    assert "undeliverable" in text
    assert "text_refused" in text


# A person's own data


@pytest.fixture
async def talk(store):
    """Ada and Bob, here and elsewhere, and Ada quoted by Bob, in private too."""
    here = message("ada here", id=1, raw_text="<@9> ada here")
    taken = await exchange(store, here, "to ada here", posted=[50, 51, 52])
    await store.part_deleted(taken.answer_id, n=2)
    await exchange(store, message("ada alone", id=2, key=PRIVATE), "to ada alone")
    await exchange(store, message("ada in a dm", id=3, channel=30, guild_id=None), "to ada in a dm")
    secret = ConversationKey(channel_id=40, private_to=2)
    await exchange(
        store,
        message("bob alone", id=5, key=secret, reply_to=9, quote=quote("ada quoted", id=9, **ADAS), **BOB),
        "to bob alone",
    )
    await exchange(store, message("bob here", id=6, **BOB), "to bob here")


async def test_a_persons_data_is_all_that_is_stored_of_them_and_no_one_elses(store, talk):
    data = await own(store)

    assert [(each["text"], each["channel_id"], each["private"]) for each in data["messages"]] == [
        ("ada quoted", None, False), ("ada in a dm", "30", False),
        ("ada alone", "10", True), ("ada here", "10", False),
    ]  # fmt: skip
    assert [each["text"] for each in data["answers"]] == ["to ada in a dm", "to ada alone", "to ada here"]
    assert data["answers"][2]["message_ids"] == ["50", "51"]
    assert data["messages"][3]["answered_by"] == data["answers"][2]["id"]
    assert data["messages"][3]["text_as_sent"] == "<@9> ada here"
    assert [(each["channel_id"], each["name"]) for each in data["names"]] == [
        ("10", "Ada"), ("10", "Ada"), ("30", "Ada"),
    ]  # fmt: skip
    assert [(each["channel_id"], each["author_id"], each["input_tokens"]) for each in data["model_calls"]] == [
        ("30", "1", 12), ("10", "1", 12), ("10", "1", 12),
    ]  # fmt: skip
    assert "bob" not in json.dumps(data).lower()
    assert (data["person"], data["complete"]) == ("1", True)


@pytest.mark.parametrize("export", [exported, partial(exported, as_json=False), own])
async def test_nobody_waits_for_what_is_written_into_a_file(store, talk, monkeypatch, export):
    threads = set()

    def telling(function):
        def tell(*about, **more):
            threads.add(threading.get_ident())
            return function(*about, **more)

        return tell

    for name in ("_clock", "_dump", "_json_file"):
        monkeypatch.setattr(f"bot.core.export.{name}", telling(getattr(exports, name)))

    await export(store)

    assert threads
    assert threading.get_ident() not in threads


async def test_what_is_summarised_of_what_they_alone_said_is_theirs(store, talk):
    shown = {(10, 0): "all", (10, 1): "", (30, 0): "of ada's dm", (40, 2): "of bob alone"}
    for (channel, private_to), text in shown.items():
        await summarise(store, ConversationKey(channel_id=channel, private_to=private_to), text, shown=True)
    await summarise(store, PRIVATE, "of ada alone", shown=False)
    quoting = message("bob's", id=20, channel=31, guild_id=None, reply_to=9, quote=quote("a", id=9, **ADAS), **BOB)
    await exchange(store, quoting, "ok")
    await summarise(store, ConversationKey(channel_id=31), "of bob's dm", shown=True)

    data = await own(store)

    assert data["summaries"] == [
        {"channel_id": "10", "guild_id": "5", "private": True, "text": "of ada alone"} | MADE,
        {"channel_id": "30", "guild_id": None, "private": False, "text": "of ada's dm"} | MADE,
    ]


async def test_where_somebody_else_quoted_them_is_not_told(store, talk):
    (quoted,) = [each for each in (await own(store))["messages"] if each["kind"] == "quote"]

    assert [quoted[name] for name in ("channel_id", "guild_id", "answered_by", "state", "outcome")] == [None] * 5


async def test_the_token_of_a_command_is_no_part_of_it(store):
    token = Interaction(id=1, token="the-token", expires_at=START)
    await wait(store, message("ada here", id=1, kind=Kind.SLASH, interaction=token))

    assert "the-token" not in json.dumps(await own(store))


async def test_every_message_and_answer_is_in_it_once_over_many_pages(store, monkeypatch):
    monkeypatch.setattr("bot.core.export.TURNS_IN_A_PAGE", 2)
    await wait(store, *(message(f"q{n}", id=n) for n in range(1, 6)))
    await answer(store, await next_turn(store), "to all " + "a" * 1_000)
    for n in range(6, 9):
        await exchange(store, message(f"q{n}", id=n), f"a{n}")

    data = await own(store)
    data = await own(store, most_bytes=HEAD_BYTES + len(json.dumps(data)) + 100)

    assert data["complete"]
    assert [each["text"] for each in data["messages"]] == [f"q{n}" for n in range(8, 0, -1)]
    assert [each["text"] for each in data["answers"]] == ["a8", "a7", "a6", "to all " + "a" * 1_000]
    assert len(data["model_calls"]) == 4


async def test_of_data_too_large_for_a_file_the_newest_stays(store):
    for n in range(1, 6):
        await exchange(store, message(f"q{n} " + "ä" * 500, id=n), f"a{n}")

    data = await own(store, most_bytes=HEAD_BYTES + 6_000)

    assert [each["text"][:2] for each in data["messages"]] == ["q5", "q4"]
    assert [each["text"] for each in data["answers"]] == ["a5", "a4"]
    assert data["model_calls"] == []
    assert not data["complete"]


async def test_of_whom_nothing_is_stored_there_is_nothing(store, talk):
    assert (await export_own(store.archive, 77, at=START, most_bytes=MOST_BYTES)).count == 0

    await store.forget_user(1)

    assert (await export_own(store.archive, 1, at=START, most_bytes=MOST_BYTES)).count == 0


async def test_an_answer_without_words_yet_is_no_part_of_a_conversation(store):
    taken = await take(store, message("Why?", id=1))
    before = await exported(store)
    await write(store, taken, "So.")
    on_its_way = await exported(store)
    await store.stand(taken.answer_id)

    assert [each["text"] for each in before["turns"]] == ["Why?"]
    assert on_its_way == before
    assert [each["text"] for each in (await exported(store))["turns"]] == ["Why?", "So."]
