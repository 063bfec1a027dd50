"""What is heard in Discord, as it happens or when it is read up later, goes to the intake from here."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import discord

from bot.core.access import AccessRules
from bot.core.errors import AccessRefused, DatabaseUnavailable, DirectMessagesOff
from bot.core.intake import Intake, should_answer
from bot.core.messages import Edit, IncomingMessage
from bot.core.ports import Clock
from bot.discord.askers import Askers
from bot.discord.gateway_socket import GatewaySocket
from bot.discord.inbound import hear, read_message
from bot.discord.missed_ranges import Told

log = logging.getLogger(__name__)


class Hearing:
    """Implements bot.discord.missed_ranges.Listener."""

    def __init__(
        self,
        client: discord.Client,
        *,
        intake: Intake,
        chat_channels: frozenset[int],
        access: AccessRules,
        clock: Clock,
    ) -> None:
        self._client = client
        self._intake = intake
        self._chat_channels = chat_channels
        self._access = access
        self._askers = Askers(access, clock=clock)
        self._told: list[tuple[int, Told]] = []  # by channel that is being read

    async def hear(self, message: discord.Message) -> None:
        """A message that was written just now."""
        if not self._is_for_us(message):
            return
        refusal = await self._refuse(message)
        if refusal is None:
            await self._intake.consider(read_message(message, me=self._me))
        elif isinstance(refusal, DirectMessagesOff):
            await self._intake.turn_away(read_message(message, me=self._me), refusal)

    async def question_in(self, message: discord.Message) -> IncomingMessage | None:
        """The question that the message is, if it is one for us. Raises Undeliverable, DiscordUnavailable."""
        if not self._is_for_us(message) or await self._refuse(message) is not None:
            return None
        return read_message(message, me=self._me)

    def told_in_vain(self, message: discord.Message) -> int | None:
        says_so = message.author.id == self._me.id and message.content == DatabaseUnavailable.user_message
        return message.reference.message_id if says_so and message.reference else None

    async def take(self, question: IncomingMessage) -> bool:
        return await self._intake.consider_missed(question)

    def erased_of(self, question: IncomingMessage) -> set[int]:
        return self._intake.erased_of(question)

    async def take_edit(self, message: discord.Message) -> None:
        if message.edited_at is None:
            return  # a link was unfurled, or the message pinned
        for channel_id, told in self._told:
            if channel_id == message.channel.id:
                told.edit(message)
        said = read_message(message, me=self._me)
        await self._intake.edited(
            Edit(
                message_id=message.id,
                text=said.text,
                raw_text=said.raw_text,
                note=said.note,
                edited_at=message.edited_at,
                links=said.links,
            )
        )

    async def take_deletions(self, message_ids: list[int]) -> None:
        for _, told in self._told:
            told.deleted.update(message_ids)
        await self._intake.deleted(message_ids)

    @contextmanager
    def told_of(self, channel_id: int) -> Iterator[Told]:
        reading = (channel_id, Told())
        self._told.append(reading)
        try:
            yield reading[1]
        finally:
            self._told = [each for each in self._told if each is not reading]

    def heard_seconds_ago(self) -> float | None:
        """How long ago Discord last said something, be it a heartbeat's echo; None: we are not connected."""
        socket = self._client.ws
        if socket is None or not socket.open or (beat := socket._keep_alive) is None:  # noqa: SLF001 - nothing public tells
            return None
        return time.perf_counter() - beat._last_recv  # noqa: SLF001

    def told_until(self) -> datetime | None:
        socket = self._client.ws
        return socket.told_until if isinstance(socket, GatewaySocket) and socket.open else None

    def _is_for_us(self, message: discord.Message) -> bool:
        return should_answer(hear(message, me=self._me), chat_channels=self._chat_channels)

    async def _refuse(self, message: discord.Message) -> AccessRefused | None:
        # It waits for nothing where the message came over the gateway: storing it comes first.
        refusal = self._access.refuse(await self._askers.of_message(message))
        if refusal is not None:
            log.debug("left alone: channel=%d message=%d: %s", message.channel.id, message.id, refusal)
        return refusal

    @property
    def _me(self) -> discord.ClientUser:
        if self._client.user is None:
            raise RuntimeError("there are no events before the login")
        return self._client.user
