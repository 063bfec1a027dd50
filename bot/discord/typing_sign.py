"""The sign that the bot is typing: best effort, until the first words."""

import asyncio
import logging

from bot.core.errors import BotError
from bot.core.ports import Clock
from bot.discord.outbound import Outbox

log = logging.getLogger(__name__)

SECONDS_BEFORE_TYPING = 0.25
SECONDS_BETWEEN_TYPING = 9.0  # the sign lasts 10 s (Discord, "Trigger Typing Indicator")


class TypingSign:
    def __init__(self, channel_id: int, *, outbox: Outbox, clock: Clock) -> None:
        self._channel_id = channel_id
        self._outbox = outbox
        self._clock = clock
        self._typing: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._typing is None:
            self._typing = asyncio.create_task(self._keep_typing())

    def stop(self) -> None:
        if self._typing is not None:
            self._typing.cancel()

    async def close(self) -> None:
        self.stop()
        if self._typing is not None:
            await asyncio.gather(self._typing, return_exceptions=True)

    async def _keep_typing(self) -> None:
        await self._clock.sleep(SECONDS_BEFORE_TYPING)
        while True:
            try:
                await self._outbox.show_typing(self._channel_id)
            except BotError as error:
                log.debug("typing not shown: channel=%d: %s", self._channel_id, error)
            await self._clock.sleep(SECONDS_BETWEEN_TYPING)
