"""Who looks back, and when: so often a minute, and one at a time."""

import asyncio

import pytest

from bot.core.admission import Admission, AdmissionLimits
from bot.core.archive import OwnTurns
from bot.core.history import TokenBudget
from bot.core.line import Line
from bot.core.look_ups import LookUps
from bot.core.messages import ConversationKey
from tests.fakes import FakeClock, no_budgets

HERE = ConversationKey(channel_id=10)


class Slow:
    """An archive without turns, which counts how many read it at the same time."""

    def __init__(self):
        self.reading = self.most = 0

    async def turns(self, key, *, before, most):
        return await self._read([])

    async def own_turns(self, person, *, before, most):
        return await self._read(OwnTurns())

    async def own_calls(self, person, *, before, most):
        return await self._read([])

    async def own_names(self, person):
        return await self._read([])

    async def _read(self, result):
        self.reading += 1
        self.most = max(self.most, self.reading)
        await asyncio.sleep(0)
        self.reading -= 1
        return result


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def archive():
    return Slow()


@pytest.fixture
def look_ups(archive, clock):
    limits = AdmissionLimits(per_minute_per_person=2)
    admission = Admission(Line(), clock=clock, limits=limits, budgets=no_budgets(clock))
    budget = TokenBudget(history_tokens=1_000, system_tokens=0)
    return LookUps(archive, budget=budget, admission=admission, clock=clock)


async def test_one_searches_at_a_time(look_ups, archive):
    await asyncio.gather(*(look_ups.recall(n, HERE, "zebra") for n in range(3)))

    assert archive.most == 1


@pytest.mark.parametrize("first", ["conversation", "own"])
@pytest.mark.parametrize("second", ["conversation", "own"])
async def test_one_file_is_in_memory_until_it_is_handed_over(look_ups, first, second):
    files = {
        "conversation": lambda: look_ups.exported_conversation(
            2, HERE, place="#here", bot="Confab", as_json=True, most_bytes=9_000
        ),
        "own": lambda: look_ups.exported_own(1, most_bytes=9_000),
    }
    happened = []

    async def export(which):
        async with files[which]() as made:
            happened.append(("made", made.count))
            await asyncio.sleep(0)
            happened.append("handed over")

    await asyncio.gather(export(first), export(second))

    assert happened == [("made", 0), "handed over"] * 2


async def test_a_person_looks_back_as_often_a_minute_as_they_may_ask(look_ups, clock):
    first = [look_ups.refuse(1) for _ in range(3)]
    of_another = look_ups.refuse(2)
    await clock.sleep(30)

    assert first[:2] == [None, None]
    assert first[2].user_message == "Please give me a moment: you can ask again in 30 seconds."
    assert (of_another, look_ups.refuse(1)) == (None, None)
