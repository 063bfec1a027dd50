"""Whoever runs the bot hears once when a server's budget, or that of all, is nearly used up."""

import asyncio
import logging
from typing import Protocol

from bot.core.budgets import Pot, Scope
from bot.core.errors import BotError, DatabaseUnavailable, DiscordUnavailable

log = logging.getLogger(__name__)

SECONDS_TO_TELL = 2.0  # when the bot is stopped


class Owner(Protocol):
    async def tell(self, sentence: str, *, occasion: str, server: int | None) -> None:
        """Say it in private, once per *occasion*; *server*: which it is about. Raises BotError."""


class Facts(Protocol):
    """As TurnStore's."""

    async def read_fact(self, name: str) -> str | None: ...

    async def write_fact(self, name: str, value: str) -> None: ...


class BudgetNotices:
    def __init__(self, *, owner: Owner, store: Facts) -> None:
        self._owner = owner
        self._store = store
        self._told: set[Pot] = set()
        self._telling: set[asyncio.Task[None]] = set()

    def nearly(self, pot: Pot, used: int) -> None:
        """Of this much is used; returns at once."""
        if pot.budget.scope not in (Scope.SERVER, Scope.TOTAL) or pot in self._told:
            return
        self._told = {told for told in self._told if told.begun >= pot.begun or told.budget != pot.budget} | {pot}
        task = asyncio.create_task(self._tell(pot, used))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """What is under way has a moment. Who was not told then hears after the next start."""
        if self._telling:
            _, late = await asyncio.wait(self._telling, timeout=SECONDS_TO_TELL)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _tell(self, pot: Pot, used: int) -> None:
        limit = pot.budget.limit
        name = f"budget_told:{pot.budget.scope}:{pot.id}:{pot.budget.period}"
        occasion = f"{pot.begun.isoformat()} {limit.most} {'nanodollars' if limit.in_dollars else 'tokens'}"
        try:
            if await self._store.read_fact(name) == occasion:  # before a restart
                return
            if await self._say(pot, _words(pot, used), f"{name}:{occasion}"):
                await self._store.write_fact(name, occasion)
        except DatabaseUnavailable as error:
            log.warning("that the owner was told of a budget could not be stored: %s", error)
            self._told.discard(pot)

    async def _say(self, pot: Pot, sentence: str, occasion: str) -> bool:
        """Whether they took it. It is tried again after a restart, and sooner where Discord was away."""
        server = pot.id if pot.budget.scope is Scope.SERVER else None
        try:
            await self._owner.tell(sentence, occasion=occasion, server=server)
        except BotError as error:
            log.warning("the owner could not be told (%s) that: %s", error, sentence)
            if isinstance(error, DiscordUnavailable):
                self._told.discard(pot)
            return False
        return True


def _words(pot: Pot, used: int) -> str:
    budget = pot.budget
    server = budget.scope is Scope.SERVER
    whose, nobody = (f"server {pot.id}'s", "nobody there") if server else ("the total", "nobody at all")
    end = int(budget.period.end(pot.begun).timestamp())
    return (
        f"{used * 100 // budget.limit.most} % of {whose} budget {budget.period.words} are used: "
        f"{budget.limit.words(used)} of {budget.limit}. When it is used up, I answer {nobody} until it resets "
        f"<t:{end}:R>."
    )
