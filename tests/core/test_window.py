from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.messages import Kind, PastTurn, Role, Turn
from bot.core.prompt import turn_tokens
from bot.core.quotes import Link
from bot.core.tokens import TokenBudget, cut_to, estimate_tokens
from bot.core.window import asked_tokens, first_within, leaving, staying, without_orphans


def asks(text):
    return PastTurn(Role.USER, text, "Ada")


def answers(text):
    return PastTurn(Role.ASSISTANT, text)


def exchanges(count, *, words=20):
    return [turn for n in range(count) for turn in (asks(f"q{n} " * words), answers(f"a{n} " * words))]


def cost(turns):
    return sum(turn_tokens(turn, labelled=False) for turn in turns)


def window(history, *, room, kept=None):
    """What is in a window with *room* for turns: oldest first, and whether it had to move."""
    newest, used, everything = first_within([history[::-1]], tokens=room, labelled=False)
    if not everything:
        count, used = staying(newest, room=room, kept=room // 2 if kept is None else kept, labelled=False)
        newest = newest[:count]
    newest, used = without_orphans(newest, used, labelled=False)
    assert cost(newest) - len(newest) <= used <= cost(newest)
    return newest[::-1], not everything


def test_turns_that_fit_to_the_last_token_all_stay():
    history = exchanges(4)

    assert window(history, room=cost(history)) == (history, False)


def test_a_few_tokens_too_many_and_the_newest_exchanges_within_the_share_stay():
    history = exchanges(8)

    kept, moved = window(history, room=cost(history) - len(history), kept=cost(history[-6:]))

    assert moved
    assert kept == history[-6:]


def test_the_newest_exchange_stays_if_it_fits_at_all():
    history = [*exchanges(4), asks("tell me a story"), answers("once " * 300)]

    kept, _ = window(history, room=cost(history) - len(history), kept=50)

    assert kept == history[-2:]


def test_a_newest_exchange_that_does_not_fit_leaves_nothing():
    assert window([asks("tell me a story"), answers("once " * 300)], room=100) == ([], True)


def test_the_turns_that_stay_begin_with_the_first_of_several_questions_to_one_answer():
    history = [asks("old " * 50), answers("old " * 50), asks("a"), asks("b"), asks("c"), answers("d")]

    kept, _ = window(history, room=cost(history) - len(history), kept=cost(history[-3:]) + 2)

    assert kept == history[-4:]


def test_answers_without_a_question_before_them_are_left_out():
    history = [answers("First."), answers("Second."), asks("a"), answers("b")]

    assert window(history, room=1000) == (history[2:], False)
    assert window(history[:2], room=1000) == ([], False)


def test_what_does_not_fit_ends_it_even_if_older_turns_would_fit():
    turns = [asks("newest"), asks("too long " * 50), asks("old")]

    fitting, used, everything = first_within([turns], tokens=60, labelled=False)

    assert [turn.text for turn in fitting] == ["newest"]
    assert used == turn_tokens(fitting[0], labelled=False)
    assert not everything


def test_pages_that_fit_whole_cost_what_their_turns_do_together():
    pages = [[asks("newest"), asks("and older\n")], [asks("oldest"), asks("does not fit " * 50)]]

    fitting, used, _ = first_within(pages, tokens=60, labelled=True)

    assert [turn.text for turn in fitting] == ["newest", "and older\n", "oldest"]
    each = [turn_tokens(turn, labelled=True) for turn in fitting]
    assert sum(each) - len(each) < used <= sum(each)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=20), st.integers(30, 600))
def test_a_window_never_exceeds_its_room_and_one_that_moved_keeps_the_share(turns, room):
    history = [(asks if mine else answers)("word " * words) for mine, words in turns]

    kept, moved = window(history, room=room)

    assert cost(kept) <= room + len(kept)
    assert kept == history[len(history) - len(kept) :]
    assert not kept or kept[0].role is Role.USER
    newest_exchange = next((n for n, turn in enumerate(kept[::-1], 1) if turn.role is Role.USER), 0)
    if moved and any(turn.role is Role.ASSISTANT for turn in kept[:-newest_exchange]):
        assert cost(kept) <= room * 0.5


class TestRoomForWhatIsAsked:
    BUDGET = TokenBudget(history_tokens=1000, system_tokens=100)

    def said(self, text, *, kind=Kind.MESSAGE, link=None, author=1):
        return Turn(id=1, kind=kind, text=text, author_id=author, label="Ada", link=link)

    def asked(self, *turns):
        return asked_tokens(turns, self.BUDGET, labelled=False)

    def test_a_question_takes_what_it_costs(self):
        question = self.said("Why is the sky blue?")

        assert self.asked(question, self.said("")) == turn_tokens(question, labelled=False)

    def test_a_quote_takes_its_share_at_most(self):
        short, long = (self.said("word " * words, kind=Kind.QUOTE) for words in (10, 1000))

        assert self.asked(short) == turn_tokens(short, labelled=False)
        assert 200 < self.asked(long) <= 200 + turn_tokens(self.said(""), labelled=False)

    def test_a_link_that_nobody_followed_yet_takes_a_whole_share(self):
        link = self.said("", kind=Kind.QUOTE, link=Link(channel_id=1, message_id=2), author=None)

        assert self.asked(link) >= 200

    def test_quotes_take_no_more_than_the_question_leaves(self):
        question, quote = self.said("x" * 750), self.said("word " * 1000, kind=Kind.QUOTE)

        assert self.asked(quote, question, quote, quote) == self.BUDGET.for_turns

    def test_a_question_that_does_not_fit_alone_takes_nothing(self):
        assert self.asked(self.said("x" * 4000)) is None


def test_a_budget_has_room_for_turns_beside_the_system_prompt():
    budget = TokenBudget(history_tokens=1000, system_tokens=100)

    assert (budget.for_turns, budget.kept, budget.most_of_a_quote) == (900, 450, 200)
    assert budget.most_of_a_summary == 90


def test_a_summary_takes_its_share_of_what_the_rate_leaves_and_one_of_a_lower_rate_stands():
    low = TokenBudget(history_tokens=1000, system_tokens=100, rate=0.5)
    usual, high = replace(low, rate=1.0), replace(low, rate=2.0)

    assert [each.most_of_a_summary for each in (low, usual, high)] == [90, 90, 40]
    assert high.for_a_summary("") == high.for_turns - 80
    longest = cut_to("word " * 100, tokens=usual.most_of_a_summary)
    assert not high.is_too_much(longest)
    assert high.for_a_summary(longest) == high.for_turns - 40 - estimate_tokens(longest)


@pytest.mark.parametrize(("system_tokens", "worth"), [(280, True), (300, False)])
def test_no_summary_is_asked_for_that_would_read_more_beside_the_turns_than_turns(system_tokens, worth):
    budget = TokenBudget(history_tokens=1400, system_tokens=system_tokens, rate=2.0)

    assert bool(budget.for_a_summary("")) is worth


class TestSummaries:
    """What will leave the window, and what is left when it has moved."""

    def test_nothing_is_to_leave_before_three_quarters_are_used(self):
        history = exchanges(9)
        budget = TokenBudget(history_tokens=cost(history) * 3 // 2, system_tokens=0)

        assert leaving(history, budget, labelled=False) == 0

    def test_then_as_much_as_will_be_dropped_when_the_budget_is_full(self):
        history = exchanges(9)
        budget = TokenBudget(history_tokens=cost(history) * 5 // 4, system_tokens=0)

        count = leaving(history, budget, labelled=False)

        assert history[count].role is Role.USER
        assert cost(history[: count - 2]) < budget.history_tokens / 2 <= cost(history[:count])

    def test_the_newest_exchange_never_leaves(self):
        history = [asks("a"), answers("b"), asks("tell me a story"), answers("once " * 300)]
        budget = TokenBudget(history_tokens=cost(history), system_tokens=0)

        assert leaving(history, budget, labelled=False) == 2
        assert leaving(history[2:], budget, labelled=False) == 0

    def test_all_before_the_newest_exchange_leaves_when_a_further_question_has_no_room_beside_it(self):
        history = [asks("a"), answers("b"), asks("tell me a story"), answers("once " * 300)]
        budget = TokenBudget(history_tokens=cost(history) * 5 // 4, system_tokens=0)

        assert leaving(history, budget, labelled=False) == 0
        assert leaving(history, budget, labelled=False, beside=budget.history_tokens // 6) == 2

    def test_so_it_does_when_a_summary_that_is_ready_would_leave_the_window_nearly_full(self):
        history = [asks("a"), answers("b"), asks("tell me a story"), answers("once " * 300)]
        budget = TokenBudget(history_tokens=cost(history) * 5 // 4, system_tokens=0)

        assert leaving(history, budget, labelled=False, is_rest=True) == 2

    def test_what_a_summary_leaves_stays_though_it_is_more_than_the_share(self):
        history = exchanges(8)[::-1]

        assert staying(history, room=cost(history), kept=50, labelled=False, summarised=10)[0] == 10

    def test_a_late_summary_does_not_make_the_window_move_twice(self):
        history = exchanges(8)[::-1]
        room = cost(history)

        count, used = staying(history, room=room, kept=room // 2, labelled=False, summarised=14)

        assert (count, used <= room // 2) == (8, True)

    def test_what_does_not_fit_beside_a_summary_goes_all_the_same(self):
        history = exchanges(8)[::-1]
        room = cost(history[:9])

        count, used = staying(history, room=room, kept=room // 2, labelled=False, summarised=10)

        assert 0 < count < 9
        assert used <= room // 2
