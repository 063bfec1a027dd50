"""What was used of the models, summed up, and how it is said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from typing import Protocol

from bot.core.costs import dollars_in_words
from bot.core.wording import counted

ROOM_FOR_LINES = 1_500  # characters: Discord's messages end at 2,000, and head and sum want their place
_LONGEST_NAME = 60
SUMMARIES = 0  # in a person's place: nobody's own
IN_SERVERS = "That is for servers. In here, `/usage` by itself shows what you used."
FOR_MANAGERS = "Only people who may manage this server can see that. `/usage` by itself shows what you used."
UTC_DAYS = "-# Days and months are those of UTC."


class By(StrEnum):
    """What sums are grouped by."""

    PERSON = "person"
    CHANNEL = "channel"
    SERVER = "server"
    MODEL = "model"
    DAY = "day"


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """Requests to the models, summed up. Tokens are those that were reported, and dollars those that are known."""

    of: int | str | None = None  # the id, model or day; None: forgotten, in no server, or all together; SUMMARIES
    requests: int = 0
    answers: int = 0  # that came of them, cut off or whole
    input_tokens: int = 0
    cached_tokens: int = 0  # of these
    output_tokens: int = 0
    cost_nanodollars: int | None = None  # None: of no request known
    unknown: int = 0  # requests of unknown cost


class UsageStore(Protocol):
    async def usage(
        self, by: By | None, *, since: datetime, guild_id: int | None = None, person: int | None = None
    ) -> list[Used]:
        """What was used since then, of one server or by one person or in all, most first; days in their order.

        *by* None: one sum. As for TurnStore: one transaction, DatabaseUnavailable.
        """


def own_words(*, today: Used, month: Used) -> str:
    """What a person used."""
    return f"**What you used of me**\nToday: {_words(today)}\nThis month: {_words(month)}\n{UTC_DAYS}"


def server_words(by: By, used: Sequence[Used]) -> str:
    """What was used in a server this month, for those who manage it."""
    head = f"**What this server used of me this month, by {by}**"
    if not used:
        return f"{head}\nNothing yet.\n{UTC_DAYS}"
    first = reversed(used) if by is By.DAY else used  # the newest day is what people look for
    lines = [f"{_name(by, each)}: {_words(each)}" for each in first]
    ends = accumulate(len(line) + 1 for line in lines)
    shown = sum(end <= ROOM_FOR_LINES for end in ends)
    more = [f"… and {len(lines) - shown:,} more"] if shown < len(lines) else []
    return "\n".join([head, *lines[:shown], *more, f"In all: {_words(together(used))}", UTC_DAYS])


def together(used: Sequence[Used]) -> Used:
    known = [each.cost_nanodollars for each in used if each.cost_nanodollars is not None]
    return Used(
        requests=sum(each.requests for each in used),
        answers=sum(each.answers for each in used),
        input_tokens=sum(each.input_tokens for each in used),
        cached_tokens=sum(each.cached_tokens for each in used),
        output_tokens=sum(each.output_tokens for each in used),
        cost_nanodollars=sum(known) if known else None,
        unknown=sum(each.unknown for each in used),
    )


def _words(used: Used) -> str:
    if not used.requests:
        return "nothing"
    cached = f" ({used.cached_tokens:,} cached)" if used.cached_tokens else ""
    return (
        f"{counted(used.answers, 'answer')}, {used.input_tokens:,} tokens read{cached}, "
        f"{used.output_tokens:,} written, {_cost(used)}"
    )


def _cost(used: Used) -> str:
    known = used.cost_nanodollars or 0
    if used.unknown and not known:  # requests that were refused cost nothing, be the price known or not
        return "cost unknown"
    dollars = dollars_in_words(known)
    return f"{dollars} and {counted(used.unknown, 'request')} of unknown cost" if used.unknown else dollars


def _name(by: By, used: Used) -> str:
    if used.of is None:
        return "forgotten people"
    if by is By.PERSON and used.of == SUMMARIES:
        return "summaries"
    if by is By.PERSON:
        return f"<@{used.of}>"
    if by is By.CHANNEL:
        return f"<#{used.of}>"
    return f"`{str(used.of)[:_LONGEST_NAME]}`"
