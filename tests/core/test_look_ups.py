"""Who looks back, and when: so often a minute, one at a time, and in a fair order."""

import asyncio

import pytest

from bot.core.admission import Admission, AdmissionLimits
from bot.core.archive import OwnTurns
from bot.core.as_told import AsTold
from bot.core.changes import Changes
from bot.core.errors import DiscordUnavailable, TooManyWaiting
from bot.core.line import Line
from bot.core.look_ups import ONE_WAITS, SECONDS_TO_HAND_OVER, LookUps
from bot.core.messages import ConversationKey
from bot.core.tokens import TokenBudget
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

    async def own_summaries(self, person):
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
    return look_ups_over(archive, clock)


def look_ups_over(archive, clock):
    admission = Admission(
        Line(), clock=clock, limits=AdmissionLimits(per_minute_per_person=2), budgets=no_budgets(clock)
    )
    budget = TokenBudget(history_tokens=1_000, system_tokens=0)
    return LookUps(
        archive, as_told=AsTold(Changes(clock), archive), budget=lambda: budget, admission=admission, clock=clock
    )


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


class Held(Slow):
    """An archive whose readers wait until they are let go, and which notes the conversations they read."""

    def __init__(self):
        super().__init__()
        self.read = []
        self.is_read, self.let_go = asyncio.Event(), asyncio.Event()

    async def turns(self, key, *, before, most):
        self.read.append(key.channel_id)
        self.is_read.set()
        await self.let_go.wait()
        return []


async def test_whoever_searched_last_waits_for_everybody_else(clock):
    archive = Held()
    look_ups = look_ups_over(archive, clock)
    async with asyncio.TaskGroup() as tasks:
        for person, channel in [(1, 10), (1, 11), (2, 20), (3, 30)]:
            tasks.create_task(look_ups.recall(person, ConversationKey(channel_id=channel), "zebra"))
        await archive.is_read.wait()
        archive.let_go.set()

    assert archive.read == [10, 20, 30, 11]


async def test_of_each_person_one_search_waits(clock):
    archive = Held()
    look_ups = look_ups_over(archive, clock)
    async with asyncio.TaskGroup() as tasks:
        for person in [1, 1, 2]:
            tasks.create_task(look_ups.recall(person, HERE, "zebra"))
        await archive.is_read.wait()
        with pytest.raises(TooManyWaiting) as refused:
            await asyncio.wait_for(look_ups.recall(1, HERE, "zebra"), 10)
        archive.let_go.set()

    assert refused.value.user_message == ONE_WAITS
    assert len(archive.read) == 3
    await look_ups.recall(1, HERE, "zebra")


async def test_whoever_gave_up_waiting_may_search_again(clock):
    archive = Held()
    look_ups = look_ups_over(archive, clock)
    searches = [asyncio.create_task(look_ups.recall(1, HERE, "zebra")) for _ in range(2)]
    await archive.is_read.wait()
    searches[1].cancel()
    await asyncio.wait({searches[1]})
    archive.let_go.set()

    await asyncio.gather(searches[0], look_ups.recall(1, HERE, "zebra"))


@pytest.mark.parametrize("which", ["conversation", "own"])
async def test_a_file_that_is_not_taken_in_time_holds_nobody_up(look_ups, clock, which):
    files = {
        "conversation": lambda: look_ups.exported_conversation(
            1, HERE, place="#here", bot="Confab", as_json=True, most_bytes=9_000
        ),
        "own": lambda: look_ups.exported_own(1, most_bytes=9_000),
    }

    async def hand_over_for_ever():
        async with files[which]():
            await asyncio.Event().wait()

    handing_over = asyncio.create_task(hand_over_for_ever())
    await clock.passes(SECONDS_TO_HAND_OVER)
    with pytest.raises(DiscordUnavailable):
        await handing_over

    async with asyncio.timeout(10), look_ups.exported_own(2, most_bytes=9_000) as made:
        assert made.count == 0


async def test_a_person_looks_back_as_often_a_minute_as_they_may_ask(look_ups, clock):
    first = [look_ups.admit(1) for _ in range(3)]
    of_another = look_ups.admit(2)
    await clock.sleep(30)

    assert first[:2] == [None, None]
    assert first[2].user_message == "Please give me a moment: you can ask again in 30 seconds."
    assert (of_another, look_ups.admit(1)) == (None, None)
