"""Opens the place where an answer will stand, and says plain sentences where there is nothing but a sentence."""

import asyncio
import logging
from functools import partial

from bot.core.errors import BotError, Undeliverable
from bot.core.messages import Address, Part, TakenUp, WaitingQuestion
from bot.core.ports import Clock, TurnStore
from bot.discord.cleanup import Cleanup
from bot.discord.draft_pace import DraftPace
from bot.discord.live_message import LiveMessage
from bot.discord.nonce import nonce
from bot.discord.outbound import Outbox
from bot.discord.pacer import GaveUpItsTurn, Importance
from bot.discord.payloads import Content
from bot.discord.place import SECONDS_LEFT_TO_EDIT
from bot.discord.refusals import CannotReply

log = logging.getLogger(__name__)


class DiscordReplies:
    """Implements Replies."""

    def __init__(self, *, store: TurnStore, outbox: Outbox, clock: Clock, buttons: bool = True) -> None:
        """*buttons*: answers have buttons below them."""
        self._buttons = buttons
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._pace = DraftPace(clock)
        self._cleanup = Cleanup(store=store, outbox=outbox, clock=clock)
        self._unsent: set[str] = set()  # nonces of notices that became an answer's first part before they went out

    def open(self, taken: TakenUp) -> LiveMessage:
        if len(taken.questions) > 1:  # each may have had a notice, and one of them is the answer's now
            self._cleanup.wake()
        return LiveMessage(
            taken,
            store=self._store,
            outbox=self._outbox,
            clock=self._clock,
            pace=self._pace,
            cleanup=self._cleanup,
            buttons=self._buttons,
            unsent=self._unsent,
        )

    def clean_up(self) -> None:
        """Delete what stands in the channels and should not, of this run and of earlier ones."""
        self._cleanup.wake()

    async def close(self) -> None:
        await self._cleanup.close()

    async def say_waiting(self, question: WaitingQuestion, sentence: str, *, unless: asyncio.Event) -> None:
        address = question.address
        if address.interaction is not None:
            await self._outbox.show_meanwhile(address.interaction, sentence)
            return
        part = Part(
            n=0,
            channel_id=address.channel_id,
            nonce=nonce(
                bot_id=self._outbox.bot_id, question_id=address.message_id, attempt=0, n=0, purpose="waiting"
            ),
            text=sentence,
        )
        if not unless.is_set() and await self._store.add_notice(address.message_id, part=part):
            await self._post_notice(address, part, unless=unless)

    async def _post_notice(self, address: Address, part: Part, *, unless: asyncio.Event) -> None:
        begun = False

        def content() -> Content:
            nonlocal begun
            begun = True
            return Content(text=part.text)

        create = partial(
            self._outbox.create,
            part.channel_id,
            content,
            nonce=part.nonce,
            importance=Importance.NOTICE,
            unless=unless,
        )
        try:
            try:
                posted = await create(reply_to=address.message_id)
            except CannotReply:
                posted = await create()
        except (GaveUpItsTurn, Undeliverable) as error:
            if begun and isinstance(error, GaveUpItsTurn):
                raise  # nobody knows what became of the try before: whoever has the row now finds out
            if not begun:
                self._unsent.add(part.nonce)
            if await self._store.drop_notice(part.nonce):
                self._unsent.discard(part.nonce)
            raise
        await self._store.notice_posted(part.nonce, message_id=posted.message_id)

    async def say(self, address: Address, sentence: str, *, attempt: int = 0) -> bool:
        try:
            if await self._say_in_response(address, sentence):
                return True
            if not address.private:
                await self._say_in_channel(address, sentence, attempt)
        except BotError as error:
            log.info("a sentence could not be said: channel=%d: %s", address.channel_id, error)
            return False
        return not address.private

    async def _say_in_response(self, address: Address, sentence: str) -> bool:
        """Whether the original response took the sentence: it still says "thinking…", and its token is good."""
        interaction = address.interaction
        if interaction is None or self._outbox.original_has_text(interaction.id):
            return False
        if (interaction.expires_at - self._clock.now()).total_seconds() <= SECONDS_LEFT_TO_EDIT:
            return False
        try:
            await self._outbox.edit_original(interaction, sentence, patient=True)
        except Undeliverable:
            return False
        return True

    async def _say_in_channel(self, address: Address, sentence: str, attempt: int) -> None:
        await self._outbox.create(
            address.channel_id,
            sentence,
            nonce=nonce(
                bot_id=self._outbox.bot_id, question_id=address.message_id, attempt=attempt, n=0, purpose="fault"
            ),
            reply_to=address.message_id if address.interaction is None else None,
            importance=Importance.NOTICE,
        )
