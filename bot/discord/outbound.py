"""Every send and edit of the program goes through here: none can ping a bystander or unfurl a link.

The requests are made by the library's HTTP client directly: its public edit sends no flags. Responses to
interactions, the Outbox's other half, are in responses.py.
"""

import asyncio
import logging
from typing import Any

import discord
from discord.abc import GuildChannel
from discord.http import Route

from bot.core.errors import Undeliverable
from bot.core.ports import Clock
from bot.discord.pacer import Importance, Pacer
from bot.discord.payloads import Body, Content, Wanted, content_now, edited_message, new_message
from bot.discord.refusals import Archived, NotAllowed
from bot.discord.requests import Posted, Requests, Writing, as_sent
from bot.discord.responses import Responses

log = logging.getLogger(__name__)

SECONDS_BETWEEN_WARNINGS = 3600.0  # about one channel that cannot be written to
MESSAGES_IN_A_PAGE = 100
SECONDS_BEFORE_ASKING_AGAIN = 600.0  # in a channel where the bot may not write


class Outbox(Responses):
    """The bot's hand. Methods raise Undeliverable and DiscordUnavailable; every request has a deadline."""

    def __init__(self, client: discord.Client, *, clock: Clock, pacer: Pacer) -> None:
        super().__init__(client, clock=clock, requests=Requests(client, clock=clock, pacer=pacer))
        self._pacer = pacer
        self._creating: dict[str, asyncio.Future[Posted]] = {}
        self._editing: dict[int, tuple[Content, asyncio.Future[Posted]]] = {}
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
        allowed = self._permissions(channel_id)
        if allowed is None:
            return True
        is_thread = isinstance(self._client.get_channel(channel_id), discord.Thread)
        may_write = allowed.send_messages_in_threads if is_thread else allowed.send_messages
        return allowed.attach_files or not may_write

    def may_read_history(self, channel_id: int) -> bool:
        """As far as is known. Where it may not, Discord says that there is nothing."""
        allowed = self._permissions(channel_id)
        return allowed is None or (allowed.view_channel and allowed.read_message_history)

    def sees(self, channel_id: int) -> bool:
        """Whether the bot can come back to what it posted there, without an interaction's token."""
        allowed = self._permissions(channel_id)
        return allowed is not None and allowed.view_channel

    def _permissions(self, channel_id: int) -> discord.Permissions | None:
        """The bot's, in a server's channel; None where they are not known."""
        channel = self._client.get_channel(channel_id)
        if not isinstance(channel, GuildChannel | discord.Thread):
            return None
        try:
            return channel.permissions_for(channel.guild.me)
        except discord.ClientException:  # a thread whose channel is not known
            return None

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
        sent = Content(text="")

        def body() -> Body:
            nonlocal sent
            sent = content_now(content)
            body = new_message(sent, ping_replied=reply_to is not None)
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
            heard.cancel()  # unless it is done: nobody is to wait for it any longer
        return posted if posted.content is None and resumed else as_sent(posted, sent)

    async def edit(
        self,
        channel_id: int,
        message_id: int,
        content: Wanted,
        *,
        patient: bool = False,
        importance: Importance = Importance.FINAL,
        unless: asyncio.Event | None = None,
    ) -> Content:
        """Replace what a message shows; what was sent. A *patient* edit is tried again."""
        heard: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()

        def body() -> Body:
            now = content_now(content)
            self._editing[message_id] = (now, heard)
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
        try:
            await self._requests.ask(route)
        except Archived:
            if not await self._opened_again(channel_id):
                raise
            await self._requests.ask(route)

    async def read_messages(self, channel_id: int, *, after: int) -> list[dict[str, Any]]:
        """The first MESSAGES_IN_A_PAGE of a channel's messages behind that one, newest first."""
        route = Route("GET", "/channels/{channel_id}/messages", channel_id=channel_id)
        params = {"after": after, "limit": MESSAGES_IN_A_PAGE}
        page: list[dict[str, Any]] = await self._requests.ask(route, params=params)
        return page

    async def show_typing(self, channel_id: int) -> None:
        """Best effort: not while more important requests wait."""
        if self._pacer.at_leisure:
            route = Route("POST", "/channels/{channel_id}/typing", channel_id=channel_id)
            await self._requests.ask(route, Importance.TYPING)

    def is_posting(self, nonce: str) -> bool:
        return nonce in self._creating

    async def until_posted(self, nonce: str) -> None:
        """Wait for a create of ours under way with this nonce to end, in whatever way."""
        while (heard := self._creating.get(nonce)) is not None:
            await asyncio.wait({heard})
            await asyncio.sleep(0)  # for who hears it to let go of it

    def heard_own(self, nonce: str | int | None, message_id: int) -> None:
        """Our own message has come over the gateway: this can be seconds before the library lets go of it."""
        heard = self._creating.get(str(nonce))
        if heard is not None and not heard.done():
            heard.set_result(Posted(message_id=message_id, content=None))

    def heard_own_edit(self, message_id: int, content: Content) -> None:
        """The same for an edit of ours: what the message shows by now."""
        wanted, heard = self._editing.get(message_id, (Content(text=""), None))
        if heard is None or heard.done() or content.button != wanted.button:
            return
        if content.text.strip() == wanted.text.strip():
            heard.set_result(Posted(message_id=message_id, content=content.text))

    def permissions_changed(self) -> None:
        """Where the bot was not allowed to write, it may be now."""
        self._not_allowed.clear()

    async def close(self) -> None:
        await self._requests.close()

    # Requests

    async def _write_in_channel(self, channel_id: int, writing: Writing) -> Posted:
        until, refusal = self._not_allowed.get(channel_id, (0.0, None))
        if refusal is not None and self._clock.monotonic() < until and writing.route.method == "POST":
            raise refusal  # Discord counts refused requests, and bans who makes too many
        try:
            return await self._write_or_open(channel_id, writing)
        except Undeliverable as error:
            if isinstance(error, Archived) and not writing.patient:
                raise  # what follows drafts opens it
            self._warn(channel_id, error)
            if isinstance(error, NotAllowed):
                self._not_allowed[channel_id] = (
                    self._clock.monotonic() + SECONDS_BEFORE_ASKING_AGAIN,
                    NotAllowed(str(error)),
                )
            raise

    async def _write_or_open(self, channel_id: int, writing: Writing) -> Posted:
        try:
            return await self._requests.write(writing)
        except Archived as error:
            if writing.route.method == "POST":
                raise Undeliverable(str(error)) from error  # it would have opened the thread by itself
            if not writing.patient or not await self._opened_again(channel_id):
                raise
        return await self._requests.write(writing)

    async def _opened_again(self, channel_id: int) -> bool:
        """Open an archived thread, as a message there would. One that was locked stays as it is."""
        thread = await self._requests.ask(Route("GET", "/channels/{channel_id}", channel_id=channel_id))
        if (thread.get("thread_metadata") or {"locked": True})["locked"]:
            return False
        try:
            await self._requests.ask(
                Route("PATCH", "/channels/{channel_id}", channel_id=channel_id),
                body=Body(json={"archived": False}),
            )
        except Undeliverable as error:
            log.info("an archived thread stays closed: channel=%d: %s", channel_id, error)
            return False
        return True

    def _warn(self, channel_id: int, error: Undeliverable) -> None:
        now = self._clock.monotonic()
        self._warned = {one: at for one, at in self._warned.items() if now - at < SECONDS_BETWEEN_WARNINGS}
        if channel_id not in self._warned:
            self._warned[channel_id] = now
            log.warning("Discord refused a message: channel=%d: %s", channel_id, error)
