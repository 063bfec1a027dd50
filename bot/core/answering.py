"""One answer under way, as others reach it: to end it early, begin it anew, or try it again at once."""

import asyncio

from bot.core.clock import wait_at_most
from bot.core.effort import Effort
from bot.core.errors import BotError, Reworded, Withdrawn
from bot.core.generation import Generated, Generation
from bot.core.ports import Clock, Reply


class Answering:
    def __init__(self, *, effort: Effort | None = None, unstored: Generated | None = None) -> None:
        """*effort*: what was done for this answer before it was begun anew.

        *unstored*: what an earlier take-up was told, and could not store.
        """
        self.stopped: BotError | None = None
        self.finishing = False  # its text is whole, and on its way to the store and into the channel
        self.unstored = unstored
        self.model = "-"  # that its text is by, in the log
        self.reply: Reply | None = None
        self.effort = effort or Effort()
        self._go_on = asyncio.Event()
        self._generation: Generation | None = None
        self._generating: asyncio.Task[Generated] | None = None

    def stop(self, why: BotError) -> None:
        """End it early: generation stops now, and what follows from *why* is done.

        The first word counts, but that nothing is begun anew of which the question was deleted since. Of what was
        deleted, no text is kept.
        """
        if isinstance(why, Withdrawn):
            self.unstored = None
        if self.stopped is None or (isinstance(self.stopped, Reworded) and isinstance(why, Withdrawn)):
            self.stopped = why
            self._go_on.set()
        if self._generating is not None:
            self._generating.cancel()

    def reword(self, *, question: bool) -> None:
        """The question, or what else its prompt is built from, was edited: begin anew where that is to be.

        Before the model is asked, and before it is asked again, always: the next request is as recent as it can
        be, and no further one is made for that. While it is, only for the *question*, while nothing is visible,
        and once. A text that is whole stands if the store takes it, and is not kept if not.
        """
        self.unstored = None
        asked = self._generation is not None and self._generation.asked
        over = self._generation is not None and self._generating is None
        if over or self.finishing or self.stopped is not None or (self.reply is not None and self.reply.visible):
            return
        if self._generation is not None and asked and (self.effort.begun_anew or not question):
            self._generation.outdated = True
            return
        self.effort.begun_anew |= asked
        if self.reply is not None:
            self.reply.show("")  # first words that are about to go out
        self.stop(Reworded())

    async def generate(self, generation: Generation) -> Generated:
        """Run *generation* so that stop() reaches it. Raises what stop() was told when nothing is to be kept."""
        if self.stopped is not None:
            raise self.stopped
        self._generation = generation
        self._generating = asyncio.create_task(generation.run())
        try:
            generated = await self._generating
        except asyncio.CancelledError:
            if self.stopped is None:
                raise
            raise self.stopped from None
        except Reworded as error:  # it failed with a prompt that is outdated
            self.stopped = error
            raise
        finally:
            self._generating.cancel()
            self._generating = None
        if isinstance(self.stopped, Reworded):  # as the last word came
            generation.set_aside(generated, self.stopped)
            raise self.stopped
        return generated

    async def pause(self, seconds: float, clock: Clock) -> None:
        """Wait before it is tried again, until it is stopped or hurried."""
        await wait_at_most(self._go_on, seconds, clock=clock)

    def hurry(self) -> None:
        """End its pause."""
        self._go_on.set()
