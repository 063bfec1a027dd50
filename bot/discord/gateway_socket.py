"""A gateway connection of the library's that leaves nothing behind, and knows until when Discord told us all."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar

from discord.gateway import DiscordWebSocket

from bot.core.ports import Clock

CLOSED_BY_US = 1000  # Discord, "Gateway Close Event Codes": this one ends the session, too
TO_BE_RESUMED = 4000


class GatewaySocket(DiscordWebSocket):
    """discord.py 2.7 closes it where the other side ended it, and forgets it where a handshake fails or we stop.

    Its keep-alive thread would then go on, and send on an event loop that may be gone.
    """

    _clock: ClassVar[Clock]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.told_until: datetime | None = None  # when the newest heartbeat was sent that Discord has answered
        self._beats: deque[datetime] = deque()  # those sent and not answered yet, which happens in order

    async def send_as_json(self, data: Any) -> None:
        """Of heartbeats: the first one, and those that Discord asks for."""
        if data["op"] == self.HEARTBEAT:
            self._beats.append(self._clock.now())
        await super().send_as_json(data)

    async def send_heartbeat(self, data: Any) -> None:
        self._beats.append(self._clock.now())
        await super().send_heartbeat(data)

    async def received_message(self, msg: Any, /) -> None:
        # When something was received tells nothing: a machine that slept finds what came before it did.
        before = self._keep_alive and self._keep_alive._last_ack  # noqa: SLF001 - nothing public tells
        await super().received_message(msg)
        if before and self._keep_alive and self._keep_alive._last_ack != before and self._beats:  # noqa: SLF001
            self.told_until = self._beats.popleft()

    async def poll_event(self) -> None:
        await self._or_let_go(super().poll_event())

    async def identify(self) -> None:
        await self._or_let_go(super().identify())

    async def resume(self) -> None:
        await self._or_let_go(super().resume())

    async def _or_let_go(self, step: Awaitable[None]) -> None:
        try:
            await step
        except BaseException as end:
            code = TO_BE_RESUMED
            if isinstance(end, asyncio.CancelledError):
                code, self.session_id = CLOSED_BY_US, None
            with suppress(TimeoutError):
                async with asyncio.timeout(0):  # it says so, and waits for no answer
                    await self.close(code)
            raise


def sockets_by(clock: Clock) -> type[GatewaySocket]:
    """The library makes them itself, of a class."""
    return type(GatewaySocket.__name__, (GatewaySocket,), {"_clock": clock})
