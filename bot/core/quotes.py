"""Messages that a question brings along: the one it replies to, and those it links to."""

from dataclasses import dataclass
from datetime import datetime

CHANGED_MEANWHILE = "A message you linked was changed just as I read it. Please ask again."


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """A message brought along because the question is about it."""

    message_id: int
    author_id: int
    author_name: str
    text: str
    raw_text: str
    ours: bool = False
    edited_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A message that a question links to, on the same server. Whether its author may read it is not known yet."""

    channel_id: int
    message_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """What a link led to, and the one sentence that names what of it can't be read."""

    quote: Quote | None = None
    note: str | None = None
    parent_id: int | None = None  # where it is in a thread, the channel above
