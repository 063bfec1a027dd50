"""Whether this machine's clock agrees with Discord's: interactions and nonces have deadlines on both sides."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp

from bot.core.findings import Finding, ok, warning, wrong
from bot.core.ports import Clock
from bot.core.unreachable import why_unreachable
from bot.discord.preflight import REQUEST_SECONDS, USER_AGENT, NoAnswer, read_answer

TOLERATED_SECONDS = 2.0
_PRECISION = timedelta(seconds=1)  # of an HTTP date
_CHECK, _SUBJECT = "clock", "this machine"
_TRY_AGAIN = "Try again when Discord can be reached."


async def check_clock(*, api_url: str, clock: Clock) -> Finding:
    """Asks without a token."""
    try:
        asked, date, answered = await _ask_for_date(api_url, clock)
    except (NoAnswer, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        why = why_unreachable(error)
        return warning(_CHECK, _SUBJECT, f"can't be compared with Discord's ({why})", _TRY_AGAIN)
    off = seconds_off(asked=asked, date=date, answered=answered)
    if abs(off) <= TOLERATED_SECONDS:
        return ok(_CHECK, _SUBJECT, "agrees with Discord's")
    return wrong(
        _CHECK,
        _SUBJECT,
        f"its clock is {abs(off):,.0f} s {'ahead of' if off > 0 else 'behind'} Discord's",
        "Let it be set from the network: sudo timedatectl set-ntp true.",
    )


def seconds_off(*, asked: datetime, date: datetime, answered: datetime) -> float:
    """How far our clock is ahead for certain; the answer was dated between *asked* and *answered*."""
    if asked > date + _PRECISION:
        return (asked - date - _PRECISION).total_seconds()
    if answered < date:
        return (answered - date).total_seconds()
    return 0.0


async def _ask_for_date(api_url: str, clock: Clock) -> tuple[datetime, datetime, datetime]:
    async with (
        clock.deadline(REQUEST_SECONDS),
        aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}) as session,
    ):
        asked = clock.now()
        async with session.get(f"{api_url}/gateway", allow_redirects=False) as response:
            answered = clock.now()
            # Another server's clock tells nothing of Discord's.
            read_answer(response.status, await response.read())
            date = parsedate_to_datetime(response.headers.get("Date", ""))
            return asked, date.astimezone(UTC), answered
