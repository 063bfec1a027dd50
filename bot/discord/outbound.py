"""Every send and edit of the program goes through here: none can ping a bystander or unfurl a link.

The requests are made by the library's HTTP client directly: its public edit sends no flags.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import discord
from discord.abc import GuildChannel
from discord.http import Route

from bot.core.errors import BotError, Undeliverable
from bot.core.messages import Interaction
from bot.core.ports import Clock
from bot.discord.pacer import Importance, Pacer
from bot.discord.payloads import Body, Content, Wanted, content_now, edited_message, new_message
from bot.discord.refusals import ALREADY_ACKNOWLEDGED, REQUEST_ERRORS, NotAllowed, OutcomeUnknown, translate
from bot.discord.requests import REQUEST_SECONDS, Posted, Requests, Writing

log = logging.getLogger(__name__)

SECONDS_BETWEEN_WARNINGS = 3600.0  # about one channel that cannot be written to
SECONDS_BEFORE_ASKING_AGAIN = 600.0  # in a channel where the bot may not write
INTERACTION_SECONDS = 900.0  # how long an interaction's token is good for
FOLLOWS_BELOW = "Your answer follows below."


class Outbox:
    """The bot's hand. Methods raise Undeliverable and DiscordUnavailable; every request has a deadline."""

    def __init__(self, client: discord.Client, *, clock: Clock, pacer: Pacer) -> None:
        self._client = client
        self._clock = clock
        self._pacer = pacer
        self._requests = Requests(client, clock=clock, pacer=pacer)
        self._creating: dict[str, asyncio.Future[Posted]] = {}
        self._editing: dict[int, tuple[str, asyncio.Future[Posted]]] = {}
        self._acknowledging: dict[int, asyncio.Future[None]] = {}
        self._originals: dict[int, float] = {}  # interactions whose response holds text; since when
        self._warned: dict[int, float] = {}
        self._not_allowed: dict[int, tuple[float, NotAllowed]] = {}  # channels, until when, and how Discord put it

    @property
    def bot_id(self) -> int:
        if self._client.user is None:
            raise RuntimeError("nothing can be sent before the login")
        return self._client.user.id

    def may_attach(self, channel_id: int) -> bool:
        """Whether a file may come along with a message there, as far as is known.

        Where the bot may not write, only answers to commands get there, and those may bring files.
        """
        channel = self._client.get_channel(channel_id)
        if not isinstance(channel, GuildChannel | discord.Thread):
            return True
        try:
            allowed = channel.permissions_for(channel.guild.me)
        except discord.ClientException:  # a thread whose channel is not known
            return True
        is_thread = isinstance(channel, discord.Thread)
        may_write = allowed.send_messages_in_threads if is_thread else allowed.send_messages
        return allowed.attach_files or not may_write

    # Messages in a channel

    async def create(
        self,
        channel_id: int,
        content: Wanted,
        *,
        nonce: str,
        reply_to: int | None = None,
        resumed: bool = False,
        importance: Importance = Importance.FINAL,
        unless: asyncio.Event | None = None,
    ) -> Posted:
        """Post a message, once per *nonce*; the author of *reply_to* is pinged.

        With *resumed*, an earlier create with this nonce may have succeeded with other words.
        """
        sent = ""

        def body() -> Body:
            nonlocal sent
            now = content_now(content)
            sent = now.text
            body = new_message(now, ping_replied=reply_to is not None)
            body.json.update(nonce=nonce, enforce_nonce=True)
            if reply_to is not None:
                body.json["message_reference"] = {
                    "message_id": str(reply_to),
                    "channel_id": str(channel_id),
                    "fail_if_not_exists": False,
                }
            return body

        route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel_id)
        heard: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        self._creating[nonce] = heard
        writing = Writing(route=route, body=body, importance=importance, patient=True, heard=heard, unless=unless)
        try:
            posted = await self._write_in_channel(channel_id, writing)
        finally:
            self._creating.pop(nonce, None)
        return posted if posted.content is None and resumed else _as_sent(posted, sent)

    async def edit(
        self,
        channel_id: int,
        message_id: int,
        content: Wanted,
        *,
        patient: bool = False,
        importance: Importance = Importance.FINAL,
        unless: asyncio.Event | None = None,
    ) -> str:
        """Replace what a message shows; the text that was sent. A *patient* edit is tried again."""
        heard: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()

        def body() -> Body:
            now = content_now(content)
            self._editing[message_id] = (now.text, heard)
            return edited_message(now)

        route = Route(
            "PATCH", "/channels/{channel_id}/messages/{message_id}", channel_id=channel_id, message_id=message_id
        )
        writing = Writing(
            route=route, body=body, importance=importance, patient=patient, heard=heard, unless=unless
        )
        try:
            await self._write_in_channel(channel_id, writing)
            return self._editing[message_id][0]
        finally:
            self._editing.pop(message_id, None)

    async def delete(self, channel_id: int, message_id: int) -> None:
        route = Route(
            "DELETE", "/channels/{channel_id}/messages/{message_id}", channel_id=channel_id, message_id=message_id
        )
        await self._requests.ask(route)

    async def show_typing(self, channel_id: int) -> None:
        """Best effort: not while more important requests wait."""
        if self._pacer.at_leisure:
            route = Route("POST", "/channels/{channel_id}/typing", channel_id=channel_id)
            await self._requests.ask(route, Importance.TYPING)

    def heard_own(self, nonce: str | int | None, message_id: int) -> None:
        """Our own message has come over the gateway: this can be seconds before the library lets go of it."""
        heard = self._creating.get(str(nonce))
        if heard is not None and not heard.done():
            heard.set_result(Posted(message_id=message_id, content=None))

    def heard_own_edit(self, message_id: int, content: str) -> None:
        """The same for an edit of ours."""
        wanted, heard = self._editing.get(message_id, ("", None))
        if heard is not None and not heard.done() and content.strip() == wanted.strip():
            heard.set_result(Posted(message_id=message_id, content=content))

    # Responses to interactions

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
                await self._respond(
                    interaction.response.send_message(
                        sentence,
                        ephemeral=ephemeral,
                        suppress_embeds=True,
                        allowed_mentions=discord.AllowedMentions.none(),
                    )
                )

    async def edit_original(self, interaction: Interaction, content: Wanted, *, patient: bool = False) -> Posted:
        """Give the original response this text, the first time or again."""
        if interaction.id in self._acknowledging:
            await asyncio.shield(self._acknowledging[interaction.id])
        sent = content_now(content)
        with self._holding_text(interaction.id):
            posted = await self._write_response(interaction.token, "@original", sent, patient=patient)
        return _as_sent(posted, sent.text)

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

    async def delete_original(self, interaction: Interaction) -> None:
        await self._requests.ask(self._response("DELETE", interaction.token, "@original"))

    def original_has_text(self, interaction_id: int) -> bool:
        """The original response holds words, or they are on their way."""
        return interaction_id in self._originals

    async def settle_original(self, interaction: Interaction) -> None:
        """An original response that still says "thinking…" says where to look."""
        if not self.original_has_text(interaction.id):
            await self.edit_original(interaction, FOLLOWS_BELOW)

    async def follow_up(self, interaction: Interaction, content: Wanted, *, ephemeral: bool) -> Posted:
        """Post one more message for an interaction. There is no nonce here: never to be repeated."""
        sent = content_now(content)
        body = new_message(sent, ephemeral=ephemeral)
        try:
            posted = await self._requests.write(
                Writing(route=self._response("POST", interaction.token), body=lambda: body)
            )
        except OutcomeUnknown as error:
            raise Undeliverable(f"a follow-up is never repeated: {error}") from error
        return _as_sent(posted, sent.text)

    async def edit_follow_up(
        self, interaction: Interaction, message_id: int, content: Wanted, *, patient: bool = False
    ) -> Posted:
        sent = content_now(content)
        posted = await self._write_response(interaction.token, str(message_id), sent, patient=patient)
        return _as_sent(posted, sent.text)

    async def delete_follow_up(self, interaction: Interaction, message_id: int) -> None:
        await self._requests.ask(self._response("DELETE", interaction.token, str(message_id)))

    def permissions_changed(self) -> None:
        """Where the bot was not allowed to write, it may be now."""
        self._not_allowed.clear()

    async def close(self) -> None:
        await self._requests.close()

    # Requests

    async def _write_in_channel(self, channel_id: int, writing: Writing) -> Posted:
        until, refusal = self._not_allowed.get(channel_id, (0.0, None))
        if refusal is not None and self._clock.monotonic() < until:
            raise refusal  # Discord counts refused requests, and bans who makes too many
        try:
            return await self._requests.write(writing)
        except Undeliverable as error:
            self._warn(channel_id, error)
            if isinstance(error, NotAllowed):
                self._not_allowed[channel_id] = (self._clock.monotonic() + SECONDS_BEFORE_ASKING_AGAIN, error)
            raise

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
        self._originals = {one: at for one, at in self._originals.items() if now - at < INTERACTION_SECONDS}
        first = interaction_id not in self._originals
        self._originals.setdefault(interaction_id, now)
        try:
            yield
        except BotError:
            if first:
                self._originals.pop(interaction_id, None)
            raise

    def _warn(self, channel_id: int, error: Undeliverable) -> None:
        now = self._clock.monotonic()
        self._warned = {one: at for one, at in self._warned.items() if now - at < SECONDS_BETWEEN_WARNINGS}
        if channel_id not in self._warned:
            self._warned[channel_id] = now
            log.warning("Discord refused a message: channel=%d: %s", channel_id, error)


def _as_sent(posted: Posted, sent: str) -> Posted:
    """*posted* with our own words, where Discord's differ in white space at the ends or were not told."""
    if posted.content is None or posted.content.strip() == sent.strip():
        return Posted(message_id=posted.message_id, content=sent)
    return posted
