"""Deletes parts that must not stay in their channel, until Discord has done it."""

import asyncio
import logging
from datetime import timedelta

from bot.core.clock import wait_at_most
from bot.core.errors import BotError, Undeliverable
from bot.core.messages import Part, SurplusPart, snowflake_at
from bot.core.ports import Clock, TurnStore
from bot.discord.outbound import Outbox
from bot.discord.part_search import PartSearch, nonce_holds
from bot.discord.refusals import Gone
from bot.discord.requests import REQUEST_SECONDS

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0  # seconds between attempts; they begin with one and double
CLOCKS_APART = timedelta(minutes=5)  # ours and Discord's, at most


class _LookAgain(Exception):
    """What a request posted may become known yet, or be posted yet."""


class Cleanup:
    """Starts when it is woken, at every start of the bot and when a deletion failed; ends when nothing is left."""

    def __init__(self, *, store: TurnStore, outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._search = PartSearch(outbox)
        self._clock = clock
        self._woken = asyncio.Event()
        self._refused: set[tuple[int, int]] = set()  # parts that are left to the next start
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._clean_up(), name="cleanup")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _clean_up(self) -> None:
        pause = 1.0
        left = False
        while left or self._woken.is_set():
            self._woken.clear()
            try:
                left = await self._delete_all()
            except BotError as error:
                log.info("parts to be deleted wait %.0f s: %s", pause, error)
                left = True
            except Exception:
                log.exception("parts to be deleted are left to the next start by a fault of ours")
                return
            if left:
                await wait_at_most(self._woken, pause, clock=self._clock)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _delete_all(self) -> bool:
        """Whether some have to be looked for again."""
        left = False
        surplus = await self._store.surplus()
        known = {each.part.message_id for each in surplus if each.part.message_id is not None}
        for each in surplus:
            if (each.answer_id, each.part.n) not in self._refused:
                try:
                    await self._delete(each, known)
                except _LookAgain:
                    left = True
        return left

    async def _delete(self, surplus: SurplusPart, known: set[int]) -> None:
        part = surplus.part
        try:
            message_id = part.message_id or await self._find(surplus, known)
            if message_id is not None and not surplus.private:  # a private one goes with its interaction
                known.add(message_id)
                await self._outbox.delete(part.channel_id, message_id)
        except Gone:
            log.debug("already deleted: part=%d", part.n)
        except Undeliverable as error:
            log.warning("a part that should be deleted stays: channel=%d: %s", part.channel_id, error)
            self._refused.add((surplus.answer_id, part.n))
            return
        await self._store.part_deleted(surplus.answer_id, n=part.n)

    async def _find(self, surplus: SurplusPart, known: set[int]) -> int | None:
        """What a request of unknown outcome posted."""
        part = surplus.part
        if surplus.private:
            return None
        if self._search.can_look(part.channel_id):
            return await self._look_for(surplus, known)
        if not nonce_holds(part, now=self._clock.now()):
            return None
        return await self._search.ask_by_nonce(part)

    async def _look_for(self, surplus: SurplusPart, known: set[int]) -> int | None:
        """Raises _LookAgain."""
        part, age = surplus.part, self._age(surplus.part)
        if self._outbox.is_posting(part.nonce):
            raise _LookAgain
        behind = surplus.behind or snowflake_at(self._clock.now() - age - CLOCKS_APART)
        seen = await self._search.read(part.channel_id, behind=behind)
        # Asked in this order: what is seen has a row by then, and its message is known or a part is on its way.
        if not part.text and await self._store.posting_in(part.channel_id):
            raise _LookAgain
        stored = await self._store.stored_since(part.channel_id, after=behind)
        sought = self._search.find_surplus(surplus, seen, known=known | {each.message_id for each in stored})
        if sought.message_id is None and age <= timedelta(seconds=REQUEST_SECONDS):
            raise _LookAgain
        if not sought.certain:
            log.warning(
                "a part that should be deleted may be there, and is not found: channel=%d", part.channel_id
            )
        return sought.message_id

    def _age(self, part: Part) -> timedelta:
        """Since its first request was noted. None is from the future: the clock may have been set back."""
        tried = part.first_tried_at
        return timedelta(0) if tried is None else max(self._clock.now() - tried, timedelta(0))
