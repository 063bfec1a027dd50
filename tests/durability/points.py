"""The points at which a bot can be killed, and the faults that it can be made to have; all outside of `bot`."""

import functools
import os
import signal
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import discord
from discord.http import HTTPClient, Ratelimit

from bot.core.completions import Delta, Finished
from bot.core.conversation_queue import ConversationQueue
from bot.discord.missed_ranges import MissedRanges
from bot.llm.chat_model import OpenAIChatModel
from bot.storage import migrate
from bot.storage.turns import SqlTurnStore

Pass = Callable[[], None]  # the point is passed
Install = Callable[[Pass], None]

_posting: ContextVar[bool] = ContextVar("posting", default=False)


def before(owner: type, name: str, *, when: Callable[..., bool] = lambda *_args, **_kwargs: True) -> Install:
    return _around(owner, name, before=when)


def after(owner: type, name: str, *, when: Callable[..., bool] = lambda _result: True) -> Install:
    return _around(owner, name, after=when)


def _around(
    owner: type,
    name: str,
    *,
    before: Callable[..., bool] = lambda *_args, **_kwargs: False,
    after: Callable[..., bool] = lambda _result: False,
) -> Install:
    def install(passed: Pass) -> None:
        method = getattr(owner, name)

        @functools.wraps(method)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            if before(*args, **kwargs):
                passed()
            result = await method(*args, **kwargs)
            if after(result):
                passed()
            return result

        setattr(owner, name, wrapped)

    return install


def at_item(is_it: Callable[[int, object], bool]) -> Install:
    """Of the model's stream, before the bot gets it."""

    def install(passed: Pass) -> None:
        stream = OpenAIChatModel.stream

        async def wrapped(self: OpenAIChatModel, prompt: Any) -> Any:
            number = 0
            async for item in stream(self, prompt):
                number += 1
                if is_it(number, item):
                    passed()
                yield item

        OpenAIChatModel.stream = wrapped  # type: ignore[method-assign]

    return install


def is_post(_self: HTTPClient, route: discord.http.Route, **_kwargs: Any) -> bool:
    return route.method == "POST" and route.path == "/channels/{channel_id}/messages"


def in_the_librarys_sleep(passed: Pass) -> None:
    """A post is stored and answered; what the library does before it returns can take seconds."""
    request, leave = HTTPClient.request, Ratelimit.__aexit__

    async def noted(self: HTTPClient, route: discord.http.Route, **kwargs: Any) -> Any:
        token = _posting.set(is_post(self, route))
        try:
            return await request(self, route, **kwargs)
        finally:
            _posting.reset(token)

    async def left(self: Ratelimit, *how: Any) -> None:
        if _posting.get():
            passed()
        await leave(self, *how)

    HTTPClient.request = noted  # type: ignore[method-assign]
    Ratelimit.__aexit__ = left  # type: ignore[method-assign]


def in_migration(passed: Pass) -> None:
    """Everything is changed, nothing committed."""
    check = migrate._check_references

    def wrapped(connection: Any) -> None:
        check(connection)
        passed()

    migrate._check_references = wrapped


POINTS: dict[str, Install] = {
    "before the intake's commit": before(SqlTurnStore, "receive"),
    "after the intake's commit": after(SqlTurnStore, "receive"),
    "after a take-up": after(SqlTurnStore, "take_up", when=lambda taken: taken is not None),
    "before the model is asked": before(OpenAIChatModel, "_ask"),
    "after the first token": at_item(lambda number, _item: number == 1),
    "in mid-stream": at_item(lambda number, item: number == 5 and isinstance(item, Delta)),
    "after the last token": at_item(lambda _number, item: isinstance(item, Finished)),
    "after the text's commit": after(SqlTurnStore, "write_answer"),
    "before a post": before(HTTPClient, "request", when=is_post),
    "in the library's sleep": in_the_librarys_sleep,
    "after the message id's commit": after(SqlTurnStore, "part_posted"),
    "between parts": before(SqlTurnStore, "add_part", when=lambda *_args, part, **_kwargs: part.n == 1),
    "before it stands": before(SqlTurnStore, "stand"),
    "after it stands": after(SqlTurnStore, "stand"),
    "in catch-up": before(MissedRanges, "_take_one"),
    "in a migration": in_migration,
    "in the shutdown": before(ConversationQueue, "_all_end_within"),
}


def kill_at(point: str, *, hit: int) -> None:
    """`kill -9` when the point is passed for the *hit*th time."""
    left = hit

    def passed() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    POINTS[point](passed)
