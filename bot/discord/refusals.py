"""What Discord's (and the library's) errors mean for a message of ours."""

import aiohttp
import discord

from bot.core.errors import DiscordUnavailable, TextRefused, Undeliverable
from bot.core.unreachable import why_unreachable

UNAUTHORIZED = 401
NOT_FOUND = 404
TOO_LARGE = 413
TOO_MANY_REQUESTS = 429
SERVER_ERRORS = 500
UNAVAILABLE = 503

# Discord's JSON error codes
ALREADY_ACKNOWLEDGED = 40060
WEBHOOK_TOKEN = 50027
NO_ACCESS, NO_PERMISSION = 50001, 50013
INVALID_FORM, NO_REPLY_WITHOUT_HISTORY = 50035, 160002
ARCHIVED = 50083
FILTERED = frozenset({200000, 200001, 240000})  # AutoMod: message, title; harmful link

# What a request can raise: ValueError is a body cut off in mid-JSON, RuntimeError a session that is closed.
REQUEST_ERRORS = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError, ValueError, RuntimeError)


class OutcomeUnknown(DiscordUnavailable):
    """The request may or may not have been carried out: time-out, connection lost, HTTP 5xx, a page."""


class Gone(Undeliverable):
    """What the request is about no longer exists: message, channel, interaction."""


class NotAllowed(Undeliverable):
    """The bot may not see the channel, or not write there."""


class Archived(Undeliverable):
    """The thread is archived: it takes no edits and deletions until somebody writes there, or opens it again."""


class RefusedMeanwhile(NotAllowed):
    """Discord does not allow it any more, but an earlier try of the request may have been carried out."""


class FileRefused(Undeliverable):
    """Discord takes no file there, or none of this size; the message without it may be welcome."""


class CannotReply(Undeliverable):
    """Discord takes no reply to that message: that takes the permission to read the history, or the message."""


_REPLYING = "In message_reference"  # as the library says which field is wrong
_REFUSALS: dict[int, type[Undeliverable]] = {
    NO_ACCESS: NotAllowed,
    NO_PERMISSION: NotAllowed,
    NO_REPLY_WITHOUT_HISTORY: CannotReply,
    ARCHIVED: Archived,
    **dict.fromkeys(FILTERED, TextRefused),
}


def translate(error: Exception) -> Undeliverable | DiscordUnavailable:
    """*error*, one of REQUEST_ERRORS, in the core's words: status and Discord's code, never its text."""
    if isinstance(error, discord.RateLimited):
        return DiscordUnavailable("rate limited for too long")
    if not isinstance(error, discord.HTTPException):
        return OutcomeUnknown(type(error).__name__)
    said = f"HTTP {error.status}, code {error.code}"
    token_refused = error.status == UNAUTHORIZED and error.code != WEBHOOK_TOKEN  # it may take it with another one
    if token_refused or error.status == TOO_MANY_REQUESTS:
        return DiscordUnavailable(said)
    if error.status >= SERVER_ERRORS:
        return OutcomeUnknown(said)
    if error.status != TOO_LARGE and not is_discords(error):
        return OutcomeUnknown(f"HTTP {error.status}, and not in Discord's words")
    return _refusal(error)(said)


def was_turned_away(error: DiscordUnavailable) -> bool:
    """Whether Discord did not take the request up, as far as that can be told: no connection, HTTP 429 or 503."""
    if not isinstance(error, OutcomeUnknown):
        return True
    cause = error.__cause__
    unavailable = isinstance(cause, discord.HTTPException) and cause.status == UNAVAILABLE
    return unavailable or isinstance(cause, aiohttp.ClientConnectorError)


def why_not_answered(error: Exception) -> str:
    """Why Discord did not answer, for whoever runs the bot."""
    failure = translate(error)
    failure.__cause__ = error
    return why_unreachable(failure)


def is_discords(error: discord.HTTPException) -> bool:
    """Whether Discord itself says so.

    Else it is a page of what lies between: a proxy, or what guards Discord, which may let the same through later.
    The code does not tell: some of Discord's own refusals have 0, too.
    """
    return str(error.response.headers.get("Content-Type", "")).startswith("application/json")


def _refusal(error: discord.HTTPException) -> type[Undeliverable]:
    if error.status == TOO_LARGE:
        return FileRefused
    if error.code == INVALID_FORM and _REPLYING in error.text:
        return CannotReply
    return _REFUSALS.get(error.code, Gone if error.status == NOT_FOUND else Undeliverable)
