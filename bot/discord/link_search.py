"""Which messages a question links to."""

import re

from bot.core.messages import LARGEST_ID
from bot.core.quotes import Link
from bot.discord.readable import CODE

MOST_LINKS = 3

ELSEWHERE = "I don't open links to messages on other servers or in DMs."
TOO_MANY = f"I only open the first {MOST_LINKS} links to messages."

_LINK = re.compile(
    r"https?://(?:(?:ptb|canary)\.)?discord(?:app)?\.com/channels/(@me|\d{1,20})/(\d{1,20})/(\d{1,20})(?!\d)",
    re.IGNORECASE,
)


def find_links(content: str, *, guild_id: int | None) -> tuple[tuple[Link, ...], str | None]:
    """The first links to messages of this server (in a DM: of DMs), and a sentence about those left out."""
    here = str(guild_id or "@me")
    found = _LINK.findall(re.sub(CODE, " ", content, flags=re.DOTALL))
    links = dict.fromkeys(
        Link(channel_id=int(channel), message_id=int(message))
        for place, channel, message in found
        if place == here and int(channel) <= LARGEST_ID and int(message) <= LARGEST_ID
    )
    notes = [
        *([ELSEWHERE] if any(place != here for place, _, _ in found) else []),
        *([TOO_MANY] if len(links) > MOST_LINKS else []),
    ]
    return tuple(links)[:MOST_LINKS], " ".join(notes) or None
