"""Who asks the model next."""

import asyncio

from bot.core.fair_slots import BACKGROUND, FairSlots
from bot.core.messages import ConversationKey

ADA, BOB, EVE = 1, 2, 3


def channel(number: int) -> ConversationKey:
    return ConversationKey(channel_id=number)


class Line:
    """Conversations that wait, and the order in which they are served."""

    def __init__(self, slots: FairSlots) -> None:
        self.slots = slots
        self.served: list[tuple[int, int]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.held = []

    async def join(self, number: int, person: int) -> None:
        async def wait():
            self.held.append(await self.slots.take(channel(number), person))
            self.served.append((number, person))

        self.tasks.append(asyncio.create_task(wait()))
        await asyncio.sleep(0)

    async def one_ends(self) -> None:
        self.held.pop(0).give_back()
        await asyncio.sleep(0)


async def test_a_flood_over_many_channels_waits_behind_everybody_else():
    line = Line(FairSlots(2))
    for number in range(6):
        await line.join(number, EVE)
    await line.join(10, ADA)
    await line.join(11, BOB)

    for _ in range(4):
        await line.one_ends()

    assert [person for _, person in line.served] == [EVE, EVE, ADA, BOB, EVE, EVE]


async def test_with_one_slot_people_take_turns():
    line = Line(FairSlots(1))
    for number in range(4):
        await line.join(number, EVE)
    for number in (10, 11):
        await line.join(number, ADA)

    for _ in range(5):
        await line.one_ends()

    assert [person for _, person in line.served] == [EVE, ADA, EVE, ADA, EVE, EVE]


async def test_what_nobody_waits_for_comes_after_everybody():
    line = Line(FairSlots(1))
    for number, person in enumerate((ADA, BACKGROUND, ADA, EVE)):
        await line.join(number, person)

    for _ in range(3):
        await line.one_ends()

    assert [person for _, person in line.served] == [ADA, EVE, ADA, BACKGROUND]


async def test_one_persons_conversations_go_by_age():
    line = Line(FairSlots(1))
    for number in (5, 3, 4):
        await line.join(number, EVE)
    assert line.slots.ahead_of(channel(4)) == 1

    await line.one_ends()
    await line.one_ends()

    assert [number for number, _ in line.served] == [5, 3, 4]


async def test_a_slot_given_back_between_attempts_serves_somebody_else_meanwhile():
    slots = FairSlots(1)
    slot = slots.take_at_once(channel(1), EVE)
    assert slots.take_at_once(channel(2), ADA) is None

    slot.give_back()
    slot.give_back()
    other = slots.take_at_once(channel(2), ADA)
    again = asyncio.create_task(slot.take())
    await asyncio.sleep(0)
    assert not again.done()

    other.give_back()
    await again
    assert slots.take_at_once(channel(2), ADA) is None


async def test_who_gives_up_waiting_holds_nothing():
    line = Line(FairSlots(1))
    for number, person in ((1, EVE), (2, ADA), (3, BOB)):
        await line.join(number, person)

    line.tasks[1].cancel()
    line.held[0].give_back()
    line.tasks[2].cancel()  # it was granted its slot, and never saw it
    await asyncio.gather(*line.tasks, return_exceptions=True)

    assert line.slots.waiting == 0
    assert line.slots.take_at_once(channel(4), EVE) is not None
