"""A message as the lines that a person sees of it: small print told apart, files by name, size and path."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bot.playground.downloads import Downloads
from bot.playground.loopback.world import Attachment, Message

_SMALL = "-# "  # Discord's mark at the beginning of a line of small print
_FENCE = "```"
_UNITS = ("B", "kB", "MB")
_STEP = 1000


class ShownLine(NamedTuple):
    text: str
    small: bool = False


def shown_lines(text: str) -> Iterator[ShownLine]:
    """The lines of a message's text; in a code block, nothing is small print."""
    in_code = False
    for line in text.splitlines() or [""]:
        in_code ^= line.count(_FENCE) % 2 == 1
        small = line.startswith(_SMALL) and not in_code
        yield ShownLine(line.removeprefix(_SMALL) if small else line, small)


def in_one_line(text: str) -> str:
    return " ".join(" ".join(line.text for line in shown_lines(text)).split())


def file_lines(attachments: Sequence[Attachment], downloads: Downloads) -> list[ShownLine]:
    return [
        ShownLine(
            f"[file {each.upload.filename}, {_size(len(each.upload.data))}: {downloads.outcome(each)}]", small=True
        )
        for each in attachments
    ]


def button_labels(message: Message) -> list[str]:
    return [str(each.get("label")) for row in message.components for each in row.get("components", ())]


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < _STEP:
            return f"{count:.0f} {unit}"
        count /= _STEP
    return f"{count:.0f} {_UNITS[-1]}"
