"""Where the window of turns that are sent begins, and that it stays there."""

from dataclasses import replace
from itertools import pairwise

import pytest

from bot.core.messages import Edit, Outcome
from bot.core.prompt import build_prompt
from bot.core.quotes import Link, Opened
from bot.core.tokens import CUT, TokenBudget
from bot.storage.turns import open_store
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import HERE, answer, call, exchange, quote, rows, take

BUDGET = 400  # tokens


async def say(store, n, *, tokens=BUDGET, **more):
    """One exchange of about fifty tokens; the texts that it was answered with."""
    taken = await take(store, message(f"question {n} " + "x" * 36, id=n, **more), tokens=tokens)
    await answer(store, taken, f"answer {n} " + "y" * 36)
    return [turn.text for turn in taken.history]


def first(texts):
    return texts[0].split()[1]


async def window_start(store):
    ((start,),) = await rows(store, "SELECT window_start FROM conversations WHERE channel_id = 10")
    return start


async def test_it_stays_until_the_budget_is_reached_and_then_half_of_it_goes(store):
    sent = [await say(store, n) for n in range(1, 31)]

    begins = [first(texts) for texts in sent[1:]]
    steps = sorted(set(begins), key=begins.index)
    assert len(steps) > 3
    assert all(begins.count(step) >= 3 for step in steps[:-1])  # each stays for some turns
    for before, after in pairwise(sent):
        assert after[: len(before)] == before or len(after) <= len(before) * 0.7


async def test_it_is_kept_over_a_restart(database_url, clock):
    async with open_store(database_url, clock=clock) as store:
        for n in range(1, 12):
            before = await say(store, n)
    async with open_store(database_url, clock=clock) as store:
        after = await say(store, 12)

    assert first(before) != "1"
    assert after[: len(before)] == before


async def test_what_is_deleted_or_edited_before_it_changes_nothing(store):
    for n in range(1, 12):
        before = await say(store, n)
    assert int(first(before)) > 2

    await store.erase_messages([1])
    await store.edit(Edit(message_id=2, text="other", raw_text="other", note=None, edited_at=START))
    after = await say(store, 12)

    assert after[: len(before)] == before


async def test_a_larger_budget_brings_nothing_back(store):
    for n in range(1, 12):
        before = await say(store, n)

    after = await say(store, 12, tokens=8000)

    assert after[: len(before)] == before


async def test_a_reset_puts_it_behind_everything(store):
    for n in range(1, 12):
        await say(store, n)
    await store.reset(HERE)
    assert await say(store, 12) == []

    assert first(await say(store, 13)) == "12"


async def test_a_question_that_is_refused_for_its_length_moves_nothing(store):
    for n in range(1, 5):
        before = await say(store, n)
    start = await window_start(store)

    too_long = await take(store, message("z " * 2000, id=5), tokens=BUDGET)
    await store.write_notice(too_long.answer_id, shown="too long", code="question_too_long")
    await store.stand(too_long.answer_id)

    assert await window_start(store) == start
    assert (await say(store, 6))[: len(before)] == before


async def test_the_system_prompt_takes_its_part_of_the_budget(store):
    taken = None
    for n in range(1, 12):
        asked = message(f"question {n} " + "x" * 36, id=n)
        received = await store.receive(
            asked, take_up=True, budget=TokenBudget(history_tokens=BUDGET, system_tokens=250)
        )
        taken = received.taken_up
        await answer(store, taken, f"answer {n} " + "y" * 36)

    assert taken.history_tokens <= BUDGET - 250
    assert taken.history


async def test_beside_a_long_system_prompt_it_stays_for_some_turns_too(store):
    starts = []
    for n in range(1, 31):
        asked = message(f"question {n} " + "x" * 36, id=n)
        received = await store.receive(
            asked, take_up=True, budget=TokenBudget(history_tokens=900, system_tokens=550)
        )
        await answer(store, received.taken_up, f"answer {n} " + "y" * 36)
        starts.append(await window_start(store))

    assert len(set(starts)) > 3
    assert all(starts.count(start) >= 3 for start in set(starts) - {starts[-1]})


async def test_it_reaches_no_further_into_ten_thousand_turns_than_the_budget(store):
    await exchange(store, message("first", id=1), "a", posted=[2])
    await rows(
        store,
        "INSERT INTO turns (id, conversation_id, role, kind, position, state, raw_text, text, sent_at, attempts)"
        " WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)"
        " SELECT n + 10, 1, 'assistant', 'answer', n + 2, 'standing', 'r', 'old', '2026-01-01', 1 FROM n"
        " RETURNING 1",
    )
    await rows(store, "UPDATE conversations SET next_position = 10003 RETURNING 1")
    await say(store, 20_000, tokens=8000)

    assert await window_start(store) > 8_000


class TestRate:
    """How many tokens an estimated one turned out to be is the conversation's own, and lasts."""

    async def learn(self, store, taken, rate):
        await store.write_answer(
            taken.answer_id, text="a", shown="a", outcome=Outcome.COMPLETE, call=call(taken), token_rate=rate
        )
        await store.stand(taken.answer_id)

    async def test_it_is_high_until_it_is_learned_and_kept_over_a_restart(self, database_url, clock):
        async with open_store(database_url, clock=clock) as store:
            first = await take(store, message("q", id=1))
            await self.learn(store, first, 0.6)
            elsewhere = await take(store, message("q", id=2, channel=11))
        async with open_store(database_url, clock=clock) as store:
            later = await take(store, message("q", id=3))
            await answer(store, later, "a")
            latest = await take(store, message("q", id=4))

        rates = [taken.conversation.token_rate for taken in (first, elsewhere, later, latest)]
        assert rates == [1.0, 1.0, 0.6, 0.6]

    async def test_a_reset_forgets_it(self, store):
        await self.learn(store, await take(store, message("q", id=1)), 3.0)
        await store.reset(HERE)

        assert (await take(store, message("q", id=2))).conversation.token_rate == 1.0

    async def test_an_answer_that_was_under_way_at_a_reset_teaches_the_new_conversation_nothing(self, store):
        under_way = await take(store, message("q", id=1))
        await store.reset(HERE)
        await self.learn(store, under_way, 3.0)

        assert (await take(store, message("q", id=2))).conversation.token_rate == 1.0

    async def test_what_is_asked_alone_because_of_it_moves_nothing(self, store):
        await say(store, 1)
        await self.learn(store, await take(store, message("dear", id=2)), 3.5)

        alone = await take(store, message("x" * 400, id=3), tokens=BUDGET)

        assert (alone.history, await window_start(store)) == ((), 1)

    async def test_it_changes_when_the_window_moves_and_nothing_else(self, store):
        for n in range(1, 6):
            before = await say(store, n)
        await self.learn(store, await take(store, message("cheap", id=6)), 0.5)

        cheap = [await say(store, n) for n in range(7, 12)]
        await self.learn(store, await take(store, message("dear", id=12)), 2.0)
        dear = await say(store, 13)

        assert len({texts[0] for texts in cheap}) == 1
        assert cheap[0][: len(before)] == before
        assert 0 < len(dear) < len(cheap[-1]) / 2


async def test_what_a_request_was_taken_for_is_recorded_beside_what_it_cost(store):
    taken = await take(store, message("q", id=1))
    await store.record_call(call(taken, estimated_tokens=15))

    assert await rows(store, "SELECT estimated_tokens, input_tokens FROM model_calls") == [(15, 12)]


@pytest.mark.parametrize("person", [1, 2], ids=["one speaker", "two speakers"])
async def test_as_history_a_long_quote_is_cut_as_it_was_for_its_question(store, person):
    tokens = 1000
    await exchange(store, message("hello", id=1, author=person, name=f"Person {person}"), "hi")
    asked = message(
        "is that so?",
        id=5,
        reply_to=3,
        quote=quote("long words " * 2_000, id=3, author=1),
        links=(Link(channel_id=20, message_id=4),),
    )
    taken = await take(store, asked, tokens=tokens)
    link = next(turn for turn in taken.questions if turn.is_unopened)
    opened = await store.open_link(link.id, Opened(quote=quote("linked words " * 2_000, id=4, author=1)))
    taken = replace(taken, questions=tuple(opened if turn is link else turn for turn in taken.questions))
    before = prompt_for(taken, tokens)
    await answer(store, taken, "it is")

    after = prompt_for(await take(store, message("?", id=9), tokens=tokens), tokens)

    assert sum(text.endswith(CUT) for _, text in before) == 2
    assert after[: len(before)] == before


def prompt_for(taken, tokens):
    prompt = build_prompt(taken, system_prompt="Be kind.", history_tokens=tokens, max_answer_tokens=100)
    assert prompt.tokens <= tokens
    return list(prompt.messages)
