"""What is deleted in Discord, or to be forgotten, leaves the history and the disk."""

import asyncio
import random
import sqlite3
from datetime import timedelta

import pytest

from bot.core.errors import Withdrawn
from bot.core.messages import ConversationKey, Edit, Erased, Interaction, Kind
from bot.core.rights import Forgotten, Share
from bot.core.tokens import TokenBudget
from bot.storage.turns import open_store
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import (
    HERE,
    answer,
    call,
    exchange,
    history,
    next_turn,
    part,
    quote,
    rows,
    state_of,
    take,
    wait,
    write,
)


async def slash(store, text, *, id):  # noqa: A002 - reads as the message's id
    interaction = Interaction(id=id, token="secret", expires_at=START)
    return await take(store, message(text, id=id, kind=Kind.SLASH, interaction=interaction))


class TestDeletedQuestions:
    async def test_a_deleted_question_leaves_the_history_with_its_answer(self, store):
        await exchange(store, message("stays", id=1), "stays too")
        await exchange(store, message("goes", id=2), "goes too", posted=[70])

        erased = await store.erase_messages([2])

        assert erased == Erased(turns=2)
        assert await history(store, message("?", id=3)) == ["stays", "stays too"]

    async def test_only_a_tombstone_remains_of_it(self, store):
        taken = await slash(store, "goes", id=2)
        await answer(store, taken, "goes too", posted=[70])

        await store.erase_messages([2])

        assert await rows(
            store,
            "SELECT kind, state, text, raw_text, label, author_id, note, interaction_id, interaction_token,"
            " answered_by, position FROM turns",
        ) == [("slash", "withdrawn", "", "", None, None, None, None, None, None, None)]
        assert await rows(store, "SELECT * FROM parts") == []

    async def test_a_deleted_question_delivered_again_stays_deleted(self, store):
        await exchange(store, message("goes", id=2), "goes too")
        await store.erase_messages([2])

        received = await store.receive(message("goes", id=2), take_up=True, budget=TokenBudget(history_tokens=100))

        assert (received.stored, received.taken_up) == (False, None)

    async def test_what_the_answer_cost_stays_known(self, store):
        await exchange(store, message("goes", id=2), "goes too")

        await store.erase_messages([2])

        assert await rows(store, "SELECT turn_id, input_tokens FROM model_calls") == [(None, 12)]

    async def test_a_waiting_question_is_not_asked(self, store):
        await wait(store, message("goes", id=1), message("stays", id=2))

        await store.erase_messages([1])

        assert [turn.text for turn in (await next_turn(store)).questions] == ["stays"]

    async def test_answers_whose_prompts_may_hold_what_is_gone_are_named(self, store):
        await exchange(store, message("goes", id=1), "goes too")
        drafting = await take(store, message("stays", id=2))
        await take(store, message("beside another", id=3, channel=11))

        erased = await store.erase_messages([1])

        assert erased == Erased(turns=2, beside=(drafting.answer_id,))

    async def test_an_unfinished_answer_is_named_and_keeps_what_finds_its_drafts(self, store):
        taken = await take(store, message("goes", id=1))
        await store.add_part(taken.answer_id, attempt=1, part=part())
        await store.part_posted(taken.answer_id, n=0, message_id=70)
        await write(store, taken, "goes too")

        erased = await store.erase_messages([1])

        assert erased == Erased(turns=2, answers=(taken.answer_id,))
        assert await rows(store, "SELECT state, text FROM turns WHERE kind = 'answer'") == [("withdrawn", "")]
        assert await rows(store, "SELECT message_id, text FROM parts") == [(70, "")]
        assert await store.unfinished() == []

    async def test_its_siblings_are_asked_again(self, store):
        await wait(
            store,
            message("goes", id=1),
            message("stays", id=3, reply_to=2, quote=quote("quoted", id=2)),
        )
        taken = await next_turn(store)
        await store.erase_messages([1])
        await store.withdraw(taken.answer_id)

        again = await next_turn(store)

        assert [turn.text for turn in again.questions] == ["quoted", "stays"]
        assert (again.attempt, again.tries) == (2, 1)

    async def test_siblings_under_a_finished_answer_stay_answered(self, store):
        await wait(store, message("goes", id=1), message("stays", id=2))
        await answer(store, await next_turn(store), "to both")

        await store.erase_messages([1])

        assert await history(store, message("?", id=3)) == ["stays"]

    async def test_bulk_deletion_reaches_questions_and_answers_in_one(self, store):
        for n in range(1, 601):
            await wait(store, message(f"q{n}", id=n, channel=n))
        await exchange(store, message("q", id=1001), "a", posted=[2001, 2002])

        erased = await store.erase_messages([*range(1, 601), 1001, 2001, 2002, 9999])

        assert erased == Erased(turns=602)
        assert await rows(store, "SELECT count(*) FROM turns WHERE text <> ''") == [(0,)]

    async def test_deleting_what_was_never_stored_does_nothing(self, store):
        await exchange(store, message("stays", id=1), "stays too")

        assert await store.erase_messages([5, 6]) == Erased(turns=0)
        assert await store.erase_messages([]) == Erased(turns=0)


class TestQuotes:
    async def test_a_deleted_message_goes_wherever_it_was_quoted(self, store):
        await exchange(store, message("original", id=5, author=2, name="Bob"), "hm")
        await store.reset(HERE)
        await exchange(store, message("re", id=6, reply_to=5, quote=quote("original", id=5)), "hm too")

        erased = await store.erase_messages([5])

        assert erased.turns == 3
        assert await history(store, message("?", id=7)) == ["re", "hm too"]

    async def test_an_erased_answer_goes_wherever_it_was_quoted(self, store):
        await exchange(store, message("my secret", id=1), "your secret", posted=[50])
        await exchange(
            store, message("", id=6, author=3, name="Eve", reply_to=50, quote=quote("your secret", id=50)), "hm"
        )

        await store.erase_messages([1])

        assert await rows(store, "SELECT count(*) FROM turns WHERE text LIKE '%secret%'") == [(0,)]

    async def test_a_quote_goes_with_its_question(self, store):
        await exchange(store, message("re", id=6, reply_to=5, quote=quote("quoted", id=5)), "hm")

        erased = await store.erase_messages([6])

        assert erased.turns == 3
        assert await rows(store, "SELECT kind, state FROM turns") == [("message", "withdrawn")]


class TestDeletedAnswers:
    async def test_an_answer_of_which_a_message_is_deleted_goes_and_its_question_stays(self, store):
        await exchange(store, message("question", id=1), "answer", posted=[70, 71])

        erased = await store.erase_messages([71])

        assert erased == Erased(turns=1)
        assert await history(store, message("?", id=2)) == ["question"]

    async def test_a_slash_question_goes_with_the_message_that_showed_it(self, store):
        taken = await slash(store, "question", id=1)
        await answer(store, taken, "answer", posted=[70])

        erased = await store.erase_messages([70])

        assert erased == Erased(turns=2)
        assert await state_of(store, 1) == ("withdrawn", None)

    async def test_a_deleted_draft_ends_its_turn(self, store):
        taken = await take(store, message("question", id=1))
        await store.add_part(taken.answer_id, attempt=1, part=part())
        await store.part_posted(taken.answer_id, n=0, message_id=70)

        erased = await store.erase_messages([70])

        assert erased == Erased(turns=1, answers=(taken.answer_id,))
        assert await state_of(store, 1) == ("failed", "draft_deleted")
        await store.withdraw(taken.answer_id)
        assert await next_turn(store) is None

    @pytest.mark.parametrize("told", ["part_deleting", "part_deleted"])
    async def test_a_part_that_we_deleted_ourselves_deletes_no_answer(self, store, told):
        taken = await take(store, message("question", id=1))
        for n in (0, 1):
            await store.add_part(taken.answer_id, attempt=1, part=part(n))
            await store.part_posted(taken.answer_id, n=n, message_id=70 + n)
        await getattr(store, told)(taken.answer_id, n=1)

        assert await store.erase_messages([71]) == Erased(turns=0)
        await write(store, taken, "answer")


class TestSpeakers:
    async def test_whoever_has_nothing_left_is_forgotten_by_name(self, store):
        await exchange(store, message("a", id=1), "hi")
        await exchange(store, message("b", id=2, author=2, name="Bob"), "hi")
        await exchange(store, message("c", id=3, author=2, name="Bob"), "hi")

        await store.erase_messages([2])
        one_left = await rows(store, "SELECT label FROM speakers ORDER BY label")
        await store.erase_messages([3])

        assert one_left == [("Ada",), ("Bob",)]
        assert await rows(store, "SELECT label FROM speakers") == [("Ada",)]


class TestEdits:
    async def test_the_newest_wording_is_history(self, store):
        await exchange(store, message("old", id=1), "answer")

        await store.edit(Edit(message_id=1, text="new", raw_text="raw new", note=None, edited_at=START))

        assert await history(store, message("?", id=2)) == ["new", "answer"]
        assert await rows(store, "SELECT raw_text FROM turns WHERE id = 1") == [("raw new",)]

    async def test_what_could_not_be_read_of_it_may_be_gone(self, store):
        await wait(store, message("look", id=1, note="I can't open files yet."))

        await store.edit(Edit(message_id=1, text="look", raw_text="look", note=None, edited_at=START))

        assert (await next_turn(store)).question.note is None

    async def test_an_edit_that_arrives_late_changes_nothing(self, store):
        await wait(store, message("old", id=1))
        await store.edit(
            Edit(message_id=1, text="newest", raw_text="newest", note=None, edited_at=START + timedelta(seconds=2))
        )

        await store.edit(
            Edit(message_id=1, text="newer", raw_text="newer", note=None, edited_at=START + timedelta(seconds=1))
        )

        assert (await next_turn(store)).question.text == "newest"

    async def test_the_answers_whose_prompt_it_may_concern_are_known(self, store):
        await exchange(store, message("before", id=1), "answer")
        taken = await take(store, message("old", id=2))
        elsewhere = await take(store, message("there", id=3, channel=11))
        new = {"text": "new", "raw_text": "new", "note": None, "edited_at": START}

        concerned = [await store.edit(Edit(message_id=edited, **new)) for edited in (1, 2, 3, 4, 2)]
        await write(store, taken, "words")
        after = await store.edit(Edit(message_id=2, text="newer", raw_text="newer", note=None, edited_at=START))

        assert concerned == [(taken.answer_id,), (taken.answer_id,), (elsewhere.answer_id,), (), ()]
        assert after == ()

    async def test_an_answer_begun_anew_is_taken_up_in_the_new_wording_and_that_is_no_failure(self, store):
        taken = await take(store, message("old", id=1))
        await store.edit(Edit(message_id=1, text="new", raw_text="new", note=None, edited_at=START))

        await store.begin_anew(taken.answer_id)

        again = await next_turn(store)
        assert (again.answer_id, again.question.text) == (taken.answer_id, "new")
        assert (again.attempt, again.tries) == (2, 1)

    async def test_an_answer_that_was_withdrawn_is_not_begun_anew(self, store):
        taken = await take(store, message("old", id=1))
        await store.erase_messages([1])

        with pytest.raises(Withdrawn):
            await store.begin_anew(taken.answer_id)

    async def test_quotes_of_it_change_too(self, store):
        await wait(store, message("re", id=6, reply_to=5, quote=quote("old", id=5)))

        await store.edit(Edit(message_id=5, text="new", raw_text="new", note=None, edited_at=START))

        assert [turn.text for turn in (await next_turn(store)).questions] == ["new", "re"]

    async def test_a_deleted_message_does_not_come_back_by_an_edit(self, store):
        await wait(store, message("goes", id=1))
        await store.erase_messages([1])

        await store.edit(Edit(message_id=1, text="back", raw_text="back", note=None, edited_at=START))

        assert await rows(store, "SELECT text, raw_text FROM turns") == [("", "")]


class TestWholePlaces:
    @pytest.fixture
    async def places(self, store):
        """A channel, a thread in it, another channel of the guild, and another guild."""
        await exchange(store, message("channel", id=1), "a")
        await exchange(store, message("private", id=2, key=ConversationKey(channel_id=10, private_to=1)), "b")
        thread = await take(store, message("thread", id=3, channel=11, parent_id=10))
        await exchange(store, message("other channel", id=4, channel=20), "c")
        await exchange(store, message("other guild", id=5, channel=30, guild_id=6), "d")
        return thread

    async def test_a_deleted_channel_goes_with_its_threads(self, store, places):
        erased = await store.erase_channel(10)

        assert erased == Erased(turns=6, answers=(places.answer_id,))
        assert await rows(store, "SELECT channel_id FROM conversations ORDER BY 1") == [(20,), (30,)]
        assert await rows(store, "SELECT text FROM turns WHERE role = 'user' ORDER BY id") == [
            ("other channel",), ("other guild",),
        ]  # fmt: skip
        assert await rows(store, "SELECT count(*), count(turn_id) FROM model_calls") == [(4, 2)]
        with pytest.raises(Withdrawn):
            await write(store, places, "too late")

    async def test_a_thread_goes_alone(self, store, places):
        assert await store.erase_channel(11) == Erased(turns=2, answers=(places.answer_id,))

    async def test_a_guild_goes_whole(self, store, places):
        erased = await store.erase_guild(5)

        assert erased == Erased(turns=8, answers=(places.answer_id,))
        assert await rows(store, "SELECT guild_id FROM conversations") == [(6,)]
        assert await rows(store, "SELECT DISTINCT conversation_id FROM speakers") == await rows(
            store, "SELECT id FROM conversations"
        )


class TestForgetting:
    async def test_a_person_is_forgotten_everywhere(self, store):
        await exchange(store, message("from ada", id=1), "to ada")
        await exchange(store, message("from bob", id=2, author=2, name="Bob"), "to bob")
        await exchange(
            store,
            message("bob on ada", id=3, author=2, name="Bob", reply_to=9,
                    quote=quote("from ada", id=9, author=1, name="Ada")),
            "to both",
        )  # fmt: skip
        await exchange(store, message("private", id=4, key=ConversationKey(channel_id=10, private_to=1)), "x")
        under_way = await take(store, message("elsewhere", id=5, channel=20))

        forgotten = await store.forget_user(1)

        assert forgotten.erased == Erased(turns=7, answers=(under_way.answer_id,))
        assert forgotten.share == Share(messages=4, answers=3, records=2)
        assert await rows(store, "SELECT text FROM turns WHERE text <> '' ORDER BY id") == [
            ("from bob",), ("to bob",), ("bob on ada",), ("to both",),
        ]  # fmt: skip
        assert await rows(store, "SELECT label FROM speakers") == [("Bob",)]
        assert await rows(store, "SELECT count(*) FROM turns WHERE author_id = 1 OR label = 'Ada'") == [(0,)]
        assert await rows(store, "SELECT author_id, count(*) FROM model_calls GROUP BY 1 ORDER BY 2") == [
            (None, 2), (2, 2),
        ]  # fmt: skip

    async def test_forgetting_a_stranger_does_nothing(self, store):
        await exchange(store, message("from ada", id=1), "to ada")

        assert await store.forget_user(99) == Forgotten(share=Share(), erased=Erased(turns=0))
        assert await store.share_of(99) == Share()


class TestOnTheDisk:
    """SQLite alone: PostgreSQL's own VACUUM removes what was erased."""

    SECRET = "xylophone-quartz"

    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "bot.db"

    @pytest.fixture
    async def store(self, path):
        async with open_store(f"sqlite:///{path}") as store:
            yield store

    def found(self, path):
        """Whether a file of the database holds the secret."""
        return [file.name for file in path.parent.iterdir() if self.SECRET.encode() in file.read_bytes()]

    async def fill(self, store):
        """Turns of many sizes, so that pages split, overflow and are put in order."""
        sizes = random.Random(7)
        for n in range(1, 121):
            text = f"{self.SECRET} " * sizes.choice([1, 1, 3, 40, 400])
            asked = message(text, id=n, channel=10 + n % 3, author=1 + n % 2, name=self.SECRET)
            await exchange(store, asked, text, posted=[1000 + n])
            if n % 3 == 0:
                await store.edit(Edit(message_id=n, text=text * 2, raw_text=text, note=None, edited_at=START))

    @pytest.mark.parametrize("way", ["messages", "channel", "guild", "user", "user here"])
    async def test_erased_text_is_in_no_file_of_the_database(self, store, path, way):
        await self.fill(store)
        assert self.found(path)

        if way == "messages":
            await store.erase_messages(range(1, 121))
        elif way == "channel":
            await asyncio.gather(*(store.erase_channel(channel) for channel in (10, 11, 12)))
        elif way == "guild":
            await store.erase_guild(5)
        else:
            for channel in (10, 11, 12) if way == "user here" else (None,):
                await store.forget_user(1, channel_id=channel)
                await store.forget_user(2, channel_id=channel)

        assert self.found(path) == []

    async def test_an_edited_wording_is_in_no_file_of_the_database(self, store, path):
        await wait(store, message(self.SECRET, id=1))

        await store.edit(Edit(message_id=1, text="harmless", raw_text="harmless", note=None, edited_at=START))

        assert self.found(path) == []

    async def test_a_withdrawn_answer_is_in_no_file_of_the_database(self, store, path):
        taken = await take(store, message("question", id=1))
        await write(store, taken, self.SECRET)

        await store.withdraw(taken.answer_id)

        assert self.found(path) == []

    async def test_a_deletion_that_concerns_nobody_costs_no_checkpoint(self, store, path):
        await exchange(store, message("question", id=1), "answer")
        before = path.with_name("bot.db-wal").stat().st_size

        await store.erase_messages([99])

        assert 0 < before <= path.with_name("bot.db-wal").stat().st_size

    async def test_what_a_reader_kept_in_the_wal_goes_with_the_next_unit_of_work(self, store, path, caplog):
        await wait(store, message(self.SECRET, id=1))
        reader = sqlite3.connect(path)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM turns").fetchall()
        await store.erase_messages([1])
        kept = self.found(path)
        reader.close()

        await store.read_fact("anything")

        assert (kept, self.found(path)) == (["bot.db-wal"], [])
        assert "stays on the disk" in caplog.text


async def test_costs_are_never_erased(store):
    taken = await exchange(store, message("question", id=1), "answer")
    await store.record_call(call(taken, outcome="model_busy"))

    await store.erase_guild(5)

    assert await rows(store, "SELECT count(*) FROM model_calls") == [(2,)]
