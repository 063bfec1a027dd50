"""What fits into budgets, what comes back, and when they begin anew."""

import asyncio
from datetime import UTC, datetime

import pytest

from bot.core import budgets as module
from bot.core.budgets import Amount, Budget, Budgets, Limit, Payer, Scope
from bot.core.errors import BudgetUsedUp
from bot.core.periods import Period
from tests.clock import ManualClock

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
A_DAY = 86_400
MIDNIGHT = int(datetime(2026, 11, 27, tzinfo=UTC).timestamp())
NEXT_MONTH = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
RESETS_WITH_THE_MONTH = f"It resets <t:{NEXT_MONTH}:R> (1 December, 00:00 UTC)."
ADA = Payer(person=1, channel_id=10, guild_id=5)
BEN = Payer(person=2, channel_id=11, guild_id=6)
TEN = Amount(tokens=10, nanodollars=1_000_000)
NOTHING = Amount(tokens=0, nanodollars=0)


def budget(scope, most, *, period=Period.DAY, in_dollars=False):
    return Budget(scope=scope, period=period, limit=Limit(most=most, in_dollars=in_dollars))


class Purse:
    def __init__(self, *budgets: Budget) -> None:
        self.clock = ManualClock(NOON)
        self.near: list[tuple[Scope, int, int]] = []
        self.budgets = Budgets(
            budgets,
            least=TEN,
            clock=self.clock,
            nearly=lambda pot, used: self.near.append((pot.budget.scope, pot.id, used)),
        )

    def use(self, payer: Payer, amount: Amount = TEN) -> None:
        self.budgets.settle(self.budgets.reserve(payer, amount), amount)

    def refusal(self, payer: Payer = ADA) -> str:
        refused = self.budgets.refuse(payer)
        return refused.user_message if refused else ""


def test_what_is_reserved_is_not_there_for_others_and_comes_back():
    budgets = Purse(budget(Scope.TOTAL, 25)).budgets
    first, second = budgets.reserve(ADA, TEN), budgets.reserve(BEN, TEN)

    assert budgets.reserve(ADA, TEN) is None
    budgets.settle(first, NOTHING)
    assert budgets.reserve(ADA, TEN) is not None
    assert second is not None


def test_what_does_not_fit_whatever_comes_back_is_refused_at_once():
    purse = Purse(budget(Scope.TOTAL, 25))
    purse.use(ADA)
    purse.use(ADA)

    with pytest.raises(BudgetUsedUp):
        purse.budgets.reserve(BEN, TEN)


def test_what_no_day_s_budget_pays_for_is_not_called_used_up():
    purse = Purse(budget(Scope.PERSON, 25))

    for _ in range(2):  # whether something is used or nothing
        with pytest.raises(BudgetUsedUp) as refused:
            purse.budgets.reserve(ADA, Amount(tokens=26))
        assert refused.value.user_message == (
            "With what was said here before, this may take 26 tokens, more than your budget for today pays for "
            "(25 tokens). After /reset, or in fewer words, it takes less."
        )
        purse.use(ADA)


async def test_who_waits_for_room_wakes_when_something_is_counted():
    budgets = Purse(budget(Scope.TOTAL, 10)).budgets
    held = budgets.reserve(ADA, TEN)
    waiting = [asyncio.create_task(budgets.room()) for _ in range(2)]
    await asyncio.sleep(0)

    budgets.settle(held, NOTHING)

    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)


@pytest.mark.parametrize(
    ("scope", "theirs", "others"),
    [
        (Scope.PERSON, Payer(person=1, channel_id=99, guild_id=None), Payer(person=2, channel_id=10, guild_id=5)),
        (Scope.CHANNEL, Payer(person=2, channel_id=10, guild_id=5), Payer(person=1, channel_id=11, guild_id=5)),
        (Scope.SERVER, Payer(person=2, channel_id=11, guild_id=5), Payer(person=1, channel_id=10, guild_id=6)),
    ],
)
def test_a_budget_holds_for_its_own_person_channel_or_server(scope, theirs, others):
    purse = Purse(budget(scope, 15))
    purse.use(ADA)

    assert purse.refusal(theirs)
    assert not purse.refusal(others)


def test_a_direct_message_is_on_no_server_s_budget():
    purse = Purse(budget(Scope.SERVER, 10))
    direct = Payer(person=1, channel_id=10, guild_id=None)

    for _ in range(3):
        purse.use(direct)

    assert not purse.refusal(direct)


def test_dollars_are_counted_where_the_budget_is_in_dollars():
    purse = Purse(budget(Scope.TOTAL, 1_500_000, in_dollars=True))

    purse.use(ADA, Amount(tokens=1_000_000, nanodollars=500_000))
    assert not purse.refusal()
    purse.use(ADA, Amount(tokens=1, nanodollars=500_001))
    assert purse.refusal()


@pytest.mark.parametrize(
    ("scope", "period", "limit", "sentence"),
    [
        (
            Scope.PERSON,
            Period.DAY,
            Limit(most=15),
            f"Your budget for today (15 tokens) is used up. It resets <t:{MIDNIGHT}:R> (00:00 UTC).",
        ),
        (
            Scope.CHANNEL,
            Period.MONTH,
            Limit(most=15),
            f"This channel's budget for this month (15 tokens) is used up. {RESETS_WITH_THE_MONTH}",
        ),
        (
            Scope.SERVER,
            Period.DAY,
            Limit(most=1_500_000, in_dollars=True),
            f"This server's budget for today ($0.0015) is used up. It resets <t:{MIDNIGHT}:R> (00:00 UTC).",
        ),
        (
            Scope.TOTAL,
            Period.DAY,
            Limit(most=15),
            f"My budget for today (15 tokens) is used up. It resets <t:{MIDNIGHT}:R> (00:00 UTC).",
        ),
    ],
)
def test_a_refusal_names_the_limit_and_when_it_resets(scope, period, limit, sentence):
    purse = Purse(Budget(scope=scope, period=period, limit=limit))
    purse.use(ADA)

    assert purse.refusal() == sentence


def test_of_several_that_are_used_up_the_one_that_resets_last_is_named():
    purse = Purse(budget(Scope.PERSON, 15), budget(Scope.SERVER, 15, period=Period.MONTH), budget(Scope.TOTAL, 15))
    purse.use(ADA)

    assert purse.refusal().startswith("This server's budget for this month")


async def test_at_midnight_a_day_begins_anew_and_a_month_goes_on():
    day, month = Purse(budget(Scope.TOTAL, 15)), Purse(budget(Scope.TOTAL, 15, period=Period.MONTH))
    for purse in (day, month):
        purse.use(ADA)
        await purse.clock.advance(A_DAY)

    assert not day.refusal()
    assert month.refusal()
    await month.clock.advance(4 * A_DAY)
    assert not month.refusal()


async def test_what_was_reserved_before_midnight_is_counted_there():
    purse = Purse(budget(Scope.TOTAL, 15))
    held = purse.budgets.reserve(ADA, TEN)
    await purse.clock.advance(A_DAY)

    purse.budgets.settle(held, TEN)

    assert not purse.refusal()


def test_what_was_used_before_the_start_is_used():
    purse = Purse(budget(Scope.PERSON, 15))

    purse.budgets.start_with(next(iter(purse.budgets)), {1: TEN}, begun=Period.DAY.start(NOON))

    assert purse.refusal(ADA)
    assert not purse.refusal(BEN)


def test_four_fifths_are_nearly_all():
    purse = Purse(budget(Scope.SERVER, 50))
    for _ in range(3):
        purse.use(ADA)
    assert purse.near == []

    purse.use(ADA)

    assert purse.near == [(Scope.SERVER, 5, 40)]


def test_of_what_is_used_up_it_is_told_at_each_refusal_too():
    purse = Purse(budget(Scope.TOTAL, 10))
    purse.use(ADA)

    purse.refusal()

    assert purse.near == [(Scope.TOTAL, 0, 10)] * 2


async def test_days_that_are_over_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(module, "POTS_KEPT", 3)
    purse = Purse(budget(Scope.PERSON, 15))
    held = purse.budgets.reserve(Payer(person=100, channel_id=10, guild_id=5), TEN)
    for person in range(3):
        purse.use(Payer(person=person, channel_id=10, guild_id=5))
    await purse.clock.advance(A_DAY)

    purse.use(ADA)

    assert {pot.id for pot in purse.budgets._used} == {ADA.person, 100}
    purse.budgets.settle(held, TEN)
    assert purse.budgets.reserve(ADA, Amount(tokens=5)) is not None
