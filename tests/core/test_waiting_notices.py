"""Who waits is told so, once, and how many come first."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from bot.core.errors import Undeliverable
from bot.core.line import Line
from bot.core.messages import Kind, WaitingQuestion
from bot.core.waiting_notices import SECONDS_BEFORE_NOTICE, WaitingNotices
from tests.clock import ManualClock
from tests.fakes import FakeReplies, message


class Room:
    """*told*: message ids of those who were told that they wait."""

    def __init__(self) -> None:
        self.line = Line()
        self.clock = ManualClock()
        self.replies = FakeReplies()
        self.notices = WaitingNotices(
            self.line,
            replies=self.replies,
            clock=self.clock,
            ahead_of=lambda question: len(self.line.ahead_of(question)),
        )

    def join(self, id_: int, *, stored: bool = True, **who) -> None:
        question = message("q", id=id_, **who)
        self.line.join(
            WaitingQuestion(
                key=question.key, kind=question.kind, author_id=question.author_id, address=question.address
            ),
            since=self.clock.monotonic(),
            stored=stored,
        )

    def leave(self, id_: int) -> None:
        self.line.leave(message("q", id=id_).key, [id_])

    @property
    def told(self) -> list[int]:
        return [id_ for id_, _ in self.replies.waiting]


@pytest.fixture
async def room():
    async with _working() as room:
        yield room


@asynccontextmanager
async def _working():
    room = Room()
    running = asyncio.create_task(room.notices.run())
    try:
        yield room
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_who_waits_for_five_seconds_is_told_once(room):
    room.join(1)

    await room.clock.advance(SECONDS_BEFORE_NOTICE - 0.1)
    before = list(room.told)
    await room.clock.advance(60)

    assert before == []
    assert room.replies.waiting == [(1, "I've got your message, and you're next. My answer will appear here.")]


async def test_the_notice_says_how_many_come_first(room):
    room.join(1)
    room.join(2, author=2)
    room.join(3, author=3)

    await room.clock.advance(SECONDS_BEFORE_NOTICE)

    assert [sentence.partition(". ")[2] for _, sentence in room.replies.waiting][1:] == [
        "1 other comes first; my answer will appear here.",
        "2 others come first; my answer will appear here.",
    ]


async def test_who_is_taken_up_before_is_not_told(room):
    room.join(1)
    await room.clock.advance(1)

    room.leave(1)
    await room.clock.advance(60)

    assert room.told == []


async def test_neighbours_of_one_author_are_told_together(room):
    room.join(1)
    await room.clock.advance(1)
    room.join(2)
    room.join(3, author=2)
    room.join(4)

    await room.clock.advance(SECONDS_BEFORE_NOTICE)

    assert room.told == [1, 3, 4]


async def test_who_was_told_with_a_neighbour_is_told_when_left_behind(room):
    room.join(1)
    room.join(2)
    await room.clock.advance(SECONDS_BEFORE_NOTICE)

    room.leave(1)
    await room.clock.advance(SECONDS_BEFORE_NOTICE)

    assert room.told == [1, 2]


async def test_each_chat_command_is_told_by_itself(room):
    room.join(1)
    room.join(2, kind=Kind.SLASH)

    await room.clock.advance(SECONDS_BEFORE_NOTICE)

    assert room.told == [1, 2]


async def test_a_question_whose_row_is_not_written_yet_is_not_told(room):
    room.join(1, stored=False)

    await room.clock.advance(60)

    assert room.told == []


async def test_a_notice_that_discord_does_not_take_harms_nobody(room, caplog):
    room.replies.fault = Undeliverable("HTTP 403")
    room.join(1)
    room.join(2, author=2)

    await room.clock.advance(SECONDS_BEFORE_NOTICE)
    room.join(3, author=3)
    await room.clock.advance(SECONDS_BEFORE_NOTICE)

    assert room.told == [1, 2, 3]
