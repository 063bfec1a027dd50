"""One answer in its channel: parts that grow while it is written, and a guaranteed final state.

The writer task brings the parts to the newest text, latest wins. `finish` lets the writer's request under way
end and then does the same for the whole text, without waiting for the pace.
"""

import asyncio
import logging
from dataclasses import replace
from functools import partial

from bot.core.errors import BotError, DiscordUnavailable, TextRefused
from bot.core.messages import TakenUp
from bot.core.ports import Clock, TurnStore
from bot.core.wording import lines_below, question_head
from bot.discord.answer_parts import AnswerParts
from bot.discord.buttons import again_button, stop_button
from bot.discord.cleanup import Cleanup
from bot.discord.draft_pace import DraftPace
from bot.discord.first_words import FIRST_WORDS_SECONDS, are_worth_showing
from bot.discord.layout import drafted, finished, in_parts
from bot.discord.outbound import Outbox
from bot.discord.pacer import GaveUpItsTurn
from bot.discord.payloads import Button, Content
from bot.discord.place import Place
from bot.discord.refusals import Archived, FileRefused
from bot.discord.typing_sign import TypingSign

log = logging.getLogger(__name__)

SECONDS_AFTER_FAILED_DRAFT = 5.0


class LiveMessage:
    """Implements Reply."""

    def __init__(
        self,
        taken: TakenUp,
        *,
        store: TurnStore,
        outbox: Outbox,
        clock: Clock,
        pace: DraftPace,
        cleanup: Cleanup,
        buttons: bool,
        unsent: set[str],
    ) -> None:
        """*unsent*: nonces of parts left by waiting notices that surely were not posted."""
        self._taken = taken
        self._buttons = buttons
        self._clock = clock
        self._pace = pace
        self._cleanup = cleanup
        self._place = Place(taken, store=store, outbox=outbox, clock=clock)
        self._head = question_head(taken)
        self._parts = AnswerParts(
            taken, place=self._place, store=store, bot_id=outbox.bot_id, buttons=buttons, unsent=unsent
        )
        self._text = ""
        self._visible = False
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()
        self._typing = TypingSign(self._place.channel_id, outbox=outbox, clock=clock)
        self._writer: asyncio.Task[None] | None = None
        self._failure: BotError | None = None

    @property
    def visible(self) -> bool:
        return self._visible

    @property
    def in_time(self) -> bool:
        return self._place.in_time

    def start_typing(self) -> None:
        if not self._visible and self._place.shows_typing:
            self._typing.start()

    def show(self, text: str) -> None:
        self._text = text
        self._changed.set()
        if text and self._writer is None and not self._ending.is_set():
            self._writer = asyncio.create_task(self._write_drafts())

    async def finish(self, shown: str, *, can_be_rewritten: bool = False) -> None:
        await self._stop_writer()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        self._become_visible()
        below = lines_below(self._taken, shown)
        again = can_be_rewritten and self._place.stays_in_reach
        button = again_button(self._taken.address.message_id) if again else None
        wanted = finished(shown, head=self._head, below=below, bounded=self._place.takes_files)
        try:
            await self._parts.bring_all(self._with_button(wanted, button))
        except FileRefused as error:
            log.info("an answer comes without its file: answer=%d: %s", self._taken.answer_id, error)
            await self._parts.bring_all(self._with_button(in_parts(shown), button))

    async def say_instead(self, sentence: str) -> bool:
        self._typing.stop()
        await self._stop_writer()
        try:
            await self._parts.bring_all([Content(text=sentence)])
        except BotError as error:
            log.info("a sentence could not be said: channel=%d: %s", self._place.channel_id, error)
            return not isinstance(error, DiscordUnavailable)
        return True

    async def whisper_instead(self, sentence: str) -> bool:
        if not self._place.whispers:
            return False
        await self._remove_all()
        try:
            await self._place.whisper(sentence)
        except DiscordUnavailable as error:  # what may have been whispered is not said aloud as well
            log.warning(
                "it is unknown whether a sentence was whispered: channel=%d: %s", self._place.channel_id, error
            )
        except BotError as error:
            log.info("a sentence could not be whispered: channel=%d: %s", self._place.channel_id, error)
            return False
        return True

    async def discard(self) -> None:
        await self._remove_all()
        try:
            await self._place.leave()
        except BotError as error:
            log.debug("the original response keeps as it is: %s", error)

    async def _remove_all(self) -> None:
        self._typing.stop()
        await self._stop_writer()
        if not await self._parts.remove_all():
            self._cleanup.wake()

    async def close(self) -> None:
        self._typing.stop()
        try:
            await self._stop_writer()
        finally:
            await self._typing.close()

    # Drafts

    async def _write_drafts(self) -> None:
        self._pace.growing += 1
        try:
            while not self._ending.is_set():
                if not self._visible:
                    await self._first_words()
                elif self._next_change() is None:
                    await self._change()
                    continue
                if not await self._ends_within(self._pace.reserve(self._place.channel_id)):
                    await self._draft()
        except BotError as error:
            log.info(
                "drafts ended: channel=%d answer=%d: %s", self._place.channel_id, self._taken.answer_id, error
            )
            self._failure = error
        finally:
            self._pace.growing -= 1

    async def _first_words(self) -> None:
        """Wait until there is enough to show."""
        while not self._text.strip() and not self._ending.is_set():
            await self._change()
        try:
            async with self._clock.deadline(FIRST_WORDS_SECONDS):
                while not are_worth_showing(self._text) and not self._ending.is_set():
                    await self._change()
        except TimeoutError:
            log.debug("first words: time is up: answer=%d", self._taken.answer_id)

    async def _draft(self) -> None:
        """One request towards the newest text."""
        change = self._next_change()
        if change is None:
            return
        self._become_visible()
        n, content = change
        try:
            await self._parts.draft(n, content, newest=partial(self._newest, n, content), unless=self._ending)
        except GaveUpItsTurn:
            log.debug("a draft gave way to the whole text: answer=%d", self._taken.answer_id)
        except TextRefused as error:
            if not self._parts.is_posted(n):
                raise  # the whole begins with these words
            log.info("draft refused: channel=%d part=%d: %s", self._place.channel_id, n, error)
            self._pace.reserve(self._place.channel_id, seconds=SECONDS_AFTER_FAILED_DRAFT)
        except Archived:
            log.info("no drafts in an archived thread: channel=%d part=%d", self._place.channel_id, n)
            await self._ending.wait()  # the whole text opens it, once
        except DiscordUnavailable as error:
            log.info("draft not shown: channel=%d part=%d: %s", self._place.channel_id, n, error)
            self._pace.reserve(self._place.channel_id, seconds=SECONDS_AFTER_FAILED_DRAFT)

    def _next_change(self) -> tuple[int, Content] | None:
        """The first part that is not as wanted, and its wanted content."""
        if not self._text.strip():
            return None
        for n, content in enumerate(self._drafted()):
            if not self._parts.shows(n, content) and not self._parts.is_refused(n, content):
                return n, content
        return None

    def _newest(self, n: int, content: Content) -> Content:
        """What part *n* is to show by now; it was *content*."""
        parts = self._drafted()
        return parts[n] if n < len(parts) else content

    def _drafted(self) -> list[Content]:
        contents = drafted(self._head + self._text, bounded=self._place.takes_files)
        return self._with_button(contents, stop_button(self._taken.address.message_id))

    def _with_button(self, contents: list[Content], button: Button | None) -> list[Content]:
        """*button* below the last of them."""
        if button is None or not self._buttons:
            return contents
        *others, last = contents
        return [*others, replace(last, button=button)]

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _ends_within(self, seconds: float) -> bool:
        """Wait, but not beyond the end of the drafts."""
        if seconds > 0:
            try:
                async with self._clock.deadline(seconds):
                    await self._ending.wait()
            except TimeoutError:
                return False
        return self._ending.is_set()

    async def _stop_writer(self) -> None:
        """No draft goes out any more; the one under way ends first."""
        self._ending.set()
        self._changed.set()
        if self._writer is not None:
            await asyncio.wait({self._writer})  # unlike a plain await it leaves the task alone when cancelled
            self._writer.result()

    def _become_visible(self) -> None:
        self._visible = True
        self._typing.stop()
