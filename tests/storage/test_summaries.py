"""Summaries: of what, when they are shown, and that they go with what they cover."""

import pytest

from bot.core.messages import ConversationKey, Edit, Role
from bot.core.prompt import build_prompt
from bot.core.quotes import Quote
from bot.core.rights import Servers
from bot.core.summary import summary_prompt
from bot.core.tokens import CUT, TokenBudget, estimate_tokens
from bot.storage import summaries
from bot.storage.turns import open_store
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import HERE, answer, rows

BUDGET = TokenBudget(history_tokens=500, system_tokens=20)
CANARY = "Xylophone-of-Zanzibar"


async def say(store, n, words="", **more):
    """One exchange of about fifty tokens; what it was answered with."""
    asked = message(f"question {n} {words}" + "x" * 36, id=n, **more)
    taken = (await store.receive(asked, take_up=True, budget=BUDGET)).taken_up
    await answer(store, taken, f"answer {n} " + "y" * 36, posted=[1000 + n])
    return taken


async def due(store, key=HERE):
    return await store.to_summarise(key, budget=BUDGET)


async def until_due(store, *, start=1, **more):
    for n in range(start, start + 30):
        await say(store, n, **more)
        if (task := await due(store)) is not None:
            return task, n
    raise AssertionError("nothing was ever due")


async def summarised(store, *, start=1, text="They spoke of many things.", **more):
    """A conversation whose prompts show a summary; the task it was made for, and the next free id."""
    task, n = await until_due(store, start=start, **more)
    assert await store.keep_summary(task, text=text, model="small")
    while (await say(store, n := n + 1)).summary != text:
        pass
    return task, n + 1


async def in_table(store):
    return await rows(store, "SELECT since, before, shown, text FROM summaries ORDER BY shown")


async def test_what_the_window_will_drop_is_due_before_it_does(store):
    task, n = await until_due(store)

    taken = await say(store, n + 1)

    assert taken.history[0].text.startswith("question 1 ")  # it has not moved yet
    assert task.turns == taken.history[: len(task.turns)]
    assert task.turns[-1].role is Role.ASSISTANT
    assert (task.former, task.shown) == ("", False)
    assert (task.since, task.before) == (1, len(task.turns) + 1)


async def test_it_is_shown_from_the_windows_next_move_on_and_covers_exactly_what_went(store):
    task, n = await until_due(store)
    await store.keep_summary(task, text="They spoke.", model="small")
    seen = [await say(store, n + more) for more in range(1, 9)]

    moved = next(taken for taken in seen if taken.history[0].text != seen[0].history[0].text)
    before = seen[: seen.index(moved)]
    assert before
    assert all(taken.summary is None for taken in before)
    assert all(taken.summary == "They spoke." for taken in seen[seen.index(moved) :])
    assert moved.history[0] == before[-1].history[len(task.turns)]


async def test_a_late_one_waits_for_the_next_move_and_the_one_after_it_takes_its_words_along(store):
    late, n = await until_due(store)
    while (taken := await say(store, n := n + 1)).history[0].text.startswith("question 1 "):
        pass

    assert await store.keep_summary(late, text="Late.", model="small")
    after = await say(store, n := n + 1)
    task, _ = await until_due(store, start=n + 1)

    assert (taken.summary, after.summary) == (None, None)
    assert (task.former, task.since, task.first) == ("Late.", late.since, late.before)


async def test_the_next_one_builds_on_the_one_that_is_shown(store):
    first, n = await summarised(store, text="Part one.")
    task, n = await until_due(store, start=n)
    assert await store.keep_summary(task, text="Both parts.", model="small")
    while (taken := await say(store, n := n + 1)).summary == "Part one.":
        pass

    assert (task.former, task.since, task.first) == ("Part one.", first.since, first.before)
    assert taken.summary == "Both parts."
    assert [row.text for row in await in_table(store)] == ["Both parts."]


async def test_it_has_its_part_of_the_budget(store):
    _, n = await summarised(store, text="word " * 20)

    for more in range(12):
        taken = await say(store, n + more)
        prompt = build_prompt(taken, system_prompt="Be kind.", history_tokens=500, max_answer_tokens=100)
        assert prompt.tokens <= 500
        assert prompt.messages[1].role is Role.USER
        assert prompt.messages[1].content.startswith("Summary of the earlier conversation: word word")


async def test_one_that_takes_more_than_a_lowered_budget_allows_is_left_out_and_made_anew(store):
    old, n = await summarised(store, text="word " * 20)
    lowered = TokenBudget(history_tokens=250, system_tokens=20)

    asked = message("short", id=n)
    taken = (await store.receive(asked, take_up=True, budget=lowered)).taken_up
    task = await store.to_summarise(HERE, budget=lowered)

    assert taken.summary == ""
    assert (task.anew, task.former, task.until) == (True, "", old.before)
    assert await store.keep_summary(task, text="Words.", model="small")
    assert [row.text for row in await in_table(store)] == ["Words.", ""]


async def test_one_that_is_ready_and_takes_more_than_that_is_made_anew(store):
    task, _ = await until_due(store)
    await store.keep_summary(task, text="word " * 20, model="small")

    anew = await store.to_summarise(HERE, budget=TokenBudget(history_tokens=250, system_tokens=20))

    assert (anew.shown, anew.former) == (False, "")


async def test_a_question_for_which_the_window_makes_room_is_asked_though_the_summary_has_none_beside_it(store):
    _, n = await summarised(store)

    asked = message("x" * 1250, id=n)  # some 475 tokens of the 480 that the system prompt leaves
    taken = (await store.receive(asked, take_up=True, budget=BUDGET)).taken_up
    prompt = build_prompt(taken, system_prompt="Be kind.", history_tokens=500, max_answer_tokens=100)

    assert [message.content for message in prompt.messages[1:]] == ["x" * 1250]


async def test_it_is_kept_over_a_restart(database_url, clock):
    async with open_store(database_url, clock=clock) as store:
        _, n = await summarised(store)
    async with open_store(database_url, clock=clock) as store:
        assert (await say(store, n)).summary == "They spoke of many things."


async def test_nothing_is_due_twice(store):
    task, n = await until_due(store)
    await store.keep_summary(task, text="They spoke.", model="small")

    assert await due(store) is None
    await say(store, n + 1)
    assert await due(store) is None


async def deleted(store):
    await store.erase_messages([2])


async def answer_deleted(store):
    await store.erase_messages([1002])


async def edited(store):
    await store.edit(Edit(message_id=2, text="other", raw_text="other", note=None, edited_at=START))


async def forgotten(store):
    await store.forget_user(7)


async def expired(store):
    await store.erase_expired(Servers(ids=frozenset(), all_but=True), after=0, before=3, most=100)


CHANGES = [deleted, answer_deleted, edited, forgotten, expired]
by_name = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


async def with_words_of_a_second_person(store, text):
    """Somebody's words are what the second turn is, and what the summary tells of."""
    await say(store, 1)
    await say(store, 2, author=7, name="Bob")
    return await summarised(store, start=3, text=text)


@by_name
async def test_what_is_changed_of_what_it_covers_takes_it_out_at_once_and_off_the_disk(store, tmp_path, change):
    _, n = await with_words_of_a_second_person(store, f"Bob spoke of the {CANARY}.")

    await change(store)

    assert [(row.shown, row.text) for row in await in_table(store)] == [(True, "")]
    assert (await say(store, n)).summary == ""
    assert [file for file in tmp_path.iterdir() if CANARY.encode() in file.read_bytes()] == []


@by_name
async def test_it_is_made_anew_from_what_is_left_and_then_shown_at_once(store, change):
    old, n = await with_words_of_a_second_person(store, "Bob spoke.")
    await change(store)

    task = await due(store)
    kept = await store.keep_summary(task, text="Somebody spoke.", model="small")

    assert (task.shown, task.former, task.before, kept) == (True, "", old.before, True)
    gone = "answer 2 " if change is answer_deleted else "question 2 "
    assert not any(turn.text.startswith(gone) for turn in task.turns)
    assert (await say(store, n)).summary == "Somebody spoke."


async def test_when_all_that_it_covers_is_gone_summarising_begins_again(store):
    old, n = await summarised(store)
    await store.erase_messages(range(1, old.before))

    assert await due(store) is None
    task, _ = await until_due(store, start=n)

    assert (task.shown, task.former) == (False, "")
    assert await store.keep_summary(task, text="They spoke again.", model="small")


async def piece_by_piece(store, *, text="Piece"):
    """What is due, until nothing more of it is to be done at once; each of the tasks."""
    tasks = []
    while not tasks or tasks[-1].before < tasks[-1].until:
        task = await due(store)
        tasks.append(task)
        assert await store.keep_summary(task, text=f"{text} {len(tasks)}.", model="small")
    return tasks


async def long_since_summarised(store, *, times=4):
    """A conversation whose summary covers more than one prompt holds; the first position that it does not."""
    n = 1
    for _ in range(times):
        task, n = await summarised(store, start=n, text=f"They spoke until {n}.")
    return task.before, n


def said_in(tasks):
    return [turn.text.split(" x")[0].split(" y")[0] for task in tasks for turn in task.turns]


async def test_one_of_more_than_a_prompt_holds_is_made_anew_of_all_that_it_was_of_piece_by_piece(store):
    covered, n = await long_since_summarised(store)
    await store.erase_messages([2])

    tasks = await piece_by_piece(store)

    assert len(tasks) > 1
    assert [task.former for task in tasks] == ["", *(f"Piece {piece}." for piece in range(1, len(tasks)))]
    assert [task.shown for task in tasks] == [False] * (len(tasks) - 1) + [True]
    assert said_in(tasks) == [
        f"{what} {number}"
        for number in range(1, covered // 2 + 1)
        if number != 2
        for what in ("question", "answer")
    ]
    assert (await say(store, n)).summary == f"Piece {len(tasks)}."
    [row] = await rows(store, "SELECT since, before, turns FROM summaries")
    assert tuple(row) == (1, covered, len(said_in(tasks)))


async def test_what_is_done_of_it_is_not_shown_before_all_is_even_if_the_window_moves(store):
    _, n = await long_since_summarised(store)
    await store.erase_messages([2])
    piece = await due(store)
    await store.keep_summary(piece, text="A piece.", model="small")

    seen = [await say(store, n + more) for more in range(8)]
    rest = await piece_by_piece(store, text="More")

    assert len({taken.history[0].text for taken in seen}) > 1
    assert {taken.summary for taken in seen} == {""}
    assert (rest[0].former, rest[0].first) == ("A piece.", piece.before)
    assert (await say(store, n + 8)).summary == f"More {len(rest)}."


async def test_what_is_deleted_of_a_piece_that_is_done_takes_it_along_and_it_begins_again(store, tmp_path):
    await long_since_summarised(store)
    await store.erase_messages([2])
    piece = await due(store)
    await store.keep_summary(piece, text=CANARY, model="small")
    late = await due(store)

    await store.erase_messages([3])

    assert [file for file in tmp_path.iterdir() if CANARY.encode() in file.read_bytes()] == []
    assert not await store.keep_summary(late, text="Late.", model="small")
    again = await due(store)
    assert (again.former, again.first, again.turns[0]) == ("", piece.first, piece.turns[0])


async def test_when_all_the_rest_of_it_is_gone_what_is_done_of_it_is_shown(store):
    covered, n = await long_since_summarised(store)
    await store.erase_messages([2])
    piece = await due(store)
    await store.keep_summary(piece, text="A piece.", model="small")

    await store.erase_messages(range(piece.before // 2 + 1, covered // 2 + 1))

    assert await due(store) is None
    assert (await say(store, n)).summary == "A piece."


async def test_where_a_prompt_has_no_room_for_any_turn_one_that_is_lost_waits_until_there_is(store):
    covered, _ = await long_since_summarised(store, times=1)
    await store.erase_messages([2])
    await rows(store, "UPDATE conversations SET token_rate = 3.5 RETURNING 1")

    assert await store.to_summarise(HERE, budget=TokenBudget(history_tokens=200, system_tokens=50)) is None
    await rows(store, "UPDATE conversations SET token_rate = 1.0 RETURNING 1")
    task = await due(store)

    assert (task.shown, task.before) == (True, covered)


async def test_of_more_than_so_many_requests_hold_the_oldest_is_left_out(store, monkeypatch):
    monkeypatch.setattr(summaries, "MOST_REQUESTS", 2)
    covered, _ = await long_since_summarised(store, times=6)
    await store.erase_messages([2])

    tasks = await piece_by_piece(store)

    assert len(tasks) == 2
    assert tasks[0].first > 1
    assert tasks[-1].before == covered


async def test_what_was_left_out_for_long_is_taken_along_in_pieces_and_the_last_is_of_what_the_window_drops(store):
    n = 1
    while (await say(store, n)).left_out < 20:
        n += 1
    for more in range(1, 5):
        await say(store, n + more)  # the window is nearly full again
    due_at_last, n = await due(store), n + 4

    tasks = [due_at_last]
    while await store.keep_summary(tasks[-1], text=f"Piece {len(tasks)}.", model="small"):
        if tasks[-1].before == tasks[-1].until:
            break
        tasks.append(await due(store))

    assert len(tasks) > 1
    assert said_in(tasks)[0] == "question 1"
    assert said_in(tasks)[-1] == f"answer {(tasks[-1].before - 1) // 2}"
    assert tasks[-1].first == tasks[-1].window_start
    assert await due(store) is None
    while (taken := await say(store, n := n + 1)).summary is None:
        pass
    assert (taken.summary, taken.left_out) == (f"Piece {len(tasks)}.", 0)


async def test_a_turn_that_no_such_prompt_holds_is_cut_in_one_of_its_own(store):
    asked = message("z" * 1180, id=1)  # some 445 tokens of the 384 that there are beside two summaries
    taken = (await store.receive(asked, take_up=True, budget=BUDGET)).taken_up
    await answer(store, taken, "answer 1", posted=[1001])
    task, _ = await until_due(store, start=2)
    prompt = summary_prompt(task, BUDGET, system_prompt="Be kind.", max_answer_tokens=100, bot_id=1)

    assert [turn.text for turn in task.turns] == ["z" * 1180]
    assert prompt.messages[1].content.endswith(CUT)
    assert estimate_tokens(prompt.messages[1].content) <= 384


@by_name
async def test_one_that_is_ready_goes_as_well(store, change):
    await say(store, 1)
    await say(store, 2, author=7, name="Bob")
    task, _ = await until_due(store, start=3)
    await store.keep_summary(task, text=CANARY, model="small")

    await change(store)

    assert await in_table(store) == []
    assert await due(store) != task


@by_name
async def test_one_of_which_something_changed_while_it_was_made_is_not_kept(store, change):
    await say(store, 1)
    await say(store, 2, author=7, name="Bob")
    task, _ = await until_due(store, start=3)

    await change(store)

    assert not await store.keep_summary(task, text=CANARY, model="small")
    assert await in_table(store) == []


async def test_a_deleted_quote_takes_it_along(store):
    quoted = Quote(message_id=900, author_id=9, author_name="Cy", text="q", raw_text="q")
    await say(store, 1)
    await say(store, 2, reply_to=900, quote=quoted)
    await summarised(store, start=3)

    await store.erase_messages([900])

    assert [row.text for row in await in_table(store)] == [""]


async def test_what_is_deleted_in_the_window_leaves_it_alone(store):
    _, n = await summarised(store)
    newest = n - 1

    await store.erase_messages([newest])

    assert (await say(store, n)).summary == "They spoke of many things."


async def test_a_reset_erases_it_off_the_disk_too(store, tmp_path):
    _, n = await summarised(store, text=CANARY)
    late, _ = await until_due(store, start=n)

    await store.reset(HERE)

    assert await in_table(store) == []
    assert [file for file in tmp_path.iterdir() if CANARY.encode() in file.read_bytes()] == []
    assert not await store.keep_summary(late, text=CANARY, model="small")
    assert (await say(store, 999)).summary is None


async def test_it_goes_with_its_conversation(store):
    await summarised(store)

    await store.erase_channel(10)

    assert await in_table(store) == []


async def test_those_of_private_conversations_are_their_own(store):
    await summarised(store)
    private = ConversationKey(channel_id=10, private_to=1)

    asked = message("in private", id=5000, key=private)
    taken = (await store.receive(asked, take_up=True, budget=BUDGET)).taken_up

    assert taken.summary is None
    assert await due(store, private) is None


async def test_all_can_be_erased(store):
    _, n = await summarised(store)

    await store.drop_summaries()

    assert await in_table(store) == []
    assert (await say(store, n)).summary is None


async def test_where_nobody_spoke_nothing_is_due(store):
    assert await due(store, ConversationKey(channel_id=99)) is None
