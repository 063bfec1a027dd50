"""Every send and edit of the program goes through here: none can ping a bystander or unfurl a link.

The requests are made by the library's HTTP client directly: its public edit sends no flags, and flags that an
edit leaves out bring link previews back.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import discord
from discord.http import Route

from bot.core.errors import BotError, Undeliverable
from bot.core.messages import Interaction
from bot.core.ports import Clock
from bot.discord.refusals import ALREADY_ACKNOWLEDGED, REQUEST_ERRORS, OutcomeUnknown, translate

log = logging.getLogger(__name__)

REQUEST_SECONDS = 60.0
SECONDS_BEFORE_RETRIES = (1.0, 3.0)
SECONDS_TO_CLOSE = 5.0
SECONDS_BETWEEN_WARNINGS = 3600.0  # about one channel that cannot be written to
INTERACTION_SECONDS = 900.0  # how long an interaction's token is good for
FOLLOWS_BELOW = "Your answer follows below."

_SUPPRESS_EMBEDS = 1 << 2
_EPHEMERAL = 1 << 6

Payload = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A message of ours, as Discord says it stands. *content* is None where it did not say."""

    message_id: int
    content: str | None


class Outbox:
    """The bot's hand. Methods raise Undeliverable and DiscordUnavailable; every request has a deadline."""

    def __init__(self, client: discord.Client, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._requests: set[asyncio.Task[Any]] = set()
        self._creating: dict[str, asyncio.Future[Posted]] = {}
        self._editing: dict[int, tuple[str, asyncio.Future[Posted]]] = {}
        self._acknowledging: dict[int, asyncio.Future[None]] = {}
        self._originals: dict[int, float] = {}  # interactions whose response holds text; since when
        self._warned: dict[int, float] = {}

    @property
    def bot_id(self) -> int:
        if self._client.user is None:
            raise RuntimeError("nothing can be sent before the login")
        return self._client.user.id

    # Messages in a channel

    async def create(
        self, channel_id: int, content: str, *, nonce: str, reply_to: int | None = None, resumed: bool = False
    ) -> Posted:
        """Post a message, once per *nonce*; the author of *reply_to* is pinged.

        With *resumed*, an earlier create with this nonce may have succeeded with other words.
        """
        payload = _payload(content, ping_replied=reply_to is not None)
        payload |= {"nonce": nonce, "enforce_nonce": True}
        if reply_to is not None:
            payload["message_reference"] = {
                "message_id": str(reply_to),
                "channel_id": str(channel_id),
                "fail_if_not_exists": False,
            }
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel_id)
        heard: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        self._creating[nonce] = heard
        try:
            posted = await self._write_in_channel(channel_id, route, payload, heard, patient=True)
        finally:
            self._creating.pop(nonce, None)
        if posted.content is None and not resumed:
            return Posted(message_id=posted.message_id, content=content)
        return posted

    async def edit(self, channel_id: int, message_id: int, content: str, *, patient: bool = False) -> None:
        """Replace a message's text. A *patient* edit is tried again when Discord does not take it."""
        route = Route(
            "PATCH", "/channels/{channel_id}/messages/{message_id}", channel_id=channel_id, message_id=message_id
        )
        heard: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        self._editing[message_id] = (content, heard)
        try:
            await self._write_in_channel(channel_id, route, _payload(content), heard, patient=patient)
        finally:
            self._editing.pop(message_id, None)

    async def delete(self, channel_id: int, message_id: int) -> None:
        route = Route(
            "DELETE", "/channels/{channel_id}/messages/{message_id}", channel_id=channel_id, message_id=message_id
        )
        await self._ask(route)

    async def show_typing(self, channel_id: int) -> None:
        await self._ask(Route("POST", "/channels/{channel_id}/typing", channel_id=channel_id))

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
                await self._write(
                    self._response("PATCH", interaction.token, "@original"), _payload(sentence), patient=True
                )
            else:
                await self._respond(
                    interaction.response.send_message(
                        sentence,
                        ephemeral=ephemeral,
                        suppress_embeds=True,
                        allowed_mentions=discord.AllowedMentions.none(),
                    )
                )

    async def edit_original(self, interaction: Interaction, content: str, *, patient: bool = False) -> Posted:
        """Give the original response this text, the first time or again."""
        if interaction.id in self._acknowledging:
            await asyncio.shield(self._acknowledging[interaction.id])
        route = self._response("PATCH", interaction.token, "@original")
        with self._holding_text(interaction.id):
            return await self._write(route, _payload(content), patient=patient)

    async def delete_original(self, interaction: Interaction) -> None:
        await self._ask(self._response("DELETE", interaction.token, "@original"))

    def original_has_text(self, interaction_id: int) -> bool:
        """The original response holds words, or they are on their way."""
        return interaction_id in self._originals

    async def settle_original(self, interaction: Interaction) -> None:
        """An original response that still says "thinking…" says where to look."""
        if not self.original_has_text(interaction.id):
            await self.edit_original(interaction, FOLLOWS_BELOW)

    async def follow_up(self, interaction: Interaction, content: str, *, ephemeral: bool) -> Posted:
        """Post one more message for an interaction. There is no nonce here: never to be repeated."""
        payload = _payload(content)
        payload["flags"] |= _EPHEMERAL if ephemeral else 0
        try:
            return await self._write(self._response("POST", interaction.token), payload)
        except OutcomeUnknown as error:
            raise Undeliverable(f"a follow-up is never repeated: {error}") from error

    async def edit_follow_up(
        self, interaction: Interaction, message_id: int, content: str, *, patient: bool = False
    ) -> None:
        route = self._response("PATCH", interaction.token, str(message_id))
        await self._write(route, _payload(content), patient=patient)

    async def delete_follow_up(self, interaction: Interaction, message_id: int) -> None:
        await self._ask(self._response("DELETE", interaction.token, str(message_id)))

    async def close(self) -> None:
        """Give the requests that the library still holds a moment, then let go of them."""
        if self._requests:
            try:
                async with self._clock.deadline(SECONDS_TO_CLOSE):
                    await asyncio.wait(self._requests)
            except TimeoutError:
                log.info("requests let go of: %d", len(self._requests))
        for request in self._requests:
            request.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)

    # Requests

    async def _write_in_channel(
        self, channel_id: int, route: Route, payload: Payload, heard: asyncio.Future[Posted], *, patient: bool
    ) -> Posted:
        try:
            return await self._write(route, payload, heard, patient=patient)
        except Undeliverable as error:
            self._warn(channel_id, error)
            raise

    async def _write(
        self,
        route: Route,
        payload: Payload,
        heard: asyncio.Future[Posted] | None = None,
        *,
        patient: bool = False,
    ) -> Posted:
        """The message as Discord answers it, or as it was *heard* over the gateway, whichever comes first."""
        for seconds in SECONDS_BEFORE_RETRIES if patient else ():
            try:
                return _posted(await self._ask(route, payload, heard))
            except OutcomeUnknown as error:
                log.info("asking Discord again in %.0f s: %s %s: %s", seconds, route.method, route.path, error)
            await self._clock.sleep(seconds)
        return _posted(await self._ask(route, payload, heard))

    async def _ask(
        self, route: Route, payload: Payload | None = None, heard: asyncio.Future[Posted] | None = None
    ) -> object:
        if heard is not None and heard.done():
            return heard.result()
        request = asyncio.create_task(self._request(route, payload))
        self._requests.add(request)
        request.add_done_callback(self._ended)
        first: set[asyncio.Future[Any]] = {request} if heard is None else {request, heard}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if payload is None:
                request.cancel()  # what writes something goes on to its end
            raise
        if heard is not None and heard.done():
            return heard.result()  # the request goes on: the library sleeps in it until its bucket refills
        try:
            return request.result()
        except REQUEST_ERRORS as error:
            raise translate(error) from error

    async def _request(self, route: Route, payload: Payload | None) -> object:
        http = self._client.http
        async with self._clock.deadline(REQUEST_SECONDS):
            return await (http.request(route) if payload is None else http.request(route, json=payload))

    def _ended(self, request: asyncio.Task[Any]) -> None:
        self._requests.discard(request)
        if not request.cancelled() and (error := request.exception()) is not None:
            log.debug("a request ended with %s", type(error).__name__)

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


def _payload(content: str, *, ping_replied: bool = False) -> Payload:
    return {
        "content": content,
        "allowed_mentions": {"parse": [], "replied_user": ping_replied},
        "flags": _SUPPRESS_EMBEDS,
    }


def _posted(answer: object) -> Posted:
    if isinstance(answer, Posted):
        return answer
    if not isinstance(answer, dict) or "id" not in answer:
        raise OutcomeUnknown("the answer was no message")
    return Posted(message_id=int(answer["id"]), content=answer.get("content"))
