"""What a prompt holds of the turns before its question, and which request an answer's text came from."""

from dataclasses import replace

import pytest

from bot.core.archive import Memory
from bot.core.completions import Past, Usage
from bot.core.messages import ConversationKey, Edit, Kind, Outcome, Press, TurnState
from bot.core.prompt import build_prompt, turn_tokens
from bot.core.rights import Servers
from bot.core.tokens import TokenBudget, system_tokens
from bot.core.why import Made
from bot.storage.turns import open_store
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import HERE, answer, call, exchange, next_turn, part, quote, rows, take, wait, write

FRIENDLY = "Be kind."
BUDGET = TokenBudget(history_tokens=500, system_tokens=system_tokens(FRIENDLY))
PRIVATE = ConversationKey(channel_id=10, private_to=1)


async def ask(store, n, **more):
    asked = message(f"question {n} " + "x" * 36, id=n, **more)
    return (await store.receive(asked, take_up=True, budget=BUDGET)).taken_up


async def say(store, n, **more):
    """One exchange of about fifty tokens; what it was answered with."""
    taken = await ask(store, n, **more)
    await answer(store, taken, f"answer {n} " + "y" * 36, posted=[1000 + n])
    return taken


async def say_many(store, count, *, start=1):
    for n in range(start, start + count):
        taken = await say(store, n)
    return taken


def past(taken):
    prompt = build_prompt(taken, system_prompt=FRIENDLY, history_tokens=500, max_answer_tokens=100)
    return prompt.past.turns_sent, prompt.past.turns_summarised, prompt.past.turns_left_out


async def in_all(store):
    """Turns that are history since the reset, without the newest exchange."""
    ((count,),) = await rows(
        store,
        "SELECT count(*) FROM turns t JOIN conversations c ON c.id = t.conversation_id"
        " WHERE t.position >= c.reset_position AND t.position < c.next_position - 2 AND t.text <> ''"
        " AND (t.state = 'answered' OR t.kind = 'answer' AND t.state = 'standing')",
    )
    return count


async def counted(store):
    ((before,),) = await rows(store, "SELECT turns_before FROM conversations WHERE channel_id = 10")
    return before


async def summarised(store, *, start=1):
    """A conversation whose prompts show a summary; what was taken up, and the next free id."""
    n, task = start, None
    while task is None:
        await say(store, n)
        n, task = n + 1, await store.to_summarise(HERE, budget=BUDGET)
    assert await store.keep_summary(task, text="They spoke.", model="small")
    while (taken := await say(store, n)).summarised == 0 or taken.history[0] in task.turns:
        n += 1
    return taken, n + 1


# What is left out


async def test_of_a_short_conversation_everything_is_sent(store):
    assert past(await say(store, 1)) == (0, 0, 0)
    assert past(await say(store, 2)) == (2, 0, 0)


async def test_what_left_the_window_is_counted_at_each_move(store):
    for n in range(1, 40):
        sent, summed_up, left_out = past(await say(store, n))
        assert (summed_up, sent + left_out) == (0, 2 * (n - 1))

    assert left_out > 40


async def test_it_is_known_without_being_counted_where_the_window_stays(store):
    await say_many(store, 12)
    await rows(store, "UPDATE conversations SET turns_before = 777 RETURNING 1")

    assert past(await say(store, 13))[2] == 777


async def test_it_is_known_after_a_restart(database_url, clock):
    async with open_store(database_url, clock=clock) as store:
        await say_many(store, 12)
    async with open_store(database_url, clock=clock) as store:
        sent, _, left_out = past(await say(store, 13))

    assert sent + left_out == 24


async def test_a_reset_leaves_nothing_out(store):
    await say_many(store, 12)
    await store.reset(HERE)

    assert past(await say(store, 13)) == (0, 0, 0)
    assert past(await say(store, 14)) == (2, 0, 0)


async def test_what_failed_or_was_only_told_is_no_turn_of_it(store):
    await say_many(store, 2)
    failed = await ask(store, 3)
    await store.write_notice(failed.answer_id, shown="busy", code="model_busy")
    await store.stand(failed.answer_id)

    for n in range(4, 20):
        sent, _, left_out = past(await say(store, n))
        assert sent + left_out == await in_all(store) == 2 * (n - 2)


async def deleted(store):
    await store.erase_messages([2])


async def answer_deleted(store):
    await store.erase_messages([1002])


async def forgotten(store):
    await store.forget_user(7)


async def expired(store):
    await store.erase_expired(Servers(ids=frozenset(), all_but=True), after=0, before=3, most=100)


async def emptied(store):
    await store.edit(Edit(message_id=2, text="", raw_text="", note="I can't look at pictures.", edited_at=START))


async def quote_deleted(store):
    await store.erase_messages([900])


@pytest.mark.parametrize(
    "change",
    [deleted, answer_deleted, forgotten, expired, emptied, quote_deleted],
    ids=lambda change: change.__name__,
)
async def test_what_is_erased_before_the_window_is_left_out_no_longer(store, change):
    await say(store, 1)
    await say(store, 2, author=7, name="Bob", reply_to=900, quote=quote("q", id=900, author=9))
    for n in range(3, 14):
        before = past(await say(store, n))
    assert await in_all(store) == before[0] + before[2] == 25

    await change(store)
    after = past(await say(store, 14))

    assert sum(after) == await in_all(store) < 27
    assert after[0] == before[0] + 2
    assert await counted(store) == after[2]


async def test_what_is_erased_within_the_window_need_not_be_counted_anew(store):
    await say_many(store, 12)
    before = await counted(store)

    await store.erase_messages([12])

    assert await counted(store) == before > 0


async def test_an_answer_whose_question_has_no_words_any_more_is_left_out(store):
    await say(store, 1)
    await store.edit(Edit(message_id=1, text="", raw_text="", note="I can't look at pictures.", edited_at=START))

    assert past(await say(store, 2)) == (0, 0, 1)


# What is summed up


async def test_what_a_summary_is_of_is_not_left_out(store):
    taken, _ = await summarised(store)

    sent, summed_up, left_out = past(taken)
    assert (left_out, sent + summed_up) == (0, await in_all(store))
    assert summed_up > 4


async def test_a_summary_that_builds_on_another_is_of_what_that_one_was_of_as_well(store):
    first, n = await summarised(store)
    taken = first
    while (task := await store.to_summarise(HERE, budget=BUDGET)) is None:
        taken, n = await say(store, n), n + 1
    assert await store.keep_summary(task, text="Both.", model="small")
    while taken.summary != "Both.":
        taken, n = await say(store, n), n + 1

    sent, summed_up, left_out = past(taken)
    assert (left_out, sent + summed_up) == (0, await in_all(store))
    assert summed_up > first.summarised


async def test_what_a_summary_was_of_is_left_out_when_it_is_gone(store):
    taken, n = await summarised(store)

    await store.erase_messages([1])
    without = await say(store, n)
    task = await store.to_summarise(HERE, budget=BUDGET)
    await store.keep_summary(task, text="Anew.", model="small")
    anew = await say(store, n + 1)

    assert past(without)[1:] == (0, taken.summarised - 2)
    assert past(anew)[1:] == (taken.summarised - 2, 0)


# What the next prompt will hold


async def test_what_is_remembered_is_what_the_next_prompt_holds_and_nothing_is_moved_for_it(store):
    for n in range(1, 30):
        # A question this short moves the window only where it is over the budget without it.
        asked = message("?", id=n)
        start = await rows(store, "SELECT window_start, turns_before FROM conversations")
        memory = await store.archive.memory(HERE, BUDGET)
        assert await rows(store, "SELECT window_start, turns_before FROM conversations") == start

        taken = (await store.receive(asked, take_up=True, budget=BUDGET)).taken_up
        await answer(store, taken, f"answer {n} " + "y" * 60)

        prompt = build_prompt(taken, system_prompt=FRIENDLY, history_tokens=500, max_answer_tokens=100)
        question = turn_tokens(taken.question, labelled=False)
        if memory.tokens + question <= 500:
            assert replace(memory, past=prompt.past, tokens=prompt.tokens - question) == memory or n == 1
    assert memory.past.turns_left_out > 10


async def test_a_summary_is_remembered_with_what_it_is_of(store):
    taken, _ = await summarised(store)

    memory = await store.archive.memory(HERE, BUDGET)

    assert (memory.summary, memory.past.turns_summarised) == ("They spoke.", taken.summarised)
    assert memory.past.turns_sent == len(taken.history) + 2
    assert memory.most_tokens == 500


async def test_where_nothing_was_said_nothing_is_remembered(store):
    await say(store, 1)

    assert await store.archive.memory(ConversationKey(channel_id=99), BUDGET) == Memory()
    assert await store.archive.memory(PRIVATE, BUDGET) == Memory()


async def test_tokens_are_those_that_the_provider_counts(store):
    await say_many(store, 3)
    first = await store.archive.memory(HERE, BUDGET)
    await rows(store, "UPDATE conversations SET token_rate = 0.5 RETURNING 1")

    assert (await store.archive.memory(HERE, BUDGET)).tokens == pytest.approx(first.tokens / 2, abs=1)


# Which request an answer's text came from


async def made(store, message_id, *, channel_id=10):
    return await store.archive.made(message_id, channel_id=channel_id)


async def test_each_message_of_an_answer_leads_to_the_request_that_brought_it(store):
    taken = await take(store, message("q", id=1))
    for n, message_id in enumerate((70, 71)):
        await store.add_part(taken.answer_id, attempt=1, part=part(n))
        await store.part_posted(taken.answer_id, n=n, message_id=message_id)
    sent = call(
        taken,
        attempt=2,
        usage=Usage(input_tokens=100, cached_tokens=60, output_tokens=20, reasoning_tokens=5),
        past=Past(turns_sent=4, turns_summarised=3, turns_left_out=2),
        estimated_tokens=110,
        first_token_at=START,
        cost_nanodollars=900,
        outcome="model_timeout",
    )
    await store.write_answer(taken.answer_id, text="a", shown="a", outcome=Outcome.CUT_OFF, call=sent)
    await store.record_call(call(taken, outcome="model_busy"))

    first, second = await made(store, 70), await made(store, 71)

    assert (
        first
        == second
        == Made(
            asker=1,
            private_to=0,
            kind=Kind.ANSWER,
            state=TurnState.WRITTEN,
            outcome="cut_off",
            call=sent,
        )
    )


async def test_a_request_that_was_on_the_record_before_it_was_made_says_what_was_sent(store):
    taken = await take(store, message("q", id=1))
    sent = call(taken, past=Past(turns_sent=4, turns_summarised=3, turns_left_out=2), outcome="begun")
    await store.begin_call(sent)
    await store.record_call(replace(sent, outcome="complete"))

    assert await rows(store, "SELECT turns_sent, turns_summarised, turns_left_out FROM model_calls") == [(4, 3, 2)]


async def test_of_anything_but_an_answer_nothing_is_known(store):
    await exchange(store, message("q", id=1), "a", posted=[70])
    await wait(store, message("q", id=2))
    await store.add_notice(2, part=part(nonce="notice"))
    await store.notice_posted("notice", message_id=71)

    assert [await made(store, each) for each in (1, 71, 5)] == [None] * 3
    assert await made(store, 70, channel_id=11) is None


@pytest.mark.parametrize(
    "forget",
    [lambda store: store.erase_messages([1]), lambda store: store.forget_user(1)],
    ids=["deleted", "forgotten"],
)
async def test_of_an_answer_that_is_erased_nothing_is_known(store, forget):
    await exchange(store, message("q", id=1), "a", posted=[70])

    await forget(store)

    assert await made(store, 70) is None


async def test_a_private_answer_says_whose_it_is(store):
    await exchange(store, message("q", id=1, key=PRIVATE), "a", posted=[70])

    assert (await made(store, 70)).private_to == 1


async def test_a_sentence_of_ours_comes_of_no_request(store):
    taken = await take(store, message("q", id=1))
    await store.add_part(taken.answer_id, attempt=1, part=part())
    await store.part_posted(taken.answer_id, n=0, message_id=70)
    await store.record_call(call(taken, outcome="model_busy"))
    await store.write_notice(taken.answer_id, shown="busy", code="model_busy")

    assert await made(store, 70) == Made(
        asker=1, private_to=0, kind=Kind.NOTICE, state=TurnState.WRITTEN, outcome="model_busy"
    )


async def written_anew(store):
    await exchange(store, message("q", id=1), "a", posted=[70])
    await store.reopen(Press(id=9, question_id=1, person=1, moderates=False, key=HERE))
    return await next_turn(store)


async def requests(store):
    return [row.request_id for row in await rows(store, "SELECT request_id FROM model_calls ORDER BY id")]


async def test_an_answer_written_anew_came_of_the_newest_request(store):
    taken = await written_anew(store)
    under_way = await made(store, 70)
    await write(store, taken, "b")

    first, second = await requests(store)
    assert (under_way.state, under_way.call.request_id) == (TurnState.DRAFTING, first)
    assert (await made(store, 70)).call.request_id == second


async def test_an_answer_that_could_not_be_replaced_came_of_the_request_before(store):
    taken = await written_anew(store)
    await write(store, taken, "b")  # that Discord's filters refuse
    await store.restore(taken.answer_id, taken.previous)

    assert (await made(store, 70)).call.request_id == (await requests(store))[0]


async def test_an_answer_whose_text_is_stored_twice_came_of_the_one_request(store):
    taken = await take(store, message("q", id=1))
    await store.add_part(taken.answer_id, attempt=1, part=part())
    await store.part_posted(taken.answer_id, n=0, message_id=70)
    sent = call(taken)
    for _ in range(2):  # the database did not confirm the first time
        await store.write_answer(taken.answer_id, text="a", shown="a", outcome=Outcome.COMPLETE, call=sent)

    assert await requests(store) == [sent.request_id]
    assert (await made(store, 70)).call == sent
