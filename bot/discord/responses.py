"""Responses to interactions: to commands, and to the buttons below an answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import discord
from discord.http import Route

from bot.core.errors import BotError, DiscordUnavailable, Undeliverable
from bot.core.messages import Interaction
from bot.core.ports import Clock
from bot.discord.payloads import Content, Wanted, content_now, edited_message, new_message
from bot.discord.refusals import (
    ALREADY_ACKNOWLEDGED,
    REQUEST_ERRORS,
    Gone,
    OutcomeUnknown,
    translate,
    was_turned_away,
)
from bot.discord.requests import REQUEST_SECONDS, SECONDS_BEFORE_RETRIES, Posted, Requests, Writing, as_sent

log = logging.getLogger(__name__)

INTERACTION_LIFE = timedelta(minutes=15)  # how long its token is good for
FOLLOWS_BELOW = "Your answer follows below."


class Responses:
    """The half of the Outbox that answers interactions."""

    def __init__(self, client: discord.Client, *, clock: Clock, requests: Requests) -> None:
        self._client = client
        self._clock = clock
        self._requests = requests
        self._acknowledging: dict[int, asyncio.Future[None]] = {}
        self._originals: dict[int, float] = {}  # interactions whose response holds text; since when

    async def acknowledge(self, interaction: discord.Interaction[Any], *, ephemeral: bool) -> None:
        """Say "thinking…". Edits of the response that start meanwhile wait for it."""
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acknowledging[interaction.id] = acknowledged
        try:
            await self._respond(interaction.response.defer(ephemeral=ephemeral, thinking=True))
        finally:
            acknowledged.set_result(None)
            del self._acknowledging[interaction.id]

    async def respond(self, interaction: discord.Interaction[Any], sentence: str, *, ephemeral: bool) -> None:
        """Answer a command with a plain sentence."""
        with self._holding_text(interaction.id):
            if interaction.response.is_done():
                await self._write_response(interaction.token, "@original", content_now(sentence), patient=True)
            else:
                await self._say_first(interaction, sentence, ephemeral=ephemeral)

    async def edit_original(self, interaction: Interaction, content: Wanted, *, patient: bool = False) -> Posted:
        """Give the original response this text, the first time or again."""
        if interaction.id in self._acknowledging:
            await asyncio.shield(self._acknowledging[interaction.id])
        sent = content_now(content)
        with self._holding_text(interaction.id):
            posted = await self._write_response(interaction.token, "@original", sent, patient=patient)
        return as_sent(posted, sent)

    async def show_meanwhile(self, interaction: Interaction, sentence: str) -> None:
        """Let the original response say this until it holds text. Edits that start meanwhile wait for it."""
        if interaction.id in self._acknowledging or self.original_has_text(interaction.id):
            return
        shown: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acknowledging[interaction.id] = shown
        try:
            await self._write_response(interaction.token, "@original", content_now(sentence), patient=False)
        finally:
            shown.set_result(None)
            del self._acknowledging[interaction.id]

    async def is_original(self, interaction: Interaction, message_id: int) -> bool:
        """Whether this message is the original response. Raises DiscordUnavailable."""
        try:
            original = await self._requests.ask(self._response("GET", interaction.token, "@original"))
        except Undeliverable:  # there is none
            return False
        return int(original["id"]) == message_id

    async def delete_original(self, interaction: Interaction) -> None:
        await self._requests.ask(self._response("DELETE", interaction.token, "@original"))

    def original_has_text(self, interaction_id: int) -> bool:
        """The original response holds words, or they are on their way."""
        return interaction_id in self._originals

    async def settle_original(self, interaction: Interaction, sentence: str = FOLLOWS_BELOW) -> None:
        """An original response that still says "thinking…" says where to look, or what became of it."""
        if not self.original_has_text(interaction.id):
            await self.edit_original(interaction, sentence)

    async def follow_up(self, interaction: Interaction, content: Wanted, *, ephemeral: bool) -> Posted:
        """Post one more message for an interaction. There is no nonce here: never to be repeated."""
        try:
            return await self._follow_up(interaction, content, ephemeral=ephemeral)
        except OutcomeUnknown as error:
            raise Undeliverable(f"a follow-up is never repeated: {error}") from error

    async def tell_alone(self, interaction: Interaction, sentence: str) -> None:
        """Say it to whoever used the command, and nobody else; again where Discord did not take it up.

        Others cannot read it once the public "thinking…" has left. Raises DiscordUnavailable: it may be there.
        """

        async def leave() -> None:
            if not self.original_has_text(interaction.id):
                with suppress(Gone):
                    await self.delete_original(interaction)

        async def say() -> None:
            await self._follow_up(interaction, sentence, ephemeral=True)

        await self._surely(leave, again=lambda _: True)
        await self._surely(say, again=was_turned_away)

    async def _surely(
        self, request: Callable[[], Awaitable[None]], *, again: Callable[[DiscordUnavailable], bool]
    ) -> None:
        for seconds in SECONDS_BEFORE_RETRIES:
            try:
                return await request()
            except DiscordUnavailable as error:
                if not again(error):
                    raise
                log.info("asking Discord again in %.0f s: %s", seconds, error)
            await self._clock.sleep(seconds)
        return await request()

    async def _follow_up(self, interaction: Interaction, content: Wanted, *, ephemeral: bool) -> Posted:
        sent = content_now(content)
        body = new_message(sent, ephemeral=ephemeral)
        route = self._response("POST", interaction.token)
        return as_sent(await self._requests.write(Writing(route=route, body=lambda: body, once=True)), sent)

    async def edit_follow_up(
        self, interaction: Interaction, message_id: int, content: Wanted, *, patient: bool = False
    ) -> Posted:
        sent = content_now(content)
        posted = await self._write_response(interaction.token, str(message_id), sent, patient=patient)
        return as_sent(posted, sent)

    async def delete_follow_up(self, interaction: Interaction, message_id: int) -> None:
        await self._requests.ask(self._response("DELETE", interaction.token, str(message_id)))

    async def show(self, interaction: discord.Interaction[Any], content: Wanted) -> None:
        """Let the response to an acknowledged command, or the message whose button was pressed, show this."""
        with self._holding_text(interaction.id):
            await self._write_response(interaction.token, "@original", content_now(content), patient=True)

    # Buttons

    async def take_press(self, interaction: discord.Interaction[Any], sentence: str) -> None:
        """Let the message whose button was pressed say this, without the button."""
        await self._respond(
            interaction.response.edit_message(
                content=sentence, view=None, allowed_mentions=discord.AllowedMentions.none()
            )
        )

    async def acknowledge_press(self, interaction: discord.Interaction[Any]) -> None:
        """Let the button come back up; the message that it is below stays as it is."""
        await self._respond(interaction.response.defer())

    async def whisper(self, interaction: discord.Interaction[Any], sentence: str) -> None:
        """Tell whoever pressed a button, and nobody else."""
        if interaction.response.is_done():
            body = new_message(content_now(sentence), ephemeral=True)
            await self._requests.write(Writing(route=self._response("POST", interaction.token), body=lambda: body))
        else:
            await self._say_first(interaction, sentence, ephemeral=True)

    # Requests

    async def _say_first(self, interaction: discord.Interaction[Any], sentence: str, *, ephemeral: bool) -> None:
        await self._respond(
            interaction.response.send_message(
                sentence,
                ephemeral=ephemeral,
                suppress_embeds=True,
                allowed_mentions=discord.AllowedMentions.none(),
            )
        )

    async def _write_response(self, token: str, message: str, content: Content, *, patient: bool) -> Posted:
        route, body = self._response("PATCH", token, message), edited_message(content)
        return await self._requests.write(Writing(route=route, body=lambda: body, patient=patient))

    async def _respond(self, response: Coroutine[Any, Any, object]) -> None:
        try:
            async with self._clock.deadline(REQUEST_SECONDS):
                await response
        except REQUEST_ERRORS as error:
            if not isinstance(error, discord.HTTPException) or error.code != ALREADY_ACKNOWLEDGED:
                raise translate(error) from error

    def _response(self, method: str, token: str, message: str = "") -> Route:
        path = "/webhooks/{webhook_id}/{webhook_token}" + (f"/messages/{message}" if message else "")
        return Route(method, path, webhook_id=self._client.application_id, webhook_token=token)

    @contextmanager
    def _holding_text(self, interaction_id: int) -> Iterator[None]:
        """Its original response counts as holding text from here on, unless this fails the first time."""
        now = self._clock.monotonic()
        life = INTERACTION_LIFE.total_seconds()
        self._originals = {one: at for one, at in self._originals.items() if now - at < life}
        first = interaction_id not in self._originals
        self._originals.setdefault(interaction_id, now)
        try:
            yield
        except BotError:
            if first:
                self._originals.pop(interaction_id, None)
            raise
