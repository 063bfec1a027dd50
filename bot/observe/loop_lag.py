"""How late the event loop is: everything the bot does waits as long."""

from collections.abc import Callable

from bot.core.ports import Clock

SECONDS_BETWEEN_LOOKS = 0.1


async def watch_loop(clock: Clock, late: Callable[[float], None]) -> None:
    """Tell *late*, over and over until cancelled, by how many seconds the loop woke too late."""
    while True:
        began = clock.monotonic()
        await clock.sleep(SECONDS_BETWEEN_LOOKS)
        late(max(0.0, clock.monotonic() - began - SECONDS_BETWEEN_LOOKS))
