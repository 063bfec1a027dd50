"""The parts of one answer, each brought to what it is to show; the store hears of it before the channel does."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from bot.core.errors import BotError, DiscordUnavailable, TextRefused
from bot.core.messages import Part, TakenUp
from bot.core.ports import TurnStore
from bot.discord.nonce import nonce
from bot.discord.pacer import GaveUpItsTurn
from bot.discord.payloads import Button, Content, Wanted
from bot.discord.place import Place
from bot.discord.refusals import Gone, OutcomeUnknown

log = logging.getLogger(__name__)

_Shown = tuple[str, Button | None]  # a message's text, and what is below it


class AnswerParts:
    def __init__(
        self,
        taken: TakenUp,
        *,
        place: Place,
        store: TurnStore,
        bot_id: int,
        buttons: bool,
        unsent: set[str],
    ) -> None:
        """*unsent*: nonces of parts left by waiting notices that surely were not posted."""
        self._taken = taken
        self._place = place
        self._store = store
        self._bot_id = bot_id
        self._buttons = buttons
        self._parts = {part.n: part for part in taken.parts}
        self._tried = set(self._parts)  # parts for which a request has gone out, now or in an earlier attempt
        self._unsent = unsent
        self._shown: dict[int, _Shown] = {}  # what is known to stand in the channel
        self._refused: dict[int, tuple[str, TextRefused]] = {}  # parts, and the words that filters did not let in

    def is_posted(self, n: int) -> bool:
        return n in self._parts and self._parts[n].message_id is not None

    def shows(self, n: int, content: Content) -> bool:
        return self._shown.get(n) == _shown(content)

    def is_refused(self, n: int, content: Content) -> bool:
        """Filters refused these words there: they are not sent again."""
        return n in self._refused and self._refused[n][0] == content.text

    async def bring_all(self, wanted: list[Content]) -> None:
        """Let these stand in the channel, and no others."""
        for n, content in enumerate(wanted):
            await self._bring(n, content)
        for n in sorted(self._parts, reverse=True):
            if n >= len(wanted):
                await self._remove(self._parts[n])

    async def draft(
        self, n: int, content: Content, *, newest: Callable[[], Content], unless: asyncio.Event
    ) -> None:
        """Let part *n* show *content*, or what is *newest* when its turn comes.

        Raises GaveUpItsTurn once *unless* is set.
        """
        await self._bring(n, content, newest=newest, unless=unless)

    async def remove_all(self) -> bool:
        """Whether nothing of it is in the channel any more."""
        all_gone = True
        for n in sorted(self._parts, reverse=True):
            try:
                await self._remove(self._parts[n])
            except BotError as error:
                log.info("a draft stays for now: channel=%d part=%d: %s", self._place.channel_id, n, error)
                all_gone = False
        return all_gone

    async def _bring(
        self,
        n: int,
        content: Content,
        *,
        newest: Callable[[], Content] | None = None,
        unless: asyncio.Event | None = None,
    ) -> None:
        part = self._parts.get(n)
        if part is None:
            part = self._new_part(n, content.text)
            await self._store.add_part(self._taken.answer_id, attempt=self._taken.attempt, part=part)
            self._parts[n] = part
        sent = content

        def wanted() -> Content:
            nonlocal sent
            sent = newest() if newest else content
            return sent

        message_id = part.message_id
        if message_id is None:
            message_id = await self._post(part, wanted, unless=unless)
            if unless is not None:
                return
        if self.shows(n, wanted()):
            return
        if self.is_refused(n, sent):
            raise self._refused[n][1]
        self._shown.pop(n, None)
        try:
            self._shown[n] = _shown(await self._place.edit(part, message_id, wanted, unless=unless))
        except TextRefused as error:
            self._refused[n] = sent.text, error
            raise

    async def _post(self, part: Part, content: Wanted, *, unless: asyncio.Event | None = None) -> int:
        resumed = part.n in self._tried and part.nonce not in self._unsent
        self._unsent.discard(part.nonce)
        self._tried.add(part.n)
        try:
            before = self._parts.get(part.n - 1)
            behind = before.message_id if before is not None else None
            posted = await self._place.post(part, content, behind=behind, resumed=resumed, unless=unless)
        except GaveUpItsTurn:
            if not resumed:
                self._tried.discard(part.n)
            raise
        except OutcomeUnknown:
            raise
        except DiscordUnavailable:
            if not resumed:  # a part that nobody can look for is not to be thought posted
                self._tried.discard(part.n)
                await self._store.part_refused(self._taken.answer_id, n=part.n)
                del self._parts[part.n]
            raise
        self._parts[part.n] = replace(part, message_id=posted.message_id)
        if posted.content is not None and not (resumed and self._buttons):  # it may be below an older button
            self._shown[part.n] = posted.content, posted.button
        await self._store.part_posted(self._taken.answer_id, n=part.n, message_id=posted.message_id)
        return posted.message_id

    async def _remove(self, part: Part) -> None:
        message_id = part.message_id
        if message_id is None and self._place.can_find(part):
            before = self._parts.get(part.n - 1)
            try:
                message_id = await self._place.find(part, behind=before.message_id if before else None)
            except Gone:
                log.debug("already deleted: part=%d", part.n)
        # Recorded first: Discord's echo of our own deletion must not read as a moderator's, and a deletion that
        # fails or that a kill cuts short is made up for.
        await self._store.part_deleting(self._taken.answer_id, n=part.n)
        if message_id is not None:
            await self._place.delete(part, message_id)
        await self._store.part_deleted(self._taken.answer_id, n=part.n)
        del self._parts[part.n]

    def _new_part(self, n: int, content: str) -> Part:
        return Part(
            n=n,
            channel_id=self._place.channel_id,
            nonce=nonce(
                bot_id=self._bot_id,
                question_id=self._taken.address.message_id,
                attempt=self._taken.attempt,
                n=n,
                purpose="answer",
            ),
            text=content,
        )


def _shown(content: Content) -> _Shown:
    return content.text, content.button
