"""However long answers are and however busy a channel, what left the window is summarised, at a bounded price."""

from itertools import cycle

import pytest

from bot.core.tokens import TokenBudget, cut_to, estimate_tokens
from bot.storage import summaries
from tests.fakes import message
from tests.storage.talk import HERE, answer, rows

BUDGET = TokenBudget(history_tokens=500, system_tokens=20)
LONGEST = cut_to("word " * 100, tokens=BUDGET.most_of_a_summary)
PER_LETTER = estimate_tokens("y" * 240) / 240
TIMES = 20
of_any_length = pytest.mark.parametrize("share", [0.2, 0.4, 0.54, 0.7, 1.2])  # of what there is for turns


class Talk:
    """Exchanges in one conversation that take these *shares* of what there is for turns, in turn."""

    def __init__(self, store, *shares):
        self.store = store
        self.seen = []  # what was taken up
        self.starts = set()  # of the window
        self.requests = 0
        self.turns_read = 0
        self._answers = cycle("y" * round(share * BUDGET.for_turns / PER_LETTER - 64) for share in shares)

    async def take_up(self):
        asked = message("Why?", id=len(self.seen) + 1)
        received = await self.store.receive(asked, take_up=True, budget=BUDGET)
        self.seen.append(received.taken_up)
        [[start]] = await rows(self.store, "SELECT window_start FROM conversations")
        self.starts.add(start)

    async def answer(self):
        await answer(self.store, self.seen[-1], next(self._answers))

    async def go_on(self, times):
        for _ in range(times):
            await self.take_up()
            await self.answer()
            await self.summarise()
            await self.nothing_is_due()

    async def nothing_is_due(self):
        assert await self.store.to_summarise(HERE, budget=BUDGET) is None

    async def summarise(self):
        """As the bot does when a turn has ended; what it was made of."""
        tasks = []
        while (not tasks or tasks[-1].before < tasks[-1].until) and (
            task := await self.store.to_summarise(HERE, budget=BUDGET)
        ):
            tasks.append(task)
            self.requests += 1
            self.turns_read += len(task.turns)
            assert await self.store.keep_summary(task, text=LONGEST, model="small")
        return tasks

    @property
    def moves(self):
        return len(self.starts) - 1

    @property
    def most_in_window(self):
        """Turns, the exchange that is being answered included."""
        return max(len(taken.history) for taken in self.seen) + 2


@pytest.mark.parametrize(
    "shares", [(0.2,), (0.34,), (0.4,), (0.45,), (0.54,), (0.7,), (0.2, 0.65), (0.3, 0.6), (0.1, 0.1, 0.1, 0.5)]
)
async def test_of_a_quiet_channel_nothing_is_left_out_of_both(store, shares):
    talk = Talk(store, *shares)
    await talk.go_on(TIMES)

    assert talk.seen[-1].summary
    assert {taken.left_out for taken in talk.seen} == {0}
    assert talk.turns_read <= 2 * TIMES


async def test_an_exchange_that_no_prompt_holds_is_in_the_summary_one_question_later(store):
    talk = Talk(store, 1.2)
    await talk.go_on(TIMES)

    assert talk.seen[-1].summary
    assert {taken.left_out for taken in talk.seen[1:]} == {2}
    assert talk.turns_read <= 2 * TIMES


@of_any_length
async def test_what_is_dropped_where_a_question_always_waits_is_caught_up_on(store, share):
    talk = Talk(store, share)
    for _ in range(TIMES):
        await talk.take_up()  # at once when the answer before it stands: the window moves before anybody looks
        await talk.summarise()
        await talk.nothing_is_due()
        await talk.answer()

    assert talk.seen[-1].summary
    assert max(taken.left_out for taken in talk.seen) <= talk.most_in_window
    assert talk.requests <= 2 * talk.moves
    assert talk.turns_read <= 2 * TIMES


@of_any_length
async def test_after_a_deletion_it_is_made_anew_in_so_many_requests_and_no_more(store, monkeypatch, share):
    monkeypatch.setattr(summaries, "MOST_REQUESTS", 2)
    talk = Talk(store, share)
    await talk.go_on(TIMES)
    await store.erase_messages([1])
    await talk.take_up()
    assert talk.seen[-1].summary == ""

    tasks = await talk.summarise()

    assert [task.shown for task in tasks] == [False, True]
    assert tasks[0].first > 3  # of what is older nothing is left
    assert tasks[0].before == tasks[1].first
