"""Deletes parts that must not stay in their channel, until Discord has done it."""

import asyncio
import logging

from bot.core.errors import BotError, Undeliverable
from bot.core.messages import SurplusPart
from bot.core.ports import Clock, TurnStore
from bot.discord.outbound import Outbox
from bot.discord.part_search import nonce_holds
from bot.discord.refusals import Gone

log = logging.getLogger(__name__)

PLACEHOLDER = "…"  # what a part says that is posted only so that its nonce finds it
LONGEST_PAUSE = 60.0  # seconds between attempts; they begin with one and double


class Cleanup:
    """Starts when it is woken, at every start of the bot and when a deletion failed; ends when nothing is left."""

    def __init__(self, *, store: TurnStore, outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._more = False
        self._refused: set[tuple[int, int]] = set()  # parts that are left to the next start
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        self._more = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._clean_up(), name="cleanup")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _clean_up(self) -> None:
        pause = 1.0
        while self._more:
            self._more = False
            try:
                for surplus in await self._store.surplus():
                    if (surplus.answer_id, surplus.part.n) not in self._refused:
                        await self._delete(surplus)
            except BotError as error:
                log.info("parts to be deleted wait %.0f s: %s", pause, error)
                self._more = True
                await self._clock.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            except Exception:
                log.exception("parts to be deleted are left to the next start by a fault of ours")
                return

    async def _delete(self, surplus: SurplusPart) -> None:
        part = surplus.part
        try:
            message_id = part.message_id or await self._find(surplus)
            if message_id is not None and not surplus.private:  # a private one goes with its interaction
                await self._outbox.delete(part.channel_id, message_id)
        except Gone:
            log.debug("already deleted: part=%d", part.n)
        except Undeliverable as error:
            log.warning("a part that should be deleted stays: channel=%d: %s", part.channel_id, error)
            self._refused.add((surplus.answer_id, part.n))
            return
        await self._store.part_deleted(surplus.answer_id, n=part.n)

    async def _find(self, surplus: SurplusPart) -> int | None:
        """What a request of unknown outcome posted: its nonce finds it, or posts what is deleted then."""
        part = surplus.part
        if surplus.private or not nonce_holds(part, now=self._clock.now()):
            return None
        posted = await self._outbox.create(part.channel_id, PLACEHOLDER, nonce=part.nonce, resumed=True)
        return posted.message_id
