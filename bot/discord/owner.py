"""Private messages to whoever runs the bot: the application's owner, or the members of its team."""

from collections.abc import Sequence

import discord

from bot.core.errors import BotError, Undeliverable
from bot.discord.nonce import nonce
from bot.discord.outbound import Outbox
from bot.discord.refusals import REQUEST_ERRORS, translate


class OwnerMail:
    """Implements Owner."""

    def __init__(self, client: discord.Client, *, outbox: Outbox, owner_ids: Sequence[int]) -> None:
        self._client = client
        self._outbox = outbox
        self._owner_ids = owner_ids

    async def tell(self, sentence: str, *, occasion: str, server: int | None) -> None:
        """Raises BotError if none of them took it."""
        guild = self._client.get_guild(server) if server is not None else None
        if guild is not None:
            sentence += f"\n-# The server is {discord.utils.escape_markdown(guild.name)}."
        refusal: BotError | None = Undeliverable("the application names no owner")
        for owner_id in self._owner_ids:
            try:
                await self._write_to(owner_id, sentence, occasion)
            except BotError as error:
                refusal = refusal and error
            else:
                refusal = None
        if refusal is not None:
            raise refusal

    async def _write_to(self, owner_id: int, sentence: str, occasion: str) -> None:
        try:
            channel = await self._client.http.start_private_message(owner_id)
        except REQUEST_ERRORS as error:
            raise translate(error) from error
        once = nonce(bot_id=self._outbox.bot_id, question_id=owner_id, attempt=0, n=0, purpose=occasion)
        await self._outbox.create(int(channel["id"]), sentence, nonce=once)
