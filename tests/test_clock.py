"""The manual clock that other tests trust."""

import asyncio

import pytest

from tests.clock import START, ManualClock


async def test_time_stands_still_until_it_is_moved():
    clock = ManualClock()

    await clock.advance(90)

    assert clock.monotonic() == 90
    assert (clock.now() - START).total_seconds() == 90


async def test_sleepers_wake_in_order_and_at_their_own_time():
    clock = ManualClock()
    woken = []

    async def sleep(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep(5))
        group.create_task(sleep(2))
        await clock.until_sleeping(2)
        await clock.advance(4)
        assert woken == [(2, 2)]
        await clock.advance(10)

    assert woken == [(2, 2), (5, 5)]


async def test_who_sleeps_again_on_the_way_wakes_again_on_the_way():
    clock = ManualClock()
    times = []

    async def tick():
        for _ in range(3):
            await clock.sleep(1)
            times.append(clock.monotonic())

    ticking = asyncio.create_task(tick())
    await clock.advance(10)

    await ticking
    assert times == [1, 2, 3]


async def test_a_deadline_ends_by_the_clock():
    clock = ManualClock()

    async def wait():
        async with clock.deadline(3):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await clock.advance(2.9)
    assert not waiting.done()
    await clock.advance(0.2)

    with pytest.raises(TimeoutError):
        await waiting


async def test_a_moved_deadline_ends_at_its_new_time():
    clock = ManualClock()
    reached = []

    async def wait():
        async with clock.deadline(3) as deadline:
            await clock.sleep(2)
            deadline.move(3)
            await clock.sleep(2.5)
            reached.append(clock.monotonic())
            await clock.sleep(10)

    waiting = asyncio.create_task(wait())
    await clock.advance(20)

    with pytest.raises(TimeoutError):
        await waiting
    assert reached == [4.5]


async def test_a_deadline_kept_rings_for_nobody():
    clock = ManualClock()

    async with clock.deadline(3):
        await clock.sleep(0)
    await clock.advance(10)

    assert clock.monotonic() == 10


async def test_a_deadline_in_the_past_ends_at_once():
    clock = ManualClock()

    with pytest.raises(TimeoutError):
        async with clock.deadline(0):
            await asyncio.Event().wait()
