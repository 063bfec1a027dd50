"""Should the bot answer, and the first, durable step: what happens to messages reaches the store here."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bot.core.access import OnceAnHour
from bot.core.admission import Admission, Refusal
from bot.core.changes import SECONDS_BETWEEN_TRIES
from bot.core.conversation_queue import ConversationQueue
from bot.core.erasures import Erasures, Whole
from bot.core.errors import AccessRefused, DatabaseUnavailable, NotTakenOn, ResponseExpires, SetAside
from bot.core.handled import Handled
from bot.core.in_vain import InVain
from bot.core.line import Place
from bot.core.messages import ConversationKey, Edit, Erased, IncomingMessage, Interaction, OpenCommand
from bot.core.ports import Clock, Replies, TurnStore
from bot.core.rights import Share
from bot.core.spending import Spending

log = logging.getLogger(__name__)

STORED_REMEMBERED = 1_000  # for as long as a channel is read


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """A message reduced to what decides whether it is for us."""

    speech: bool  # not one of Discord's system messages
    from_bot: bool  # any bot's, ours included
    webhook: bool
    direct: bool  # a DM
    channel_ids: tuple[int, ...]  # the channel's and, of a thread, its parent's
    mentions_bot: bool
    replies_to_bot: bool
    has_content: bool  # words, an attachment, a sticker, a poll or a forward; a reply alone is none


def should_answer(heard: Heard, *, chat_channels: frozenset[int]) -> bool:
    if not heard.speech or heard.from_bot or heard.webhook:
        return False
    if heard.mentions_bot or heard.replies_to_bot:
        return True
    return heard.has_content and (heard.direct or not chat_channels.isdisjoint(heard.channel_ids))


class Intake:
    """The door for everything that happens in Discord."""

    def __init__(
        self,
        *,
        store: TurnStore,
        queue: ConversationQueue,
        replies: Replies,
        clock: Clock,
        handled: Handled,
        admission: Admission,
        spending: Spending,
        stored: Callable[[float], None] | None = None,
    ) -> None:
        """*stored* is told how many seconds it took to store a question."""
        self._store = store
        self._queue = queue
        self._replies = replies
        self._clock = clock
        self._handled = handled
        self._admission = admission
        self._spending = spending
        self._stored = stored
        self._turning_away = OnceAnHour(clock)
        self._erasures = Erasures(clock)
        self._being_taken: set[int] = set()  # message ids
        self._taken: deque[int] = deque(maxlen=STORED_REMEMBERED)
        self._in_vain = InVain(self.deleted)
        self.closed = False

    def close(self) -> None:
        """The bot is being stopped."""
        self.closed = True

    def admit(self, message: IncomingMessage) -> Refusal | None:
        """Why a question is not taken on, or None: then it counts, and `take` is to follow at once."""
        return self._admission.admit(message)

    async def consider(self, message: IncomingMessage) -> None:
        """Take a question on that was asked just now, or say why not, unless its author knows."""
        refusal = self.admit(message)
        if refusal is None:
            await self.take(message)
        elif not refusal.told:
            try:
                await self._store.record_refused(message)
            except DatabaseUnavailable as error:
                log.warning("a refusal may be told again after a restart: %s", error)
            await self._turn_down(message, refusal.error)

    async def consider_missed(self, message: IncomingMessage) -> bool:
        """Consider a question that is read later. Whether it was taken on. Raises DatabaseUnavailable."""
        refusal = self._admission.admit(message, missed=True)
        if refusal is None:
            await self.take(message)
            return True
        try:
            await self._store.record_refused(message)  # first: no later start decides anew
        except DatabaseUnavailable:
            if not refusal.told:
                self._admission.could_not_tell(message)
            raise
        if not refusal.told and not await self._turn_down(message, refusal.error):
            self._admission.could_not_tell(message)
        return False

    async def _turn_down(self, message: IncomingMessage, why: NotTakenOn) -> bool:
        log.info(
            "not taken on: channel=%d message=%d code=%s", message.key.channel_id, message.message_id, why.code
        )
        return await self._replies.say(message.address, why.user_message)

    async def take(self, message: IncomingMessage) -> None:
        """Take a question on that is not refused.

        It is stored when this returns, or its author was told that it could not be, or it is read again later. One
        that is heard twice, as it is asked and as its channel is read, is stored or told of once.

        While the bot is being stopped a message is stored as well, and answered after the next start; /chat asks
        `closed` first, since its token would not live as long.
        """
        id_ = message.message_id
        if id_ in self._being_taken or id_ in self._taken or self._handled.was_told(id_):
            return
        self._being_taken.add(id_)
        try:
            await self._take(message)
        finally:
            self._being_taken.discard(id_)

    async def _take(self, message: IncomingMessage) -> None:
        began = self._clock.monotonic()
        try:
            with self._handled.storing(message):
                await self._queue.deliver(message)
            self._taken.append(message.message_id)
            if self._stored is not None:
                self._stored(self._clock.monotonic() - began)
        except DatabaseUnavailable as error:
            log.error("not stored: channel=%d: %s", message.key.channel_id, error)  # noqa: TRY400 - the cause is named
            if await self._replies.say(message.address, error.user_message):
                self._in_vain.asked(message.message_id)  # a lost connection may hide that it was stored
            else:
                self._handled.could_not_tell(message)

    async def turn_away(self, message: IncomingMessage, refusal: AccessRefused) -> None:
        """Say why nothing is answered here, to each person once an hour."""
        if self._turning_away.is_due(message.author_id):
            await self._replies.say(message.address, refusal.user_message)

    async def open_commands(self) -> list[OpenCommand]:
        """The questions by /chat that are not answered yet and still can be, in its response."""
        now = self._clock.now()
        while True:
            try:
                commands = await self._store.open_commands()
                break
            except DatabaseUnavailable as error:
                if self.closed:
                    raise
                log.warning("commands that an earlier run left open are not known yet: %s", error)
            await self._clock.sleep(SECONDS_BETWEEN_TRIES)
        return [each for each in commands if (by := each.question.address.interaction) and by.expires_at > now]

    def end_in_time(self, question_id: int, key: ConversationKey) -> bool:
        """Let the answer under way to a private question end while it can be seen. False if there is none."""
        under_way = self._queue.answering_to(question_id, key)
        if under_way is None:
            return False
        _, answering = under_way
        if not answering.finishing:
            answering.stop(ResponseExpires())
        return True

    async def edited(self, edit: Edit) -> None:
        """Replace the stored wording; an answer to it of which nothing is visible yet is begun anew."""
        tries = 0

        async def store() -> None:
            nonlocal tries
            tries += 1
            answers = await self._store.edit(edit)
            if tries > 1 and not answers:  # an earlier try may have been stored, and nobody learnt of it
                answers = self._queue.under_way.asked(edit.message_id)
            self._queue.under_way.reworded(edit.message_id, answers)

        await self._change([edit.message_id], store)

    async def deleted(self, message_ids: Sequence[int]) -> None:
        """Forget deleted messages; an answer under way to one of them stops and goes."""
        self._queue.line.leave_everywhere(message_ids)

        async def erase() -> None:
            self._queue.under_way.stop_erased(await self._store.erase_messages(message_ids))
            self._replies.clean_up()  # a question that waited leaves a notice behind

        await self._change(message_ids, erase)

    async def _change(self, message_ids: Sequence[int], carry_out: Callable[[], Awaitable[None]]) -> None:
        try:
            with self._handled.changing(message_ids):
                await self._queue.changes.surely(carry_out, about=message_ids)
        except SetAside as error:  # no reading of what was missed is to end over it, nor to begin again
            for message_id in message_ids:
                log.error(  # noqa: TRY400 - the cause is named
                    "an edit or deletion alone is not stored, and set aside: message=%d: %s", message_id, error
                )

    async def channel_deleted(self, channel_id: int) -> None:
        erase = partial(self._store.erase_channel, channel_id)
        await self._erase(Whole(channel_id=channel_id), erase, about=channel_id)

    async def guild_left(self, guild_id: int) -> None:
        erase = partial(self._store.erase_guild, guild_id)
        await self._erase(Whole(guild_id=guild_id), erase, about=guild_id)

    async def _erase(self, whole: Whole, erase: Callable[[], Awaitable[Erased]], *, about: int) -> None:
        async def carry_out() -> None:
            self._queue.under_way.stop_erased(await erase())
            await self._queue.look_again()

        with self._erasures.erasing(whole):
            try:
                await self._queue.changes.surely(carry_out, about=[about])
            except SetAside as error:  # what is read later is of before it all the same
                log.error(  # noqa: TRY400 - the cause is named
                    "the deletion of a channel or server alone is not stored, and set aside: id=%d: %s",
                    about,
                    error,
                )

    def erased_of(self, message: IncomingMessage) -> set[int]:
        """Of the ids of a message that is read later and of what it brings along: those erased meanwhile."""
        return self._erasures.reach(message)

    async def share_of(self, person: int, *, channel_id: int | None) -> Share:
        """What is stored of a person, in one channel or everywhere. Raises DatabaseUnavailable."""
        return await self._store.share_of(person, channel_id=channel_id)

    async def forget(self, person: int, *, channel_id: int | None) -> tuple[Share, list[Interaction]]:
        """Erase that; what they wait for stops and goes. Raises DatabaseUnavailable: nothing is erased then.

        How much it was, and the commands of theirs that waited: nobody answers those now.
        """
        waiting = [place for place in self._queue.line if _is_of(place, person, channel_id)]
        self._spending.forget(person, channel_id=channel_id)
        with self._erasures.erasing(Whole(person=person, channel_id=channel_id)):
            forgotten = await self._store.forget_user(person, channel_id=channel_id)
        never_begun = [place.question.address for place in waiting if not place.left.is_set()]
        self._queue.line.leave_everywhere(address.message_id for address in never_begun)
        self._queue.under_way.stop_erased(forgotten.erased)
        self._replies.clean_up()
        return forgotten.share, [each.interaction for each in never_begun if each.interaction]

    async def reset(self, key: ConversationKey) -> None:
        await self._store.reset(key)


def _is_of(place: Place, person: int, channel_id: int | None) -> bool:
    """Whether the store holds this person's question, asked in that channel or anywhere."""
    question = place.question
    return place.stored and question.author_id == person and channel_id in (None, question.key.channel_id)
