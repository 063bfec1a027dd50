"""What Discord's client shows for the marks in a message's text: names for mentions, words for times."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from bot.core.wording import counted
from bot.playground.loopback.mentions import CODE
from bot.playground.loopback.snowflakes import made_at

_MARK = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])"
    rf"|(?P<code>{CODE.pattern})"
    r"|<@!?(?P<user>\d{1,20})>"
    r"|<@&(?P<role>\d{1,20})>"
    r"|<#(?P<channel>\d{1,20})>"
    r"|<a?:(?P<emoji>\w{1,32}):\d{1,20}>"
    r"|<t:(?P<time>-?\d{1,17})(?::(?P<style>[tTdDfFsSR]))?>"
    r"|</(?P<command>[-\w ]{1,100}):\d{1,20}>"
    r"|https://discord\.com/channels/(?:\d{1,20}|@me)/(?P<place>\d{1,20})/(?P<message>\d{1,20})",
    re.DOTALL,
)
_PLAIN = {"escaped": "{}", "code": "{}", "emoji": ":{}:", "command": "/{}"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMS = {
    "t": "%H:%M",
    "T": "%H:%M:%S",
    "d": "%Y-%m-%d",
    "D": "{day} %B %Y",
    "f": "{day} %B %Y %H:%M",
    "F": "%A, {day} %B %Y %H:%M",
    "s": "%Y-%m-%d %H:%M",
    "S": "%Y-%m-%d %H:%M:%S",
}
_USUAL_FORM = "f"
_STEPS = (("second", 60), ("minute", 60), ("hour", 24), ("day", 30), ("month", 12))  # how many make the next one

NameOf = Callable[[int], str | None]  # by id; None: there is no such


def unmarked(
    content: str,
    *,
    now: datetime,
    user_name: NameOf,
    role_name: NameOf,
    channel_name: NameOf,
    zone: tzinfo | None = None,
) -> str:
    """*content* as it is shown at *now*, in this machine's time zone unless another is given.

    Code stays as it is, and so does what has a backslash before it.
    """
    named = {
        "user": ("@", user_name, "unknown-user"),
        "role": ("@", role_name, "unknown-role"),
        "channel": ("#", channel_name, "unknown"),
    }

    def show(mark: re.Match[str]) -> str:
        kind = next(name for name, found in mark.groupdict().items() if found is not None)
        if kind in named:
            sign, name_of, unknown = named[kind]
            return sign + (name_of(int(mark[kind])) or unknown)
        if kind == "time":
            return _time(mark, now, zone)
        if kind == "place":
            return _link(mark, channel_name, zone)
        return _PLAIN[kind].format(mark[kind])

    return _MARK.sub(show, content)


def _link(mark: re.Match[str], channel_name: NameOf, zone: tzinfo | None) -> str:
    """A link leads to Discord itself, where nobody has this message; its place and time are what can be shown."""
    name = channel_name(int(mark["place"]))
    return f"(#{name}, {made_at(int(mark['message'])).astimezone(zone):%Y-%m-%d %H:%M})" if name else mark[0]


def _time(mark: re.Match[str], now: datetime, zone: tzinfo | None) -> str:
    try:
        moment = _EPOCH + timedelta(seconds=int(mark["time"]))
        if mark["style"] == "R":
            return _from(now, moment)
        local = moment.astimezone(zone)
        return local.strftime(_FORMS[mark["style"] or _USUAL_FORM].format(day=local.day))
    except (OverflowError, ValueError):
        return mark[0]  # no calendar goes as far


def _from(now: datetime, moment: datetime) -> str:
    """`in 3 hours`, `2 days ago`."""
    count, unit = abs((moment - now).total_seconds()), "year"
    for step, size in _STEPS:
        if round(count) < size:
            unit = step
            break
        count /= size
    words = counted(round(count), unit)
    return f"in {words}" if moment > now else f"{words} ago"
