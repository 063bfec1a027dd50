"""A gateway connection of the library's that leaves no socket and no thread behind, whatever ends it."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

from discord.gateway import DiscordWebSocket

CLOSED_BY_US = 1000  # Discord, "Gateway Close Event Codes": this one ends the session, too
TO_BE_RESUMED = 4000


class GatewaySocket(DiscordWebSocket):
    """discord.py 2.7 closes it where the other side ended it, and forgets it where a handshake fails or we stop.

    Its keep-alive thread would then go on, and send on an event loop that may be gone.
    """

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
