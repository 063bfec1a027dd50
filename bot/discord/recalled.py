"""What /recall shows of what it found: dates, names, words and links, on one message, as plain text."""

import re

from bot.core.archive import ArchivedTurn
from bot.core.legible import legible
from bot.core.messages import ConversationKey, Role
from bot.core.recall import MOST_TURNS_READ, Found, Hit, snippet
from bot.discord.split import units

MOST_UNITS = 2_000
WIDTHS = (150, 120, 100, 80, 60, 45, 30)  # of what is shown around a hit, as many as fit with all of them

NOTHING = (
    "Nothing that I remember of this conversation says that. I know what was said to me here, and what I answered."
)
MORE = "-# There is more; these are the newest. Say more of the words to find fewer."
GIVEN_UP = f"-# I looked through the newest {MOST_TURNS_READ:,} messages here."

_MARKUP = re.compile(r"[\\*_~`|<>\[\]()#@:]")


def plain(text: str) -> str:
    """*text* so that Discord shows it as it is: no markdown, no mention, no emoji or time made of it."""
    return _MARKUP.sub(r"\\\g<0>", legible(text))


def recalled_words(found: Found, key: ConversationKey, *, guild_id: int | None, bot_id: int) -> str:
    if not found.hits:
        return f"{NOTHING}\n{GIVEN_UP}" if found.given_up else NOTHING

    def line(hit: Hit, width: int) -> str:
        return f"{_said(hit, bot_id, width)}{_link(hit.turn, key, guild_id)}"

    shown = (
        _words(found, [line(hit, width) for hit in found.hits[:count]])
        for count in range(len(found.hits), 0, -1)
        for width in WIDTHS
    )
    return next(words for words in shown if units(words) <= MOST_UNITS)  # one alone does


def _words(found: Found, lines: list[str]) -> str:
    if found.more or len(lines) < len(found.hits):
        lines = [*lines, MORE]
    elif found.given_up:
        lines = [*lines, GIVEN_UP]
    return "\n".join(lines)


def _said(hit: Hit, bot_id: int, width: int) -> str:
    """The bot is mentioned, which no name can pass for: a person's is plain text."""
    turn = hit.turn
    who = f"<@{bot_id}>" if turn.role is Role.ASSISTANT else plain(turn.label or "Someone")
    before, words, after = snippet(hit, width=width)
    said = f"{plain(before)}**{plain(words)}**{plain(after)}"
    return f"<t:{int(turn.sent_at.timestamp())}:d> {who}: {said}"


def _link(turn: ArchivedTurn, key: ConversationKey, guild_id: int | None) -> str:
    """Nobody can go to a private answer again."""
    if key.private_to or turn.message_id is None:
        return ""
    return f" https://discord.com/channels/{guild_id or '@me'}/{key.channel_id}/{turn.message_id}"
