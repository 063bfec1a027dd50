"""Storing questions and taking them up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.messages import ConversationKey, Interaction, Kind, Remembered, Role
from bot.core.tokens import TokenBudget
from bot.storage.history import TURNS_PER_READ
from bot.storage.questions import MOST_NEIGHBOURS
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import HERE, TOKENS, answer, exchange, history, next_turn, quote, rows, take, wait, write


async def test_a_conversation_is_remembered_turn_by_turn(store):
    await exchange(store, message("How is it going?", id=1), "All good, how may I help you?")

    taken = await take(store, message("Why is the sky blue?", id=2))

    assert [(turn.role, turn.text) for turn in (*taken.history, *taken.questions)] == [
        (Role.USER, "How is it going?"),
        (Role.ASSISTANT, "All good, how may I help you?"),
        (Role.USER, "Why is the sky blue?"),
    ]


async def test_what_is_remembered_is_counted_and_its_newest_turns_are_told(store):
    assert await store.remembered(HERE, newest=3) == Remembered()
    await exchange(store, message("Long ago", id=1), "Yes.")
    await store.reset(HERE)
    await exchange(store, message("How is it going?", id=2), "All good.")
    await exchange(store, message("Why is the sky blue?", id=3), "Because.")
    await take(store, message("And the sea?", id=4))  # not answered yet

    remembered = await store.remembered(HERE, newest=3)

    assert remembered.turns == 4
    assert [turn.text for turn in remembered.newest] == ["All good.", "Why is the sky blue?", "Because."]
    assert [turn.label for turn in remembered.newest] == [None, "Ada", None]


async def test_everything_that_was_received_comes_back_when_it_is_taken_up(store):
    interaction = Interaction(id=77, token="secret", expires_at=START + timedelta(minutes=15))
    asked = message(
        "hello", id=1, kind=Kind.SLASH, raw_text="<b>hello", note="I can't see images.", interaction=interaction
    )

    taken = await take(store, asked)

    (turn,) = taken.questions
    assert taken.conversation.key == asked.key
    assert (taken.conversation.guild_id, taken.conversation.labelled, taken.attempt) == (5, False, 1)
    assert (turn.kind, turn.text, turn.note) == (Kind.SLASH, "hello", "I can't see images.")
    assert (turn.author_id, turn.label, turn.message_id, turn.interaction) == (1, "Ada", 1, interaction)
    assert await rows(store, "SELECT raw_text FROM turns WHERE message_id = 1") == [("<b>hello",)]


async def test_a_message_delivered_twice_is_stored_once_and_changes_nothing(store):
    first = await store.receive(message("hello", id=1), take_up=False, budget=TokenBudget(history_tokens=TOKENS))

    again = await store.receive(
        message("hello", id=1, name="Ada Lovelace"), take_up=True, budget=TokenBudget(history_tokens=TOKENS)
    )

    assert (first.stored, again.stored, again.taken_up) == (True, False, None)
    assert await rows(store, "SELECT text, state FROM turns") == [("hello", "waiting")]
    assert await rows(store, "SELECT label FROM speakers") == [("Ada",)]


async def test_the_waiting_question_with_the_lowest_id_is_next(store):
    await wait(store, message("second", id=2, author=2), message("first", id=1), message("third", id=3))

    taken = await next_turn(store)

    assert [turn.text for turn in taken.questions] == ["first"]


async def test_neighbouring_messages_of_one_author_are_taken_up_together(store):
    await wait(
        store,
        message("one", id=1),
        message("two", id=2),
        message("from bob", id=3, author=2, name="Bob"),
        message("three", id=4),
    )

    first = await next_turn(store)
    await answer(store, first, "to one and two")
    second = await next_turn(store)

    assert [turn.text for turn in first.questions] == ["one", "two"]
    assert first.question.text == "two"
    assert [turn.text for turn in second.questions] == ["from bob"]


@pytest.mark.parametrize("slash_at", [1, 2])
async def test_a_slash_command_is_answered_by_itself(store, slash_at):
    kinds = {slash_at: Kind.SLASH}
    await wait(store, *(message(f"q{n}", id=n, kind=kinds.get(n, Kind.MESSAGE)) for n in (1, 2, 3)))

    taken = await next_turn(store)

    assert [turn.text for turn in taken.questions] == ["q1"]


async def test_a_flood_is_taken_up_in_portions(store):
    await wait(store, *(message(f"q{n}", id=n) for n in range(1, MOST_NEIGHBOURS + 6)))

    first = await next_turn(store)
    await answer(store, first, "so many")
    second = await next_turn(store)

    assert (len(first.questions), len(second.questions)) == (MOST_NEIGHBOURS, 5)


@pytest.mark.parametrize("long", ["the questions", "what they quote"])
async def test_neighbours_that_do_not_fit_together_are_taken_up_one_after_the_other(store, long):
    words = "word " * 300
    for n in (1, 2, 3):
        text, quoted = (words, "q") if long == "the questions" else ("q", words)
        await wait(store, message(text, id=n, reply_to=n + 10, quote=quote(quoted, id=n + 10)))

    first = await next_turn(store, tokens=3000)
    await answer(store, first, "to the first two")
    second = await next_turn(store, tokens=1000)

    assert [turn.message_id for turn in first.questions] == [11, 1, 12, 2]
    assert [turn.message_id for turn in second.questions] == [13, 3]  # one at least


async def test_a_turn_that_waited_behind_a_long_answer_reads_as_if_it_came_after_it(store):
    long = await take(store, message("tell me a story", id=1))
    await wait(store, message("and another", id=2))
    await answer(store, long, "once upon a time")

    taken = await next_turn(store)

    assert [turn.text for turn in taken.history] == ["tell me a story", "once upon a time"]
    assert [turn.text for turn in taken.questions] == ["and another"]


async def test_nothing_waits_in_an_idle_or_unknown_conversation(store):
    await exchange(store, message("hello", id=1), "hi")

    assert await next_turn(store) is None
    assert await next_turn(store, ConversationKey(channel_id=999)) is None


async def test_unfinished_conversations_are_found_longest_waiting_first(store):
    await exchange(store, message("done", id=1, channel=1), "hi")
    await wait(store, message("waits", id=9, channel=2), message("waits longer", id=5, channel=3))
    await take(store, message("half answered", id=7, key=ConversationKey(channel_id=4, private_to=1)))

    assert await store.unfinished() == [
        ConversationKey(channel_id=3),
        ConversationKey(channel_id=4, private_to=1),
        ConversationKey(channel_id=2),
    ]


async def test_channels_threads_and_private_conversations_know_nothing_of_each_other(store):
    await exchange(store, message("in the channel", id=1), "a")
    await exchange(store, message("in private", id=2, key=ConversationKey(channel_id=10, private_to=1)), "b")
    await exchange(store, message("in a thread", id=3, channel=11, parent_id=10), "c")

    assert await history(store, message("?", id=4)) == ["in the channel", "a"]
    private = await take(store, message("?", id=5, key=ConversationKey(channel_id=10, private_to=1)))
    assert [turn.text for turn in private.history] == ["in private", "b"]


async def test_a_reset_begins_anew(store):
    await exchange(store, message("before", id=1), "a")
    await take(store, message("under way", id=2))
    await wait(store, message("waits", id=3))

    await store.reset(HERE)
    under_way = await next_turn(store)
    await answer(store, under_way, "answer to before the reset")
    after = await next_turn(store)

    assert [turn.text for turn in under_way.questions] == ["under way"]
    assert ([turn.text for turn in after.history], after.question.text) == ([], "waits")


async def test_resetting_where_nobody_spoke_does_nothing(store):
    await store.reset(ConversationKey(channel_id=999))

    assert await rows(store, "SELECT * FROM conversations") == []


class TestHistory:
    async def test_it_goes_on_beyond_one_read(self, store):
        count = TURNS_PER_READ // 2 + 3
        for n in range(1, count + 1):
            await exchange(store, message(f"q{n}", id=n), f"a{n}")

        texts = await history(store, message("?", id=count + 1))

        assert texts == [text for n in range(1, count + 1) for text in (f"q{n}", f"a{n}")]

    async def test_it_leaves_out_what_failed_and_notices_and_empty_turns(self, store):
        failed = await take(store, message("fails", id=1))
        await store.write_notice(failed.answer_id, shown="The model is busy.", code="model_busy")
        await store.stand(failed.answer_id)
        greeted = await take(store, message("", id=2))
        await store.write_notice(greeted.answer_id, shown="Hi! Ask me anything.", code="told")
        await store.stand(greeted.answer_id)
        lost = await take(store, message("cannot be answered there", id=3))
        await write(store, lost, "never seen")
        await store.undeliverable(lost.answer_id, code="undeliverable")
        await exchange(store, message("works", id=4), "yes")

        assert await history(store, message("?", id=5)) == ["works", "yes"]


class TestLabels:
    async def test_a_conversation_is_labelled_from_the_second_speaker_on(self, store):
        alone = await exchange(store, message("I'm Ada", id=1), "hi")

        both = await exchange(store, message("I'm Bob", id=2, author=2, name="Bob"), "hi")
        later = await take(store, message("again", id=3))

        assert [taken.conversation.labelled for taken in (alone, both, later)] == [False, True, True]
        assert [turn.label for turn in later.history if turn.role is Role.USER] == ["Ada", "Bob"]

    async def test_somebody_who_only_waits_has_not_spoken_yet(self, store):
        await wait(store, message("a", id=1), message("b", id=2, author=2, name="Bob"))

        first = await next_turn(store)
        await answer(store, first, "hi")
        second = await next_turn(store)

        assert (first.conversation.labelled, second.conversation.labelled) == (False, True)

    async def test_whoever_is_quoted_has_spoken(self, store):
        taken = await take(store, message("what does he mean?", id=1, reply_to=5, quote=quote("42", id=5)))

        assert taken.conversation.labelled
        assert [turn.label for turn in taken.questions] == ["Bob", "Ada"]

    async def test_quoting_oneself_is_speaking_alone(self, store):
        mine = quote("42", id=5, author=1, name="Ada")

        taken = await take(store, message("what did I mean?", id=1, reply_to=5, quote=mine))

        assert not taken.conversation.labelled

    async def test_a_reset_forgets_the_speakers_but_those_who_wait(self, store):
        await exchange(store, message("a", id=1), "hi")
        await exchange(store, message("b", id=2, author=2, name="Bob"), "hi")
        await take(store, message("under way", id=3))
        await wait(store, message("waits", id=4, author=3, name="Cy"))

        await store.reset(HERE)

        assert await rows(store, "SELECT label FROM speakers") == [("Cy",)]
        assert await rows(store, "SELECT labelled FROM conversations") == [(False,)]

    async def test_whoever_spoke_before_a_reset_alone_has_not_spoken_since_whatever_was_reset_elsewhere(
        self, store
    ):
        await exchange(store, message("elsewhere", id=1, channel=11), "hi")
        await exchange(store, message("b", id=2, author=2, name="Bob"), "hi")
        await take(store, message("under way", id=3))
        await wait(store, message("waits", id=4, author=2, name="Bob"))
        await store.reset(HERE)
        await answer(store, await next_turn(store), "hi")  # what was under way
        await store.erase_messages([4])

        taken = await take(store, message("again", id=5))

        assert not taken.conversation.labelled

    async def test_equal_names_get_a_suffix_that_stays(self, store):
        await wait(store, message("a", id=1, author=111_111), message("b", id=2, author=222_222))
        await wait(store, message("c", id=3, author=222_222))

        labels = await rows(store, "SELECT label FROM turns ORDER BY message_id")

        assert labels == [("Ada",), ("Ada 2222",), ("Ada 2222",)]

    async def test_names_that_look_alike_are_equal(self, store):
        await wait(store, message("a", id=1, name="Straße_%"), message("b", id=2, author=2_222, name="STRASSE_%"))

        assert await rows(store, "SELECT label FROM turns ORDER BY message_id") == [
            ("Straße_%",), ("STRASSE_% 2222",),
        ]  # fmt: skip

    async def test_a_speaker_keeps_the_label_after_a_new_name_and_nobody_takes_the_old_one_over(self, store):
        await wait(store, message("a", id=1), message("b", id=2, name="Countess"))
        await wait(store, message("c", id=3, author=2, name="Ada"))

        labels = [label for (label,) in await rows(store, "SELECT label FROM turns ORDER BY message_id")]

        assert labels[:2] == ["Ada", "Ada"]
        assert labels[2] != "Ada"

    async def test_a_quote_comes_right_before_the_question_that_brought_it(self, store):
        await wait(
            store,
            message("first", id=10),
            message("second", id=11, reply_to=5, quote=quote("the quoted", id=5)),
            message("third", id=12, reply_to=10),
        )

        taken = await next_turn(store)
        await answer(store, taken, "all three")

        assert [(turn.kind, turn.text) for turn in taken.questions] == [
            (Kind.MESSAGE, "first"),
            (Kind.QUOTE, "the quoted"),
            (Kind.MESSAGE, "second"),
            (Kind.MESSAGE, "third"),
        ]
        assert await history(store, message("?", id=13)) == ["first", "the quoted", "second", "third", "all three"]

    async def test_one_message_may_be_quoted_often_and_be_a_question_too(self, store):
        await exchange(store, message("the quoted", id=5), "hm")
        for n in (6, 7):
            await exchange(store, message("", id=n, reply_to=5, quote=quote("the quoted", id=5)), "hm")

        assert await rows(store, "SELECT kind FROM turns WHERE message_id = 5 ORDER BY id") == [
            ("message",), ("quote",), ("quote",),
        ]  # fmt: skip

    async def test_a_repeated_message_brings_its_quote_once(self, store):
        asked = message("re", id=6, reply_to=5, quote=quote("the quoted", id=5))

        await wait(store, asked, asked)

        assert await rows(store, "SELECT count(*) FROM turns") == [(2,)]


class TestLeftovers:
    async def test_what_was_left_half_answered_comes_first_and_counts_its_attempts(self, store):
        before = await exchange(store, message("before", id=1), "a")
        left = await take(store, message("left", id=5, reply_to=4, quote=quote("quoted", id=4)))
        await wait(store, message("older but waiting", id=3))

        again = await next_turn(store)

        assert again == replace(left, attempt=2, tries=2)
        assert (await next_turn(store)).attempt == 3
        assert before.attempt == 1

    async def test_a_new_message_finds_what_was_left_first(self, store):
        left = await take(store, message("left", id=1))

        taken = await take(store, message("new", id=2))

        assert taken.answer_id == left.answer_id
        assert [turn.text for turn in taken.questions] == ["left"]

    async def test_a_stored_text_is_not_asked_for_again(self, store):
        left = await take(store, message("left", id=1))
        await store.write_notice(left.answer_id, shown="The model is busy.", code="model_busy")

        assert (await next_turn(store)).written == "The model is busy."

    async def test_a_withdrawn_answer_gives_its_questions_back_with_a_new_attempt(self, store):
        first = await take(store, message("one", id=1))
        await store.withdraw(first.answer_id)
        await wait(store, message("two", id=2))

        second = await next_turn(store)

        assert [turn.text for turn in second.questions] == ["one", "two"]
        assert (second.attempt, second.tries, second.answer_id != first.answer_id) == (2, 1, True)
        assert [turn.position for turn in second.questions] == [3, 4]
