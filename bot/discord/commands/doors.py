"""What a command may use."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from bot.core.intake import Intake
from bot.core.ports import Clock
from bot.discord.outbound import Outbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Doors:
    """*keep* runs a coroutine beside everything else and ends it with the bot."""

    intake: Intake
    outbox: Outbox
    clock: Clock
    keep: Callable[[Coroutine[Any, Any, None]], None]
