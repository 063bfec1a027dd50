"""One answer under way: whoever else has to do with it stops it here, or has it tried again at once."""

import asyncio
from contextlib import suppress

from bot.core.errors import BotError
from bot.core.generation import Generated, Generation
from bot.core.ports import Clock


class Answering:
    def __init__(self) -> None:
        self.stopped: BotError | None = None
        self.finishing = False  # its text is stored, and on its way into the channel
        self.model = "-"  # that its text is by, in the log
        self._go_on = asyncio.Event()
        self._generating: asyncio.Task[Generated] | None = None

    def stop(self, why: BotError) -> None:
        """End it early: generation stops now, and what follows from *why* is done."""
        if self.stopped is None:
            self.stopped = why
            self._go_on.set()
        if self._generating is not None:
            self._generating.cancel()

    async def generate(self, generation: Generation) -> Generated:
        """Run *generation* so that stop() reaches it. Raises what stop() was told when nothing is to be kept."""
        if self.stopped is not None:
            raise self.stopped
        self._generating = asyncio.create_task(generation.run())
        try:
            return await self._generating
        except asyncio.CancelledError:
            if self.stopped is None:
                raise
            raise self.stopped from None
        finally:
            self._generating.cancel()
            self._generating = None

    async def pause(self, seconds: float, clock: Clock) -> None:
        """Wait before it is tried again, until it is stopped or hurried."""
        with suppress(TimeoutError):
            async with clock.deadline(seconds):
                await self._go_on.wait()

    def hurry(self) -> None:
        """End its pause."""
        self._go_on.set()
