"""A database that refuses one kind of change, as a lock on a row or a damaged page makes it."""

import asyncio

from bot.core.errors import DatabaseUnavailable
from bot.storage.turns import SqlTurnStore

NAMES = {"deleted": "erase_messages", "edited": "edit"}


class Refusing:
    """A database that takes nothing of a kind, so many times."""

    def __init__(self, monkeypatch, name, times):
        self.times = times
        self.refused, self.spent, self.took = asyncio.Event(), asyncio.Event(), asyncio.Event()
        change = getattr(SqlTurnStore, name)

        async def refuse(store, *args, **how):
            if self.times > 0:
                self.times -= 1
                self.refused.set()
                if not self.times:
                    self.spent.set()
                raise DatabaseUnavailable("it is locked")
            outcome = await change(store, *args, **how)
            self.took.set()
            return outcome

        monkeypatch.setattr(SqlTurnStore, name, refuse)
