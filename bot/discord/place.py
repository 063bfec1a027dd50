"""Where an answer's parts stand: in its channel, or in the responses to its /chat while that is possible."""

import asyncio
import logging
from functools import partial

from bot.core.errors import BotError, DiscordUnavailable, TextRefused, Uncertain, Undeliverable
from bot.core.messages import Interaction, Kind, Part, TakenUp
from bot.core.ports import Clock, StoredMessages
from bot.discord.outbound import Outbox
from bot.discord.pacer import Importance
from bot.discord.part_search import PLACEHOLDER, PartSearch, Sought, nonce_holds
from bot.discord.payloads import Content, Wanted, content_now
from bot.discord.refusals import CannotReply, Gone, NotAllowed, OutcomeUnknown, RefusedMeanwhile
from bot.discord.requests import Posted

log = logging.getLogger(__name__)

SECONDS_LEFT_TO_BEGIN = 60.0  # of the 15 minutes: an interaction with less is no place for a new answer
SECONDS_LEFT_TO_EDIT = 5.0
_NEVER_POSTED = Sought(message_id=None, certain=True)


class Place:
    """The way of each part of one answer into Discord. A private answer has no way into the channel."""

    def __init__(self, taken: TakenUp, *, store: StoredMessages, outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._search = PartSearch(outbox)
        self._outbox = outbox
        self._clock = clock
        self.channel_id = taken.address.channel_id
        self._private = bool(taken.conversation.key.private_to)
        self._in_dm = taken.conversation.guild_id is None
        self._question_id = taken.address.message_id
        # A notice for one who waited, which the first part may be, replies to any of them.
        asked = (each for each in taken.questions if each.kind is not Kind.QUOTE)
        self._question_ids = {each.message_id or self._question_id for each in asked}
        self._interaction = taken.question.interaction
        self._reply_to = taken.question.message_id if taken.question.kind is Kind.MESSAGE else None
        self._responses = {part.n for part in taken.parts if self._private}  # parts that stand in responses
        # An earlier attempt may have begun in the original response, or in the channel.
        self._to_be_placed = {part.n for part in taken.parts if part.n == 0 and not self._private}

    @property
    def in_time(self) -> bool:
        """An answer that is begun now can still be shown."""
        return not self._private or self._living(SECONDS_LEFT_TO_BEGIN) is not None

    @property
    def shows_typing(self) -> bool:
        """The original response says "thinking…" by itself."""
        return self._living(SECONDS_LEFT_TO_BEGIN) is None and not self._private

    @property
    def stays_in_reach(self) -> bool:
        """The bot can change what stands here when the command's token is no good any more."""
        if self._private:
            return False
        return self._reply_to is not None or self._in_dm or self._outbox.sees(self.channel_id)

    @property
    def whispers(self) -> bool:
        """The asker can be told something that the channel does not read."""
        return not self._private and self._living(SECONDS_LEFT_TO_EDIT) is not None

    @property
    def takes_files(self) -> bool:
        """As far as is known."""
        return self._private or self._outbox.may_attach(self.channel_id)

    async def post(
        self,
        part: Part,
        content: Wanted,
        *,
        behind: int | None = None,
        resumed: bool,
        unless: asyncio.Event | None = None,
    ) -> Posted:
        """Post a part *behind* the message of the part before, or find it there.

        *resumed*: an earlier request for it may have succeeded. *unless*: as for `edit`.
        """
        if part.n == 0 and (posted := await self._post_in_response(content)) is not None:
            return posted
        if self._private:
            if resumed:
                raise Undeliverable("nobody knows whether a follow-up was posted, and it is never repeated")
            return await self._follow_up(part, content_now(content))
        sought = await self._look_for(part, behind) if resumed else _NEVER_POSTED
        if sought.message_id is not None:
            return Posted(message_id=sought.message_id, content=None)
        try:
            posted = await self._post_in_channel(
                part, content, resumed=resumed, certain=sought.certain, unless=unless
            )
        except RefusedMeanwhile as error:
            posted = await self._find_refused(part, behind, error)
        if part.n == 0:
            await self._settle_original()
        return posted

    async def edit(
        self, part: Part, message_id: int, content: Wanted, *, unless: asyncio.Event | None = None
    ) -> Content:
        """Replace what a part shows; what was sent.

        With *unless* it is a draft, which gives way when that is set.
        """
        patient = unless is None
        await self._find_out_where(part, message_id)
        interaction = self._living(SECONDS_LEFT_TO_EDIT)
        if part.n not in self._responses or (interaction is None and not self._private):
            return await self._outbox.edit(
                part.channel_id,
                message_id,
                content,
                patient=patient,
                importance=Importance.FINAL if patient else Importance.DRAFT,
                unless=unless,
            )
        if interaction is None:
            raise Undeliverable("the interaction of a private answer has expired")
        sent = content_now(content)
        if part.n == 0:
            await self._outbox.edit_original(interaction, sent, patient=patient)
        else:
            await self._outbox.edit_follow_up(interaction, message_id, sent, patient=patient)
        return sent

    def can_find(self, part: Part) -> bool:
        """Whether a part of which nobody knows if it was posted can be found out about."""
        return not self._private or part.n == 0

    async def find(self, part: Part, *, behind: int | None) -> int | None:
        """The message of such a part, which must go. None: it was never posted. Raises Uncertain."""
        if part.n == 0 and (posted := await self._post_in_response(PLACEHOLDER)) is not None:
            return posted.message_id
        if self._private:
            raise Undeliverable("the interaction of a private answer has expired")
        if self._outbox.is_posting(part.nonce):  # as a notice, which became this part meanwhile
            raise DiscordUnavailable("the part is on its way")
        sought = await self._look_for(part, behind)
        if sought.certain:
            return sought.message_id
        return await self._search.ask_by_nonce(part)

    async def delete(self, part: Part, message_id: int) -> None:
        """Delete a part, unless somebody did already, or nothing reaches it any more."""
        await self._find_out_where(part, message_id)
        interaction = self._living(SECONDS_LEFT_TO_EDIT)
        if self._private and interaction is None:
            log.debug("an ephemeral message stays until its reader dismisses it: part=%d", part.n)
            return
        try:
            if part.n not in self._responses or interaction is None:
                await self._outbox.delete(part.channel_id, message_id)
            elif part.n == 0:
                await self._outbox.delete_original(interaction)
            else:
                await self._outbox.delete_follow_up(interaction, message_id)
        except Gone:
            log.debug("already deleted: message=%d", message_id)

    async def leave(self) -> None:
        """Nothing will be posted here: "thinking…" must not remain."""
        interaction = self._living(SECONDS_LEFT_TO_EDIT)
        if interaction is not None and not self._outbox.original_has_text(interaction.id):
            await self._outbox.delete_original(interaction)

    async def whisper(self, sentence: str) -> None:
        """Tell the asker alone. Raises DiscordUnavailable: it may be there, or not."""
        interaction = self._living(SECONDS_LEFT_TO_EDIT)
        if interaction is None:
            raise Undeliverable("the interaction has expired")
        await self._outbox.tell_alone(interaction, sentence)

    async def _post_in_response(self, content: Wanted) -> Posted | None:
        """The first part, in the original response while that is possible."""
        interaction = self._living(SECONDS_LEFT_TO_EDIT if self._private else SECONDS_LEFT_TO_BEGIN)
        if interaction is None:
            return None
        try:
            posted = await self._outbox.edit_original(interaction, content, patient=True)
        except Undeliverable:
            if self._private:
                raise
            return None
        self._responses.add(0)
        return posted

    async def _find_out_where(self, part: Part, message_id: int) -> None:
        """Whether a part that an earlier attempt posted is the original response. Raises DiscordUnavailable."""
        interaction = self._living(SECONDS_LEFT_TO_EDIT)
        if part.n in self._to_be_placed and interaction is not None:
            if await self._outbox.is_original(interaction, message_id):
                self._responses.add(part.n)
            else:
                await self._settle_original()
            self._to_be_placed.discard(part.n)

    async def _look_for(self, part: Part, behind: int | None) -> Sought:
        """Raises Uncertain where neither the channel nor the nonce can tell whether it was posted."""
        await self._outbox.until_posted(part.nonce)  # as a notice: its author may have been told other things, too
        behind = behind or min(self._question_ids)
        stored = await self._store.stored_since(part.channel_id, after=behind)
        if (mine := next((each for each in stored if each.nonce == part.nonce), None)) is not None:
            return Sought(message_id=mine.message_id, certain=True)  # known since it was taken up, as a notice
        sought = await self._search.look_for(
            part,
            question_ids=self._question_ids,
            behind=behind,
            known=frozenset(message.message_id for message in stored),
        )
        if sought.message_id is None and not sought.certain and not nonce_holds(part, now=self._clock.now()):
            raise self._uncertain(part)
        return sought

    async def _find_refused(self, part: Part, behind: int | None, refusal: NotAllowed) -> Posted:
        """A part that an earlier try may have posted, and Discord does not take any more."""
        try:
            sought = await self._look_for(part, behind)
        except DiscordUnavailable as error:
            raise OutcomeUnknown(str(error)) from error  # it stays on the record, and is looked for again
        except NotAllowed:
            sought = Sought(message_id=None, certain=False)
        if sought.message_id is not None:
            return Posted(message_id=sought.message_id, content=None)
        if sought.certain:
            raise refusal
        raise self._uncertain(part) from refusal

    async def _post_in_channel(
        self, part: Part, content: Wanted, *, resumed: bool, certain: bool, unless: asyncio.Event | None
    ) -> Posted:
        """*certain*: it was not posted before; else its nonce tells."""
        create = partial(
            self._outbox.create,
            part.channel_id,
            content,
            nonce=part.nonce,
            resumed=resumed,
            importance=Importance.FINAL if unless is None else Importance.FIRST,
            unless=unless,
        )
        try:
            try:
                return await create(reply_to=self._reply_to if part.n == 0 else None)
            except CannotReply:
                return await create()
        except RefusedMeanwhile:
            raise
        except Undeliverable as error:
            says_nothing = not isinstance(error, Gone | TextRefused)  # of what became of an earlier request
            if not certain and (says_nothing or self._living(SECONDS_LEFT_TO_EDIT) is not None):
                raise self._uncertain(part) from error  # a follow-up has no nonce
            if self._living(SECONDS_LEFT_TO_EDIT) is None:
                raise
        return await self._follow_up(part, content_now(content))

    def _uncertain(self, part: Part) -> Uncertain:
        log.warning(
            "a part of an answer may be in the channel or not, and is not posted again: channel=%d question=%d "
            "part=%d; the permission to read the channel's history would help to find out",
            part.channel_id,
            self._question_id,
            part.n,
        )
        return Uncertain("nobody can find out whether it was posted")

    async def _follow_up(self, part: Part, content: Content) -> Posted:
        interaction = self._living(SECONDS_LEFT_TO_EDIT)
        if interaction is None:
            raise Undeliverable("the interaction has expired")
        posted = await self._outbox.follow_up(interaction, content, ephemeral=self._private)
        self._responses.add(part.n)
        return posted

    async def _settle_original(self) -> None:
        interaction = self._living(SECONDS_LEFT_TO_EDIT)
        if interaction is not None:
            try:
                await self._outbox.settle_original(interaction)
            except BotError as error:
                log.debug("the original response keeps as it is: %s", error)

    def _living(self, seconds: float) -> Interaction | None:
        """The interaction, if its token is good for longer than this."""
        interaction = self._interaction
        if interaction is None or (interaction.expires_at - self._clock.now()).total_seconds() <= seconds:
            return None
        return interaction
