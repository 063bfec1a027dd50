"""What Discord says about our application before anything connects: wrong token, missing intent, the gateway.

Asked without the library, so that a refusal is a plain sentence and an outage at start is waited out.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import aiohttp
import discord

from bot.core.errors import DiscordUnavailable, StartupRefused
from bot.core.ports import Clock
from bot.core.unreachable import why_unreachable

log = logging.getLogger(__name__)

REQUESTS_OF_A_LOOK_UP = 2
REQUEST_SECONDS = 20.0
FIRST_BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 900.0
# The last of a day's, over the time that is left of it: Discord resets the token after them.
SESSIONS_TO_SPREAD = 100

# GATEWAY_MESSAGE_CONTENT and its _LIMITED (Discord, "Application Flags"): either lets a bot ask for the intent.
_CONTENT_GRANTED = 1 << 18 | 1 << 19
_PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    read_message_history=True,
    attach_files=True,
)
USER_AGENT = f"DiscordBot (https://github.com/Rapptz/discord.py {discord.__version__}) confab"
_ACCEPTED = 2  # Discord, "Membership State Enum": the others are invited
_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404

_NOT_DISCORDS = "the answer is not Discord's; check DISCORD_API_URL"

MessageContent = Literal["auto", "on", "off"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """Our application, as Discord knows it."""

    id: int
    name: str
    message_content_granted: bool
    gateway_url: str
    sessions_left: int = 1000  # that may still be begun with the gateway, by whatever uses this token
    sessions_renewed_in: float = 0.0  # seconds
    owner_ids: tuple[int, ...] = ()  # of the person, or the people of the team, whose application it is

    @property
    def seconds_to_spare_sessions(self) -> float:
        """How long to wait before one more is begun, so that they last."""
        if self.sessions_left > SESSIONS_TO_SPREAD:
            return 0.0
        return self.sessions_renewed_in / max(self.sessions_left, 1)


class NoAnswer(Exception):
    """Discord gave no usable answer this time; the text is for whoever runs the bot."""


async def look_up_application(*, api_url: str, token: str, clock: Clock, patient: bool = True) -> Application:
    """Ask until Discord answers, or once if not *patient*; who is waits where few sessions are left.

    Raises StartupRefused for what waiting cannot cure, and DiscordUnavailable where it was asked only once.
    """
    pauses = backoff_seconds()
    async with aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}) as session:
        while True:
            try:
                application = await _look_up(session, api_url=api_url, token=token, clock=clock)
            except NoAnswer as error:
                if not patient:
                    raise DiscordUnavailable(str(error)) from error
                seconds = next(pauses)
                warn_unreachable(why_unreachable(error), seconds)
            else:
                break
            await clock.sleep(seconds)
    if patient and (seconds := application.seconds_to_spare_sessions):
        # A bot that keeps starting anew, with a database that keeps nothing of it: IdentifyPace knows of no other.
        log.warning(
            "only %d connections to Discord are left for the next %.1f hours; beginning the next one in %.0f s",
            application.sessions_left,
            application.sessions_renewed_in / 3600,
            seconds,
        )
        await clock.sleep(seconds)
    return application


async def is_token_refused(*, api_url: str, token: str, clock: Clock) -> bool:
    """Asked once; where Discord gives no usable answer, it is not."""
    async with aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}) as session:
        try:
            status, _ = await _request(session, f"{api_url}/users/@me", token=token, clock=clock)
        except NoAnswer as error:
            log.warning("whether Discord refuses the token is not known (%s)", why_unreachable(error))
            return False
    return status == _UNAUTHORIZED


def warn_unreachable(why: str, seconds: float) -> None:
    log.warning("Discord can't be reached (%s); trying again in %.0f s", why, seconds)
    if seconds == FIRST_BACKOFF_SECONDS:
        log.info(
            "going on until Discord answers, with pauses of up to %.0f minutes: if it lasts, check this machine's "
            "connection and proxy, and https://discordstatus.com",
            LONGEST_BACKOFF_SECONDS / 60,
        )


def backoff_seconds() -> Iterator[float]:
    """5 s, doubling to a quarter of an hour."""
    seconds = FIRST_BACKOFF_SECONDS
    while True:
        yield seconds
        seconds = min(seconds * 2, LONGEST_BACKOFF_SECONDS)


def wants_message_content(setting: MessageContent, application: Application) -> bool:
    """Whether to request the message content intent. Raises StartupRefused: it is required and not granted."""
    if setting == "on" and not application.message_content_granted:
        raise intent_refused(application.id)
    if setting == "auto" and not application.message_content_granted:
        log.info(
            "the message content intent is not granted: mentions, pinged replies, DMs and /chat are answered; "
            "other messages, in CHAT_CHANNELS too, can't be read"
        )
    return setting != "off" and application.message_content_granted


def invite_link(application_id: int) -> str:
    """Where a server's owner adds the bot, with the least permissions that it needs."""
    asked = {
        "client_id": application_id,
        "scope": "bot applications.commands",
        "permissions": _PERMISSIONS.value,
    }
    return f"https://discord.com/oauth2/authorize?{urlencode(asked)}"


def token_refused() -> StartupRefused:
    return StartupRefused(
        "DISCORD_TOKEN is refused by Discord. On https://discord.com/developers/applications choose your "
        "application, Bot, Reset Token, and set DISCORD_TOKEN to the new one."
    )


def intent_refused(application_id: int) -> StartupRefused:
    return StartupRefused(
        "Discord has not granted the message content intent. Switch it on at "
        f"https://discord.com/developers/applications/{application_id}/bot under Privileged Gateway Intents, "
        "or set MESSAGE_CONTENT=off: mentions, pinged replies, DMs and /chat work without it."
    )


async def _look_up(session: aiohttp.ClientSession, *, api_url: str, token: str, clock: Clock) -> Application:
    about = await _get(session, f"{api_url}/applications/@me", token=token, clock=clock)
    gateway = await _get(session, f"{api_url}/gateway/bot", token=token, clock=clock)
    try:
        sessions = gateway["session_start_limit"]
        return Application(
            id=int(about["id"]),
            name=str(about["name"]),
            message_content_granted=bool(int(about.get("flags", 0)) & _CONTENT_GRANTED),
            gateway_url=_trusted(str(gateway["url"])),
            sessions_left=int(sessions["remaining"]),
            sessions_renewed_in=int(sessions["reset_after"]) / 1000,
            owner_ids=_owner_ids(about),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer(_NOT_DISCORDS) from error


def _owner_ids(about: dict[str, Any]) -> tuple[int, ...]:
    """A team's application is owned, on paper, by a user that nobody can write to."""
    if team := about.get("team"):
        return tuple(int(each["user"]["id"]) for each in team["members"] if each["membership_state"] == _ACCEPTED)
    owner = about.get("owner")
    return (int(owner["id"]),) if owner else ()


async def _get(session: aiohttp.ClientSession, url: str, *, token: str, clock: Clock) -> dict[str, Any]:
    status, body = await _request(session, url, token=token, clock=clock)
    if status == _UNAUTHORIZED:
        raise token_refused()
    if status == _NOT_FOUND:
        raise StartupRefused(
            "DISCORD_API_URL is no Discord API of version 10: it answered HTTP 404. "
            "Leave it out for Discord itself."
        )
    return read_answer(status, body)


def read_answer(status: int, body: bytes) -> dict[str, Any]:
    """Raises NoAnswer. HTML with status 200 is another server's, or a network's that wants a login."""
    if status != _OK:
        raise NoAnswer(f"HTTP {status}")
    try:
        answer = json.loads(body)
    except ValueError:
        raise NoAnswer(_NOT_DISCORDS) from None
    if not isinstance(answer, dict):
        raise NoAnswer(_NOT_DISCORDS)
    return answer


async def _request(session: aiohttp.ClientSession, url: str, *, token: str, clock: Clock) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bot {token}"}
    try:
        # No redirect is followed: the token goes where the settings say, and nowhere else.
        async with (
            clock.deadline(REQUEST_SECONDS),
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise NoAnswer(type(error).__name__) from error


def _trusted(gateway_url: str) -> str:
    """The gateway receives the token, so it is encrypted or on this machine. Raises StartupRefused."""
    url = urlsplit(gateway_url)
    if url.scheme == "wss" or (url.scheme == "ws" and _is_loopback(url.hostname or "")):
        return gateway_url
    raise StartupRefused(
        "DISCORD_API_URL names a gateway without encryption, which would receive the bot's token. "
        "Use a server whose gateway begins with wss://."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
