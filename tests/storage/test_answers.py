"""An answer on its way: text, parts, end, cost."""

from dataclasses import replace

import pytest

from bot.core.completions import Usage
from bot.core.errors import Withdrawn
from bot.core.fingerprints import bears
from bot.core.messages import ConversationKey, Interaction, Kind, Outcome
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import HERE, answer, call, history, next_turn, part, rows, state_of, take, write


async def test_the_history_gets_the_text_and_the_channel_what_is_shown(store):
    taken = await take(store, message("question", id=1))

    await store.write_answer(
        taken.answer_id, text="half a", shown="half a\n-# cut off", outcome=Outcome.CUT_OFF, call=call(taken)
    )

    assert (await next_turn(store)).written == "half a\n-# cut off"
    await store.stand(taken.answer_id)
    assert await history(store, message("?", id=2)) == ["question", "half a"]


async def test_an_answer_that_stands_has_answered_its_questions(store):
    taken = await take(store, message("question", id=1))

    await answer(store, taken, "answer")
    await store.stand(taken.answer_id)

    assert await state_of(store, 1) == ("answered", None)
    assert await rows(store, "SELECT state, outcome FROM turns WHERE kind = 'answer'") == [
        ("standing", "complete"),
    ]


@pytest.mark.parametrize(
    ("code", "state"), [("told", ("answered", None)), ("model_busy", ("failed", "model_busy"))]
)
async def test_a_notice_answers_only_when_it_is_all_there_is_to_say(store, code, state):
    taken = await take(store, message("question", id=1))

    await store.write_notice(taken.answer_id, shown="a sentence", code=code)
    await store.stand(taken.answer_id)

    assert await state_of(store, 1) == state


async def test_take_ups_that_were_no_fault_of_an_answer_count_no_more(store):
    taken = await take(store, message("question", id=1))
    await write(store, taken, "answer")
    again = await next_turn(store)

    await store.count_anew(taken.answer_id)

    anew = await next_turn(store)
    assert (again.attempt, again.tries, anew.attempt, anew.tries) == (2, 2, 3, 1)
    await store.withdraw(taken.answer_id)
    assert (await next_turn(store)).tries == 1


@pytest.mark.parametrize(("reader", "is_told"), [(7, True), (0, False)])
async def test_that_an_answer_came_too_late_is_told_to_its_only_reader_with_the_next(store, reader, is_told):
    key = ConversationKey(channel_id=10, private_to=reader)
    late = await take(store, message("question", id=1, key=key))
    await store.undeliverable(late.answer_id, code="undeliverable")

    following = await take(store, message("and?", id=2, key=key))
    again = await next_turn(store, key)
    await answer(store, following, "answer")
    last = await take(store, message("?", id=3, key=key))

    assert [taken.missed_answer for taken in (late, following, again, last)] == [False, is_told, is_told, False]
    assert following.history == ()


async def test_what_came_too_late_before_a_reset_is_told_no_more(store):
    key = ConversationKey(channel_id=10, private_to=7)
    late = await take(store, message("question", id=1, key=key))
    await store.undeliverable(late.answer_id, code="undeliverable")
    await store.reset(key)

    assert not (await take(store, message("and?", id=2, key=key))).missed_answer


async def test_what_discord_does_not_take_fails_its_question(store):
    taken = await take(store, message("question", id=1))
    await write(store, taken, "answer")

    await store.undeliverable(taken.answer_id, code="no_permission")

    assert await state_of(store, 1) == ("failed", "no_permission")
    assert await next_turn(store) is None


async def test_nothing_stands_before_its_text_is_stored(store):
    taken = await take(store, message("question", id=1))

    await store.stand(taken.answer_id)

    assert await state_of(store, 1) == ("answering", None)


@pytest.mark.parametrize(
    "end",
    [
        lambda store, answer_id: store.stand(answer_id),
        lambda store, answer_id: store.undeliverable(answer_id, code="gone"),
    ],
    ids=["stands", "undeliverable"],
)
async def test_the_interaction_token_is_kept_no_longer_than_needed(store, end):
    interaction = Interaction(id=77, token="secret", expires_at=START)
    taken = await take(store, message("hello", id=1, kind=Kind.SLASH, interaction=interaction))
    await write(store, taken, "answer")

    await end(store, taken.answer_id)

    assert await rows(store, "SELECT interaction_token FROM turns WHERE kind = 'slash'") == [(None,)]


class TestParts:
    async def test_the_next_attempt_finds_what_is_in_the_channel(self, store):
        taken = await take(store, message("question", id=1))
        parts = [part(0, text="first"), part(1, text="second"), part(2, text="third")]
        for each in parts:
            await store.add_part(taken.answer_id, attempt=1, part=each)
        await store.part_posted(taken.answer_id, n=0, message_id=70)
        await store.part_deleted(taken.answer_id, n=1)

        again = await next_turn(store)

        assert again.parts == (
            replace(parts[0], message_id=70, first_tried_at=START),
            replace(parts[2], first_tried_at=START),
        )

    async def test_a_part_that_may_be_in_the_channel_keeps_its_nonce(self, store):
        taken = await take(store, message("question", id=1))
        await store.add_part(taken.answer_id, attempt=1, part=part(nonce="first"))

        await store.add_part(taken.answer_id, attempt=2, part=part(nonce="second"))

        assert [each.nonce for each in (await next_turn(store)).parts] == ["first"]

    async def test_a_deleted_part_can_be_posted_anew(self, store, clock):
        taken = await take(store, message("question", id=1))
        await store.add_part(taken.answer_id, attempt=1, part=part(nonce="first"))
        await store.part_posted(taken.answer_id, n=0, message_id=70)
        await store.part_deleted(taken.answer_id, n=0)

        await store.add_part(taken.answer_id, attempt=2, part=part(nonce="second", text="anew"))

        assert (await next_turn(store)).parts == (
            replace(part(nonce="second", text="anew"), first_tried_at=START),
        )
        assert await rows(store, "SELECT attempt, state FROM parts") == [(2, "pending")]


class TestSurplusParts:
    async def surplus(self, store):
        return [(each.answer_id, each.part.n, each.part.message_id) for each in await store.surplus()]

    async def shown(self, store, *, key=HERE):
        """A question with one part in the channel, one on its way there, and one that is gone."""
        taken = await take(store, message("question", id=1, key=key))
        for n in (0, 1, 2):
            await store.add_part(taken.answer_id, attempt=1, part=part(n))
        await store.part_posted(taken.answer_id, n=0, message_id=70)
        await store.part_deleted(taken.answer_id, n=2)
        return taken.answer_id

    @pytest.mark.parametrize("how", ["erased", "withdrawn"])
    async def test_what_is_shown_of_a_withdrawn_answer_is_known_until_it_is_gone(self, store, how):
        answer_id = await self.shown(store)

        await (store.erase_messages([1]) if how == "erased" else store.withdraw(answer_id))
        await store.part_posted(answer_id, n=1, message_id=71)  # the request had gone out

        assert await self.surplus(store) == [(answer_id, 1, 71), (answer_id, 0, 70)]
        await store.withdraw(answer_id)
        for n in (1, 0):
            assert await rows(store, "SELECT count(*) FROM turns WHERE role = 'assistant'") == [(1,)]
            await store.part_deleted(answer_id, n=n)
        assert await self.surplus(store) == []
        assert await rows(store, "SELECT count(*) FROM turns WHERE role = 'assistant'") == [(0,)]

    async def test_of_an_erased_part_whose_message_is_not_known_a_fingerprint_is_kept(self, store):
        answer_id = await self.shown(store)

        await store.erase_messages([1])
        await store.withdraw(answer_id)

        erased, known = await store.surplus()
        assert (erased.part.text, known.part.text) == ("", "")
        assert bears("words and more", erased.fingerprint, salt="nonce-1")
        assert not bears("wordy", erased.fingerprint, salt="nonce-1")
        assert known.fingerprint is None

    async def test_a_part_too_many_is_known_until_it_is_gone(self, store):
        answer_id = await self.shown(store)

        await store.part_deleting(answer_id, n=1)

        (part,) = await store.surplus()
        assert (part.part.n, part.part.first_tried_at, part.private) == (1, START, False)

    async def test_a_part_too_many_is_told_with_the_message_of_the_part_before(self, store):
        answer_id = await self.shown(store)

        for n in (1, 0):
            await store.part_deleting(answer_id, n=n)

        assert [(each.attempt, each.part.n, each.behind) for each in await store.surplus()] == [
            (1, 1, 70),
            (1, 0, None),
        ]

    async def test_a_part_on_its_way_into_a_channel_is_known_until_its_message_is_or_its_turn_ends(self, store):
        before = await store.posting_in(10)
        answer_id = await self.shown(store)
        on_its_way = [await store.posting_in(channel_id) for channel_id in (10, 11)]
        await store.part_posted(answer_id, n=1, message_id=71)
        posted = await store.posting_in(10)
        await store.add_part(answer_id, attempt=1, part=part(3))
        await store.undeliverable(answer_id, code="gone")

        assert (before, on_its_way, posted, await store.posting_in(10)) == (False, [True, False], False, False)

    async def test_a_part_that_only_one_person_sees_is_known_as_such(self, store):
        answer_id = await self.shown(store, key=ConversationKey(channel_id=10, private_to=1))

        await store.part_deleting(answer_id, n=0)

        (part,) = await store.surplus()
        assert part.private


class TestWithdrawn:
    @pytest.fixture
    async def withdrawn(self, store):
        taken = await take(store, message("question", id=1))
        await store.erase_messages([1])
        return taken

    async def test_nothing_is_written_to_a_withdrawn_answer(self, store, withdrawn):
        with pytest.raises(Withdrawn):
            await store.write_notice(withdrawn.answer_id, shown="x", code="model_busy")
        with pytest.raises(Withdrawn):
            await store.add_part(withdrawn.answer_id, attempt=1, part=part())
        with pytest.raises(Withdrawn):
            await store.stand(withdrawn.answer_id)
        await store.undeliverable(withdrawn.answer_id, code="gone")

        assert await rows(store, "SELECT state, text FROM turns") == [("withdrawn", ""), ("withdrawn", "")]

    async def test_its_row_can_be_let_go_of_unless_it_is_in_the_channel_or_not_withdrawn(self, store, withdrawn):
        shown = await take(store, message("question", id=2, channel=20))
        await store.add_part(shown.answer_id, attempt=1, part=part(channel=20))
        await store.erase_messages([2])
        drafting = await take(store, message("question", id=3, channel=30))
        await store.forget_withdrawn([each.answer_id for each in (withdrawn, shown, drafting)])

        left = await rows(store, "SELECT id, state FROM turns WHERE kind = 'answer' ORDER BY id")
        assert left == [(shown.answer_id, "withdrawn"), (drafting.answer_id, "drafting")]

    async def test_what_a_withdrawn_answer_cost_is_recorded_all_the_same(self, store, withdrawn):
        with pytest.raises(Withdrawn):
            await write(store, withdrawn, "too late")

        assert await rows(store, "SELECT input_tokens FROM model_calls") == [(12,)]

    async def test_nothing_is_written_to_an_answer_that_is_gone(self, store, withdrawn):
        await store.withdraw(withdrawn.answer_id)

        with pytest.raises(Withdrawn):
            await write(store, withdrawn, "too late")
        with pytest.raises(Withdrawn):
            await store.add_part(withdrawn.answer_id, attempt=1, part=part())
        await store.part_posted(withdrawn.answer_id, n=0, message_id=70)

        assert await rows(store, "SELECT turn_id FROM model_calls") == [(None,)]
        assert await rows(store, "SELECT kind FROM turns") == [("message",)]

    async def test_an_answer_that_stands_is_not_withdrawn(self, store):
        taken = await take(store, message("question", id=2))
        await answer(store, taken, "answer")

        await store.withdraw(taken.answer_id)

        assert await history(store, message("?", id=3)) == ["question", "answer"]


async def test_unreported_tokens_are_not_zero(store):
    taken = await take(store, message("question", id=1))

    await store.record_call(call(taken, usage=Usage(input_tokens=3, output_tokens=0), outcome="model_busy"))

    assert await rows(
        store,
        "SELECT turn_id, guild_id, channel_id, author_id, model, outcome,"
        " input_tokens, cached_tokens, output_tokens FROM model_calls",
    ) == [
        (taken.answer_id, 5, 10, 1, "gpt-test", "model_busy", 3, None, 0),
    ]


async def test_a_call_for_no_answer_is_recorded_too(store):
    taken = await take(store, message("question", id=1))

    await store.record_call(call(taken, answer_id=None, purpose="summary"))

    assert await rows(store, "SELECT turn_id, purpose FROM model_calls") == [(None, "summary")]


async def test_facts_are_kept_and_replaced(store):
    assert await store.read_fact("commands") is None

    await store.write_fact("commands", "abc")
    await store.write_fact("commands", "def")

    assert await store.read_fact("commands") == "def"


async def test_any_text_can_be_stored(store):
    taken = await take(store, message("NUL \0, half a pair \ud83d, a whole one \U0001f600", id=1))
    await write(store, taken, "plain \0 ascii")

    again = await next_turn(store)

    assert again.question.text == "NUL \ufffd, half a pair \ufffd, a whole one \U0001f600"
    assert again.written == "plain \ufffd ascii"
