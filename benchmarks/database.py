"""Databases as they are after a long time, and what the disk under them costs."""

import json
import os
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from sqlalchemy import Insert, create_engine, delete, insert, select

from bot.core.messages import Kind, Role, TurnState
from bot.core.speakers import label_key
from bot.playground.loopback.default_world import founding_id
from bot.storage.schema import conversations, speakers, turns, watermarks
from bot.storage.turns import open_store

QUESTION = "And what about the other colours, on a day with clouds, or at sea, or high up in the mountains? " * 3
ANSWER = "They are scattered as well, only less, and where the drops are large they are all scattered alike. " * 3
GUILD_ID = 1
AUTHOR_ID = founding_id(1)  # who asks on the stage: nobody else has spoken
TURNS_ELSEWHERE_PER_CHANNEL = 200
FSYNCS = 200


async def fill(path: Path, histories: dict[int, int], *, turns_elsewhere: int = 0) -> None:
    """Make the database with so many turns in each channel, and *turns_elsewhere* in other channels."""
    url = f"sqlite:///{path}"
    async with open_store(url):
        pass  # created, and as the newest revision wants it
    others = range(1, turns_elsewhere // TURNS_ELSEWHERE_PER_CHANNEL + 1)
    everywhere = histories | dict.fromkeys(others, TURNS_ELSEWHERE_PER_CHANNEL)
    written = histories | dict.fromkeys(others[:1], TURNS_ELSEWHERE_PER_CHANNEL)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(insert(conversations), list(_conversations(everywhere)))
        connection.execute(insert(speakers), list(_speakers(everywhere)))
        connection.execute(insert(turns), list(_turns(written)))
        if others:
            connection.execute(_copy_conversation(len(written)))
    engine.dispose()


def forget_marks(url: str | None) -> None:
    """Let the next start be a first one: what other programs were asked is not to be caught up with."""
    if url is not None:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(delete(watermarks))
        engine.dispose()


def _copy_conversation(number: int) -> Insert:
    """Conversation *number*'s turns again, in every conversation behind it; a million rows in some seconds."""
    further = (conversations.c.id - number) * TURNS_ELSEWHERE_PER_CHANNEL
    moved = {
        "id": turns.c.id + further,
        "conversation_id": conversations.c.id,
        "message_id": turns.c.message_id + further,
        "answered_by": turns.c.answered_by + further,
    }
    copied = (
        select(*(moved.get(column.name, column) for column in turns.c))
        .select_from(turns.join(conversations, conversations.c.id > number))
        .where(turns.c.conversation_id == number)
        .order_by(conversations.c.id, turns.c.id)
    )
    return insert(turns).from_select(list(turns.c), copied)


def as_messages(histories: dict[int, int]) -> str:
    """The same histories as JSON, for programs without a database."""
    exchange = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    return json.dumps({channel: exchange * (length // 2) for channel, length in histories.items()})


def fsync_milliseconds(folder: Path) -> float:
    """The median time of making 4 KiB durable in *folder*."""
    samples = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            file.write(os.urandom(4096))
            before = time.perf_counter()
            os.fsync(file.fileno())
            samples.append((time.perf_counter() - before) * 1000)
    return statistics.median(samples)


def _conversations(histories: dict[int, int]) -> Iterator[dict]:
    for number, (channel, length) in enumerate(histories.items(), start=1):
        yield {
            "id": number,
            "channel_id": channel,
            "private_to": 0,
            "guild_id": GUILD_ID,
            "labelled": False,
            "next_position": length,
            "window_start": 0,
            "reset_position": 0,
            "created_at": datetime.now(UTC),
        }


def _speakers(histories: dict[int, int]) -> Iterator[dict]:
    for number, length in enumerate(histories.values(), start=1):
        if length:
            yield {
                "conversation_id": number,
                "author_id": AUTHOR_ID,
                "label": "you",
                "label_key": label_key("you"),
            }


def _turns(histories: dict[int, int]) -> Iterator[dict]:
    ids = count(1)
    for conversation, length in enumerate(histories.values(), start=1):
        for position in range(0, length, 2):
            question, answer = next(ids), next(ids)
            shared = {"conversation_id": conversation, "sent_at": datetime.now(UTC), "attempts": 1}
            # The answer first: the question refers to it.
            yield shared | {
                "id": answer,
                "position": position + 1,
                "role": Role.ASSISTANT,
                "kind": Kind.ANSWER,
                "state": TurnState.STANDING,
                "raw_text": ANSWER,
                "text": ANSWER,
                "author_id": None,
                "label": None,
                "message_id": None,
                "answered_by": None,
                "outcome": "complete",
            }
            yield shared | {
                "id": question,
                "position": position,
                "role": Role.USER,
                "kind": Kind.MESSAGE,
                "state": TurnState.ANSWERED,
                "raw_text": QUESTION,
                "text": QUESTION,
                "author_id": AUTHOR_ID,
                "label": "you",
                "message_id": question,
                "answered_by": answer,
                "outcome": None,
            }
