"""Writes down, around a bot in this process, what it heard, what it has dealt with, and what it asked the model.

A prompt is judged by what was dealt with before its turn was taken up: what comes later reaches only the next one.
"""

import asyncio
import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from bot.core.errors import BotError
from bot.core.intake import Intake
from bot.discord.client import ConfabClient
from bot.discord.commands import Commands
from bot.llm.chat_model import OpenAIChatModel
from bot.storage.database import Database
from bot.storage.turns import SqlTurnStore

HANDLERS = ("on_message", "on_raw_message_edit", "on_raw_message_delete", "on_raw_bulk_message_delete")

_dealt_with: ContextVar[int] = ContextVar("dealt_with", default=0)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A prompt, and how much of the ledger's `dealt_with` was there when its turn was taken up."""

    text: str
    dealt_with: int


@dataclass(kw_only=True)
class Ledger:
    """*dealt_with*: ids of deleted messages, of edited ones with their new words, of conversations begun anew."""

    dealt_with: list[tuple[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    together: list[frozenset[int]] = field(default_factory=list)  # the questions of each take-up
    heard: set[int] = field(default_factory=set)  # messages and commands that were handled to their end
    at_work: int = 0  # events that are being handled
    faults: list[Exception] = field(default_factory=list)  # of ours, that ended the handling of one
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def open(self) -> Iterator[None]:
        with ExitStack() as stack:
            for owner, name, wrapping in (
                *((ConfabClient, name, self._handling) for name in HANDLERS),
                (Commands, "_call", self._handling),
                (Intake, "deleted", self._deleting),
                (Intake, "edited", self._editing),
                (Intake, "reset", self._resetting),
                (SqlTurnStore, "take_up", self._taking_up),
                (SqlTurnStore, "receive", self._receiving),
                (Database, "_carry_out", self._storing),
            ):
                method = getattr(owner, name)
                stack.enter_context(patch.object(owner, name, functools.wraps(method)(wrapping(method))))
            stream = OpenAIChatModel.stream
            stack.enter_context(patch.object(OpenAIChatModel, "stream", self._asking(stream)))
            yield

    def _handling(self, method: Callable) -> Callable:
        async def handle(client: Any, event: Any) -> None:
            self.at_work += 1
            try:
                await method(client, event)
                self.heard.add(getattr(event, "id", 0))
            except BotError:  # the bot is being stopped
                raise
            except Exception as error:
                self.faults.append(error)
                raise
            finally:
                self.at_work -= 1
                self.changed.set()

        return handle

    def _deleting(self, method: Callable) -> Callable:
        async def delete(intake: Any, message_ids: Any) -> None:
            await method(intake, message_ids)
            self.dealt_with += [("deleted", message_id) for message_id in message_ids]

        return delete

    def _editing(self, method: Callable) -> Callable:
        async def edited(intake: Any, edit: Any) -> None:
            await method(intake, edit)
            self.dealt_with.append(("edited", (edit.message_id, edit.raw_text)))

        return edited

    def _resetting(self, method: Callable) -> Callable:
        async def reset(intake: Any, key: Any) -> None:
            await method(intake, key)
            self.dealt_with.append(("reset", (key.channel_id, key.private_to)))

        return reset

    def _taking_up(self, method: Callable) -> Callable:
        async def take_up(store: Any, key: Any, **how: Any) -> Any:
            _dealt_with.set(len(self.dealt_with))
            return self._note(await method(store, key, **how))

        return take_up

    def _receiving(self, method: Callable) -> Callable:
        async def receive(store: Any, message: Any, **how: Any) -> Any:
            _dealt_with.set(len(self.dealt_with))
            received = await method(store, message, **how)
            self._note(received.taken_up)
            return received

        return receive

    def _note(self, taken: Any) -> Any:
        if taken is not None:
            self.together.append(frozenset(turn.message_id for turn in taken.questions))
        return taken

    def _asking(self, stream: Callable) -> Callable:
        def ask(model: Any, prompt: Any) -> Any:
            text = "\n".join(str(message) for message in prompt.messages)
            self.asked.append(Asked(text=text, dealt_with=_dealt_with.get()))
            return stream(model, prompt)

        return ask

    def _storing(self, method: Callable) -> Callable:
        async def carry_out(database: Any, units: Any) -> Any:
            try:
                return await method(database, units)
            finally:
                self.changed.set()

        return carry_out
