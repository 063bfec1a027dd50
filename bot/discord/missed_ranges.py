"""One channel's missed messages: read through REST, compared with what is stored, taken as if heard just now."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import discord

from bot.core.errors import BotError
from bot.core.handled import Handled
from bot.core.messages import LARGEST_ID, IncomingMessage, StoredMessage
from bot.core.ports import Clock, MissedStore
from bot.discord.outbound import MESSAGES_IN_A_PAGE
from bot.discord.reading import Readable

log = logging.getLogger(__name__)

MOST_PER_CHANNEL = 500  # messages; the newest ones
MOST_IN_ALL = 20_000


@dataclass(kw_only=True, slots=True)
class Told:
    """What Discord tells of deletions and edits while a channel is being read: what was read may be older."""

    deleted: set[int] = field(default_factory=set)
    edited: dict[int, discord.Message] = field(default_factory=dict)  # in their newest wording

    def newest(self, message: discord.Message) -> discord.Message:
        edited = self.edited.get(message.id)
        return edited if edited and _edited_at(edited) > _edited_at(message) else message

    def edit(self, message: discord.Message) -> None:
        self.edited[message.id] = self.newest(message)


def _edited_at(message: discord.Message) -> datetime:
    return message.edited_at or message.created_at


class Listener(Protocol):
    """Where what was missed goes."""

    def told_of(self, channel_id: int) -> AbstractContextManager[Told]:
        """What is told of the channel from here on, and of deletions anywhere."""

    async def question_in(self, message: discord.Message) -> IncomingMessage | None:
        """The question that the message is, if it is one for us."""

    def told_in_vain(self, message: discord.Message) -> int | None:
        """The question of which this message of ours says that it could not be stored."""

    async def take(self, question: IncomingMessage) -> bool:
        """Have it answered, or refuse it. Whether it was taken on. Raises DatabaseUnavailable."""

    def erased_of(self, question: IncomingMessage) -> set[int]:
        """Of the ids of a question and of what it brings along: those erased meanwhile, with all around them."""

    async def take_edit(self, message: discord.Message) -> None: ...

    async def take_deletions(self, message_ids: list[int]) -> None: ...

    def told_until(self) -> datetime | None:
        """Discord has told all that happened before; None: we are not connected, or not known to be."""


@dataclass(kw_only=True, slots=True)
class _Found:
    """A channel's range, as it was read. *complete*: nothing of it was left out."""

    messages: list[discord.Message] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)  # of those that are not understood, too
    complete: bool = True


@dataclass(kw_only=True, slots=True)
class _Tally:
    channels: int = 0
    taken: int = 0
    refused: int = 0
    recorded: int = 0
    deleted: int = 0
    cut: int = 0  # channels in which more was said than was read


class MissedRanges:
    """Takes ranges of channels, within bounds of age and of count, which last from one `begin` to the next."""

    def __init__(
        self,
        listener: Listener,
        *,
        store: MissedStore,
        handled: Handled,
        clock: Clock,
        answer_within: timedelta,
    ) -> None:
        self._listener = listener
        self._store = store
        self._handled = handled
        self._clock = clock
        self._answer_within = answer_within
        self.begin()

    def begin(self) -> None:
        self._left = MOST_IN_ALL
        self._tally = _Tally()

    async def take(
        self, channel: Readable | discord.DMChannel, since: int, *, is_heeded: Callable[[], bool]
    ) -> None:
        """Bring what is stored of the range to what is there, and take what is new, oldest first.

        It ends early when it is heeded no longer: what was read may be older than what is deleted and edited now.
        """
        with self._listener.told_of(channel.id) as told:
            await self._take(channel, since, told, is_heeded)

    async def _take(
        self, channel: Readable | discord.DMChannel, since: int, told: Told, is_heeded: Callable[[], bool]
    ) -> None:
        # What is stored is looked up first: what is not among the messages then was deleted, and not just heard.
        stored = {one.message_id: one for one in await self._store.stored_since(channel.id, after=since)}
        quoted = set(await self._store.quoted_since(channel.id, after=since))
        withdrawn = set(await self._store.withdrawn_since(channel.id, after=since))
        found = await self._messages(channel, since)
        if not is_heeded():
            return
        self._tally.channels += 1
        self._tally.cut += not found.complete
        behind = since if found.complete else min(found.ids, default=LARGEST_ID)
        gone = sorted(id_ for id_ in stored.keys() | quoted if id_ not in found.ids and id_ > behind)
        if gone:
            self._tally.deleted += len(gone)
            await self._listener.take_deletions(gone)
        told_in_vain = {self._listener.told_in_vain(message) for message in found.messages}
        closed = withdrawn | (told_in_vain - stored.keys())  # a model may say that sentence, too
        for message in reversed(found.messages):
            if not is_heeded():
                return
            try:
                if message.id in quoted - stored.keys() and message.edited_at:
                    await self._listener.take_edit(message)
                if message.id not in closed:
                    await self._take_one(message, stored.get(message.id), told, is_heeded)
            except BotError:
                raise  # nothing is wrong with the message: the channel is read again
            except Exception:
                log.exception(
                    "message=%d in channel=%d is left alone, after a fault of ours", message.id, channel.id
                )

    async def _messages(self, channel: Readable | discord.DMChannel, since: int) -> _Found:
        """The channel's messages beyond *since*, newest first, and no more than there is room for."""
        most = min(MOST_PER_CHANNEL, max(0, self._left))  # channels read at once overdraw it
        found = _Found()
        async for raw in _newest_first(channel, most=most + 1):
            if int(raw["id"]) <= since:
                break
            if len(found.ids) == most:
                found.complete = False
                break
            found.ids.add(int(raw["id"]))
            if (message := _understand(channel, raw)) is not None:
                found.messages.append(message)
        left, self._left = self._left, self._left - len(found.ids)
        if left > 0 >= self._left:
            log.warning("%d missed messages are read: no more are, of this absence", MOST_IN_ALL)
        return found

    async def _take_one(
        self, message: discord.Message, stored: StoredMessage | None, told: Told, is_heeded: Callable[[], bool]
    ) -> None:
        if stored is not None:
            if message.edited_at and (stored.edited_at is None or stored.edited_at < message.edited_at):
                await self._listener.take_edit(message)
            return
        question = await self._listener.question_in(told.newest(message))
        if question is None or not is_heeded() or self._handled.was_told(message.id):
            return
        if message.id in told.deleted | self._listener.erased_of(question):
            return
        if self._clock.now() - message.created_at <= self._answer_within:
            taken_on = await self._listener.take(question)
            self._tally.taken += taken_on
            self._tally.refused += not taken_on
        else:
            self._tally.recorded += 1
            await self._store.record_missed(question)
        await self._tell_again(question, told)

    async def _tell_again(self, question: IncomingMessage, told: Told) -> None:
        """Of what was told of it, or of what it brought along, before it was stored: nothing was found then."""
        ids = {question.message_id} | ({question.quote.message_id} if question.quote else set())
        for message_id in ids & told.edited.keys():
            await self._listener.take_edit(told.edited[message_id])
        if deleted := ids & told.deleted | self._listener.erased_of(question):
            await self._listener.take_deletions(sorted(deleted))

    def tell(self) -> None:
        tally = self._tally
        if tally.channels:
            log.info(
                "caught up: channels=%d questions=%d refused=%d too_old=%d deleted=%d cut_short=%d",
                tally.channels,
                tally.taken,
                tally.refused,
                tally.recorded,
                tally.deleted,
                tally.cut,
            )


async def _newest_first(channel: Readable | discord.DMChannel, *, most: int) -> AsyncIterator[Any]:
    """As the library's `history`, which fails as a whole where it does not understand one message."""
    http, before = channel._state.http, None  # noqa: SLF001 - nothing public gives them raw
    while most > 0:
        page = await http.logs_from(channel.id, min(most, MESSAGES_IN_A_PAGE), before=before)
        for raw in page:
            yield raw
        if len(page) < MESSAGES_IN_A_PAGE:
            return
        before, most = page[-1]["id"], most - len(page)


def _understand(channel: Readable | discord.DMChannel, raw: Any) -> discord.Message | None:
    try:
        return channel._state.create_message(channel=channel, data=raw)  # noqa: SLF001
    except Exception:
        log.exception("message=%s in channel=%d is not understood and left alone", raw["id"], channel.id)
        return None
