"""What a person sees of the playground's channels, as rows of styled text."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from prompt_toolkit.utils import get_cwidth

from bot.playground.downloads import Downloads
from bot.playground.loopback.changes import Seen
from bot.playground.loopback.world import Channel, Message, User
from bot.playground.shown import ShownLine, button_labels, file_lines, in_one_line, shown_lines

TYPING_SECONDS = 10.0  # Discord channel resource, "Trigger Typing Indicator"
QUOTED_CHARACTERS = 50
RECALLED_CHARACTERS = 200
INDENT = "  "

Fragment = tuple[str, str]  # style, text
Row = list[Fragment]


@dataclass(frozen=True, kw_only=True)
class Note:
    """What the playground itself has to say."""

    text: str
    small: bool = False  # without a gap above it


Entry = Message | Note

_WORDS = re.compile(r"\s+|\S+")


class Transcript:
    """*readable* makes of a message's text what Discord shows; *monotonic* tells the time in seconds."""

    def __init__(
        self, *, readable: Callable[[str], str], downloads: Downloads, monotonic: Callable[[], float]
    ) -> None:
        self._readable = readable
        self._downloads = downloads
        self._monotonic = monotonic
        self._entries: dict[int, list[Entry]] = defaultdict(list)
        self._unread: dict[int, int] = defaultdict(int)
        self._typing: dict[int, dict[int, tuple[User, float]]] = defaultdict(dict)

    def see(self, seen: Seen) -> None:
        channel = seen.channel.id
        if seen.kind == "typing" and seen.user is not None:
            self._typing[channel][seen.user.id] = (seen.user, self._monotonic() + TYPING_SECONDS)
        if seen.kind == "unanswered":
            self.note(seen.channel, "The bot did not take that within three seconds.")
        if seen.message is not None:
            self._typing[channel].pop(seen.message.author.id, None)
            if seen.message not in self._entries[channel]:
                self._entries[channel].append(seen.message)
                self._unread[channel] += 1

    def note(self, channel: Channel, text: str) -> None:
        self._entries[channel.id].append(Note(text=text))

    def recall(self, channel: Channel, text: str) -> None:
        """A turn of an earlier run, as the bot remembers it."""
        self._entries[channel.id].append(Note(text=_shortened(text, RECALLED_CHARACTERS), small=True))

    def read(self, channel: Channel) -> None:
        """A person looks at the channel."""
        self._unread[channel.id] = 0

    def unread(self, channel: Channel) -> int:
        return self._unread[channel.id]

    def typing(self, channel: Channel) -> list[str]:
        """Who is typing there right now."""
        now = self._monotonic()
        return [user.name for user, until in self._typing[channel.id].values() if until > now]

    def rows(self, channel: Channel, *, width: int, last: int) -> list[Row]:
        """The channel's *last* rows, or fewer, oldest first, none wider than *width* columns."""
        backwards: list[list[Row]] = []
        count = 0
        entries: list[Entry | None] = [None, *self._entries[channel.id]]
        for before, entry in reversed(list(pairwise(entries))):
            if entry is None or count >= last:
                break
            backwards.append(self._entry(entry, before, width))
            count += len(backwards[-1])
        rows = [row for block in reversed(backwards) for row in block]
        return rows[max(0, len(rows) - last) :]

    def _entry(self, entry: Entry, before: Entry | None, width: int) -> list[Row]:
        if isinstance(entry, Note):
            style, gap = ("class:about", []) if entry.small else ("class:note", [[("", "")]])
            return [*gap, *([(style, text)] for text in wrapped(entry.text, width))]
        goes_on = isinstance(before, Message) and before.author is entry.author and not before.deleted
        if goes_on and entry.reference is None and entry.interaction is None and not entry.deleted:
            return list(self._text(entry, width))
        return [[("", "")], *self._heading(entry, width), *self._text(entry, width)]

    def _heading(self, message: Message, width: int) -> Iterator[Row]:
        about = ""
        if message.interaction is not None:
            about = f"{message.interaction.user.name} used {message.interaction.shown}"
        elif message.replied_to is not None:
            about = f"{message.replied_to.author.name}: {self._quoted(message.replied_to)}"
        elif message.reference is not None:
            about = "a message that is no longer here"
        if about:
            yield [("class:about", clipped(f"┌ {about}", width))]
        at = message.created_at.astimezone().strftime("%H:%M")
        style = "class:bot" if message.author.bot else "class:person"
        yield [(style, message.author.name), ("class:about", f"  {at}")]

    def _quoted(self, message: Message) -> str:
        if message.deleted:
            return "(deleted)"
        return _shortened(self._readable(message.content), QUOTED_CHARACTERS)

    def _text(self, message: Message, width: int) -> Iterator[Row]:
        for line in self._lines(message):
            style = "class:about" if line.small else ""
            for row in wrapped(line.text, width - len(INDENT)):
                yield [("", INDENT), (style, row)]

    def _lines(self, message: Message) -> Iterator[ShownLine]:
        text = self._readable(message.content)
        if message.deleted:
            yield ShownLine("(deleted)", small=True)
            return
        if message.is_loading and not text:
            yield ShownLine("thinking…", small=True)
        else:
            yield from shown_lines(f"{text} (edited)" if message.edited_timestamp is not None else text)
        yield from file_lines(message.attachments, self._downloads)
        if labels := button_labels(message):
            yield ShownLine(" ".join(f"[{label}]" for label in labels), small=True)
        if message.is_ephemeral:
            yield ShownLine("(only you can see this)", small=True)


def _shortened(text: str, characters: int) -> str:
    line = in_one_line(text)
    return line if len(line) <= characters else line[: characters - 1] + "…"


def wrapped(text: str, width: int) -> list[str]:
    """The text's lines, none wider than *width* columns; long words are cut, indentation is kept."""
    return [row for line in text.expandtabs(4).splitlines() or [""] for row in _wrapped_line(line, max(width, 2))]


def _wrapped_line(line: str, width: int) -> Iterator[str]:
    row, columns = "", 0
    for word in _WORDS.findall(line):
        size = get_cwidth(word)
        if columns + size <= width:
            row, columns = row + word, columns + size
            continue
        if word.isspace():  # the line breaks here
            yield row
            row, columns = "", 0
            continue
        if row.strip():
            yield row.rstrip()
            row, columns = "", 0
        for character in word:
            size = get_cwidth(character)
            if columns + size > width:
                yield row
                row, columns = "", 0
            row, columns = row + character, columns + size
    yield row


def clipped(text: str, width: int) -> str:
    """As much of one line as fits into *width* columns."""
    if get_cwidth(text) <= width:
        return text
    while text and get_cwidth(text) > width - 1:
        text = text[:-1]
    return text + "…"
