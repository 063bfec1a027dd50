"""Who loses the lock on the database lets go of everything, and begins anew when it is to be had again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bot.core.errors import DatabaseAway, OwnershipLost
from bot.core.ports import Clock
from bot.storage.database import SECONDS_FOR_PREDECESSOR

SECONDS_TO_REGAIN = 5.0  # whoever has the lock then, and is not just ending, is the owner
LONGEST_PAUSE = 30.0  # seconds between tries; they begin with one and double

log = logging.getLogger(__name__)


async def run_anew(
    run: Callable[[float], Awaitable[None]], *, stopping: asyncio.Task[Any], started: asyncio.Event, clock: Clock
) -> None:
    """*run*, which waits so many seconds for the lock and sets *started*, until it ends by itself.

    Raises StartupRefused: at first, or when somebody else has the lock that was lost.
    """
    seconds, had_it, failures = SECONDS_FOR_PREDECESSOR, False, 0
    while True:
        try:
            return await run(seconds)
        except OwnershipLost as error:
            if stopping.done():
                raise
            log.warning("%s, and begins anew if it gets the lock back", error)
            seconds, had_it, failures = SECONDS_TO_REGAIN, True, 0
            started.clear()
        except DatabaseAway as error:
            if not had_it:
                raise  # more likely, a setting is wrong
            log.warning("waiting for the database: %s", error)
            failures += 1
        await clock.sleep(min(2.0**failures, LONGEST_PAUSE))
