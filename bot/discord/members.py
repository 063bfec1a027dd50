"""Members of servers, asked of Discord: the bot hears of nobody's roles but in their messages and commands."""

import discord

from bot.core.ports import Clock
from bot.discord.refusals import REQUEST_ERRORS, Gone, translate
from bot.discord.requests import REQUEST_SECONDS

SECONDS_THEY_HOLD = 60.0


class Members:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # By server and person; until when.
        self._found: dict[tuple[int, int], tuple[float, discord.Member | None]] = {}

    async def find(self, guild: discord.Guild, user_id: int) -> discord.Member | None:
        """The member as they were a minute ago at most; None: they are none.

        Raises Undeliverable and DiscordUnavailable.
        """
        now = self._clock.monotonic()
        self._found = {who: found for who, found in self._found.items() if now < found[0]}
        who = (guild.id, user_id)
        if who not in self._found:
            self._found[who] = (now + SECONDS_THEY_HOLD, await self._ask_for(guild, user_id))
        return self._found[who][1]

    async def _ask_for(self, guild: discord.Guild, user_id: int) -> discord.Member | None:
        try:
            async with self._clock.deadline(REQUEST_SECONDS):
                return await guild.fetch_member(user_id)
        except REQUEST_ERRORS as error:
            obstacle = translate(error)
            if isinstance(obstacle, Gone):
                return None
            raise obstacle from error
