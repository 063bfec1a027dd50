"""Who is taken on, who is refused, and how often they hear it."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.core import admission
from bot.core.admission import Admission, AdmissionLimits
from bot.core.budgets import Amount, Budget, Budgets, Limit, Payer, Scope
from bot.core.line import Line
from bot.core.messages import WaitingQuestion, snowflake_at
from bot.core.periods import Period
from tests.clock import START, ManualClock
from tests.fakes import message

UNBOUNDED = {
    "waiting_per_person": 0,
    "waiting_per_channel": 0,
    "waiting": 0,
    "per_minute_per_person": 0,
    "per_minute_per_channel": 0,
}


class Door:
    def __init__(self, budgets: Sequence[Budget] = (), **limits: int) -> None:
        self.line = Line()
        self.clock = ManualClock()
        self.budgets = Budgets(budgets, least=Amount(tokens=10), clock=self.clock)
        self.admission = Admission(
            self.line, clock=self.clock, limits=AdmissionLimits(**UNBOUNDED | limits), budgets=self.budgets
        )

    def come(self, id_: int, *, missed: bool = False, **who: int) -> str:
        """What comes of a question: it waits, or what its author reads, or nothing."""
        question = message("q", id=id_, **who)
        refusal = self.admission.admit(question, missed=missed)
        if refusal is None:
            self.line.join(
                WaitingQuestion(
                    key=question.key, kind=question.kind, author_id=question.author_id, address=question.address
                ),
                since=0.0,
            )
            return "waits"
        return "" if refusal.told else refusal.error.user_message

    def take_up(self, id_: int, **where: int) -> None:
        self.line.leave(message("q", id=id_, **where).key, [id_])


def test_one_person_s_waiting_messages_are_bounded_wherever_they_are():
    door = Door(waiting_per_person=2)

    came = [door.come(1), door.come(2, channel=11), door.come(3), door.come(4, author=2)]

    assert came == [
        "waits",
        "waits",
        "2 messages of yours are waiting for me already. Please let me answer them first.",
        "waits",
    ]


def test_a_channel_s_waiting_messages_are_bounded():
    door = Door(waiting_per_channel=1)

    assert [door.come(1), door.come(2, author=2), door.come(3, author=2, channel=11)] == [
        "waits",
        "1 message is waiting for me in this channel. Please ask again when I've caught up.",
        "waits",
    ]


def test_all_that_waits_is_bounded():
    door = Door(waiting=1)

    door.come(1)

    assert "more to answer right now than I can" in door.come(2, author=2, channel=11)


def test_a_refusal_is_said_once_and_stands_until_there_is_room():
    door = Door(waiting_per_person=1)
    door.come(1)

    first, second, elsewhere = door.come(2), door.come(3), door.come(4, channel=11)
    door.take_up(1)
    after = door.come(5)
    again = door.come(6)

    assert (bool(first), second, bool(elsewhere)) == (True, "", True)
    assert after == "waits"
    assert again == first


def test_questions_a_minute_are_counted_and_the_refusal_says_when_to_ask_again():
    door = Door(per_minute_per_person=2)

    came = [door.come(1), door.come(2), door.come(3), door.come(4, author=2)]

    assert came == ["waits", "waits", "Please give me a moment: you can ask again in 30 seconds.", "waits"]


async def test_after_that_time_one_may_ask_again():
    door = Door(per_minute_per_person=2)
    door.come(1)
    door.come(2)

    await door.clock.advance(29.9)
    early = door.come(3)
    await door.clock.advance(0.1)

    assert early.endswith("in 1 second.")
    assert door.come(4) == "waits"


def test_a_channel_s_questions_a_minute_are_counted():
    door = Door(per_minute_per_channel=1)

    assert [door.come(1), door.come(2, author=2)] == [
        "waits",
        "This channel has asked me a lot just now. I can take the next in 60 seconds.",
    ]


@pytest.mark.parametrize("limits", [{"waiting_per_person": 1}, {"per_minute_per_person": 1}])
def test_a_message_that_is_told_of_twice_counts_once_and_is_not_refused(limits):
    door = Door(**limits)

    assert [door.come(1), door.come(1)] == ["waits", "waits"]


def test_a_refused_message_takes_no_place_and_no_turn_of_the_minute():
    door = Door(waiting_per_person=1, per_minute_per_channel=2)
    door.come(1)
    door.come(2)
    door.come(3)

    assert door.come(4, author=2) == "waits"


def sent(minute: int, n: int) -> int:
    """The id of the minute's n-th message."""
    return snowflake_at(START + timedelta(minutes=minute)) + n


def test_what_was_missed_is_judged_by_the_minute_it_was_sent_in_and_not_by_who_waits():
    door = Door(per_minute_per_person=1, waiting_per_person=1, waiting_per_channel=1, waiting=1)

    assert [door.come(sent(minute, 0), missed=True) for minute in (3, 1, 2)] == ["waits"] * 3


@pytest.mark.parametrize(("bound", "who"), [("person", "you"), ("channel", "this channel")])
def test_too_much_of_one_minute_that_was_missed_is_refused_once(bound, who):
    door = Door(**{f"per_minute_per_{bound}": 2})

    came = [door.come(sent(1, n), missed=True) for n in range(4)]
    later = [door.come(sent(2, n), missed=True) for n in range(3)]

    told = f"Catching up, I found that {who} sent me more within a minute than I take on. I won't answer the rest."
    assert came == ["waits", "waits", told, ""]
    assert later == ["waits", "waits", ""]


@pytest.mark.parametrize("limits", [{"waiting_per_person": 1}, {"per_minute_per_person": 1}])
def test_what_was_refused_is_not_judged_anew_when_it_is_read_again(limits):
    door = Door(**limits)
    door.come(sent(0, 0))
    assert door.come(sent(0, 1))
    door.come(sent(0, 2))
    door.take_up(sent(0, 0))

    assert [door.come(sent(0, n), missed=True) for n in (1, 2)] == ["", ""]


async def test_what_was_refused_is_not_judged_anew_when_it_is_told_again():
    door = Door(per_minute_per_person=1)
    door.come(1)
    assert door.come(2)

    await door.clock.advance(60)

    assert door.come(2) == ""
    assert door.come(3) == "waits"


def test_no_more_refused_messages_are_known_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(admission, "REFUSALS_KEPT", 1)
    door = Door(waiting_per_person=1)
    for n in range(3):
        door.come(sent(n, 0))

    assert [door.come(sent(n, 0), missed=True) for n in (2, 1)] == ["", "waits"]


@pytest.mark.parametrize("bound", ["person", "channel"])
def test_what_was_heard_counts_for_its_minute_when_more_of_it_was_missed(bound):
    door = Door(**{f"per_minute_per_{bound}": 2})
    door.come(sent(1, 0))

    came = [door.come(sent(1, n), missed=True) for n in (1, 2)]

    assert came[0] == "waits"
    assert "more within a minute than I take on" in came[1]


def test_what_was_missed_takes_no_turn_of_this_minute():
    door = Door(per_minute_per_person=1)

    assert [door.come(sent(1, 0), missed=True), door.come(sent(9, 0))] == ["waits", "waits"]


def test_without_bounds_everybody_is_taken_on():
    door = Door()

    assert {door.come(id_, missed=id_ % 2 == 0) for id_ in range(1, 200)} == {"waits"}


def daily(scope, most):
    return Budget(scope=scope, period=Period.DAY, limit=Limit(most=most))


def use(door: Door, tokens: int) -> None:
    door.budgets.settle(
        door.budgets.reserve(Payer(person=1, channel_id=10, guild_id=5), Amount(tokens=0)), Amount(tokens=tokens)
    )


async def test_a_budget_that_is_used_up_is_told_once_until_it_begins_anew():
    door = Door(budgets=[daily(Scope.PERSON, 100)])
    use(door, 95)

    came = [door.come(1), door.come(2), door.come(3, author=2), door.come(4, channel=11)]
    await door.clock.advance(86_400)

    assert [each[:31] for each in came] == [
        "Your budget for today (100 toke",
        "",
        "waits",
        "Your budget for today (100 toke",
    ]
    assert door.come(5) == "waits"


async def test_another_budget_is_told_although_one_was_told_before():
    door = Door(budgets=[daily(Scope.PERSON, 100), daily(Scope.SERVER, 120)])
    use(door, 95)
    first = door.come(1)
    today = Period.DAY.start(START)
    door.budgets.start_with(daily(Scope.SERVER, 120), {5: Amount(tokens=115)}, begun=today)
    door.budgets.start_with(daily(Scope.PERSON, 100), {1: Amount(tokens=0)}, begun=today)

    assert first.startswith("Your budget")
    assert door.come(2).startswith("This server's budget")
    assert door.come(3) == ""


def test_a_refused_question_takes_nothing_of_the_minute():
    door = Door(budgets=[daily(Scope.PERSON, 100)], per_minute_per_channel=1)
    use(door, 95)

    assert door.come(1).startswith("Your budget")
    assert door.come(2, author=2) == "waits"


def test_after_a_refusal_that_could_not_be_told_the_next_one_is():
    door = Door(per_minute_per_person=1)
    door.come(1, missed=True)
    first = door.come(2, missed=True)

    door.admission.could_not_tell(message("q", id=2))

    assert first
    assert [door.come(3, missed=True), door.come(4, missed=True)] == [first, ""]
