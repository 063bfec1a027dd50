"""The whole bot in this process, again and again: it is started, ended, or crashes."""

import asyncio

from bot.app import Running, running_bot
from bot.settings import load_settings
from tests.whole_bot import ROOT, Stage

# Whoever holds an answer back does so without an end, and nobody is refused.
ENVIRONMENT = {
    "FIRST_TOKEN_SECONDS": "3600",
    "STALL_SECONDS": "3600",
    "ANSWER_SECONDS": "3600",
    "SHUTDOWN_GRACE_SECONDS": "0.2",
    "MESSAGES_PER_MINUTE_PER_PERSON": "0",
    "MESSAGES_PER_MINUTE_PER_CHANNEL": "0",
    "MAX_WAITING_PER_PERSON": "0",
    "MAX_WAITING_PER_CHANNEL": "0",
    "MAX_WAITING": "0",
    "MODEL_CONCURRENCY": "3",
}


class Life:
    """One run of the bot in this process."""

    def __init__(self, stage: Stage, environment: dict[str, str]) -> None:
        self._stage = stage
        self._environment = environment
        self._ending = asyncio.Event()
        self._crashing = False
        self._begun: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live())

    async def begun(self) -> Running:
        await asyncio.wait({self._begun, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        running = self._begun.result()
        await self._stage.discord.until(lambda: running.serving.done() or self._stage.connected)
        return running

    async def end(self) -> None:
        self._ending.set()
        await self._task
        left = [task for task in asyncio.all_tasks() if _is_the_bots(task)]  # a process takes them along
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def crash(self) -> None:
        """Nothing of it reaches Discord or the database any more. A kill of the process is elsewhere."""
        self._stage.discord.faults.add("*", ".", what="reset", times=1_000_000)
        self._stage.discord.faults.cut_gateway()
        self._crashing = True
        await self.end()
        self._stage.discord.faults.clear()

    async def _live(self) -> None:
        bot_settings = load_settings(None, self._stage.environment(**self._environment))
        async with running_bot(bot_settings, clock=self._stage.clock) as running:
            self._begun.set_result(running)
            await self._ending.wait()
            if self._crashing:
                running.store.ownership_lost.set()


def _is_the_bots(task: asyncio.Task) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    file = code.co_filename if code else ""
    return "/discord/" in file or (str(ROOT / "bot") in file and "/playground/" not in file)
