"""Stays connected to the gateway, resuming a session where there is one; no fault makes it hurry.

It stands in for `discord.Client.connect`; decision 0029 says why, and what to compare when discord.py is raised.
"""

import logging
from collections.abc import Iterator

import aiohttp
import discord
from discord.gateway import ReconnectWebSocket

from bot.core.ports import Clock
from bot.discord.gateway_socket import CLOSED_BY_US, GatewaySocket, sockets_by
from bot.discord.identify import IdentifyPace

log = logging.getLogger(__name__)

SECONDS_TO_BE_LET_IN = 60.0
SECONDS_BETWEEN_SESSIONS = 5.0  # Discord, "Session Start Limit Object": max_concurrency in 5 s
SECOND_PAUSE_SECONDS = 1.0  # the first is none: Discord asks to reconnect every now and then
LONGEST_PAUSE_SECONDS = 20.0
SECONDS_TO_STAND = 60.0  # a connection that lasted as long was a good one


class Connecting:
    """Connects *client*, which is logged in, and again whenever that is lost."""

    def __init__(self, client: discord.Client, *, pace: IdentifyPace, clock: Clock) -> None:
        self._client = client
        self._pace = pace
        self._clock = clock
        self._sockets = sockets_by(clock)
        self._newest: GatewaySocket | None = None  # of those whose handshake came to its end; it knows the session
        self._let_in_at: float | None = None  # on this connection

    async def stay(self) -> None:
        """Until it is cancelled. Raises ConnectionClosed: for good."""
        pauses = _pauses()
        await self._pace.wait()
        while True:
            obstacle = await self._connect()
            self._client.dispatch("disconnect")
            if self._stood():
                pauses = _pauses()
            seconds = next(pauses)
            if not self._has_session:
                seconds = max(seconds, SECONDS_BETWEEN_SESSIONS)
            log.log(
                logging.WARNING if obstacle else logging.INFO,
                "no connection to Discord (%s); connecting again in %.0f s",
                obstacle or "it was lost, or Discord asked for another",
                seconds,
            )
            await self._clock.sleep(seconds)
            if not self._has_session:
                # A connection that waited for its turn would be lost meanwhile.
                await self._pace.wait()

    async def _connect(self) -> str | None:
        """One connection, to its end. None, or what was in its way."""
        self._let_in_at = None
        try:
            async with self._clock.deadline(SECONDS_TO_BE_LET_IN):
                socket = await self._get_in()
            self._let_in_at = self._clock.monotonic()
            while True:
                await socket.poll_event()
        except ReconnectWebSocket:
            return None
        except discord.ConnectionClosed as error:
            if error.code != CLOSED_BY_US:
                raise
            return None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if self._let_in_at is not None:
                return type(error).__name__
            if self._newest is not None:
                # The session's own address may be what is away.
                self._newest.gateway = self._newest.DEFAULT_GATEWAY
            return "the gateway did not answer"
        except Exception:
            # The session counts this event as read; a new one reads what was missed.
            log.exception("what Discord sent was not understood")
            self._newest = None
            return "beginning a new session"

    async def _get_in(self) -> GatewaySocket:
        """Connected, and back in the session, or in a new one."""
        resumes = self._has_session
        self._newest = self._client.ws = socket = await self._shake_hands()
        let_in = socket.wait_for("RESUMED" if resumes else "READY", lambda _: True)
        while not let_in.done():
            await socket.poll_event()
        return socket

    async def _shake_hands(self) -> GatewaySocket:
        """Until IDENTIFY or RESUME went out."""
        if self._newest is None or not self._has_session:
            return await self._sockets.from_client(self._client)
        return await self._sockets.from_client(
            self._client,
            resume=True,
            session=self._newest.session_id,
            sequence=self._newest.sequence,
            gateway=self._newest.gateway,
        )

    @property
    def _has_session(self) -> bool:
        """The library forgets the id of a session that Discord has ended."""
        return self._newest is not None and self._newest.session_id is not None

    def _stood(self) -> bool:
        return self._let_in_at is not None and self._clock.monotonic() - self._let_in_at >= SECONDS_TO_STAND


def _pauses() -> Iterator[float]:
    """None, then 1 s, doubling to 20 s."""
    yield 0.0
    seconds = SECOND_PAUSE_SECONDS
    while True:
        yield min(seconds, LONGEST_PAUSE_SECONDS)
        seconds = min(seconds * 2, LONGEST_PAUSE_SECONDS)
