"""What the messages of an answer show: its parts, or of a very long one its beginning and the whole as a file."""

from collections.abc import Sequence

from bot.discord.payloads import AttachedFile, Content
from bot.discord.split import PART_UNITS, SMALLEST_LIMIT, SplitPart, split, units

LONGEST_ANSWER_PARTS = 4  # about 8,000 characters; what follows is read more easily in a file
FILE_NAME = "answer.md"
GOES_ON = "\n-# The answer goes on: the whole comes as a file when it is written."
IN_FILE = "\n-# The whole answer is in the attached file."


def in_parts(text: str) -> list[Content]:
    return _contents(split(text).parts)


def drafted(text: str, *, bounded: bool) -> list[Content]:
    """The text so far; *bounded*, it stops growing where the finished one will stop."""
    parts = split(text).parts
    bound = bounded and len(parts) > LONGEST_ANSWER_PARTS
    return _beginning(parts, GOES_ON) if bound else _contents(parts)


def finished(shown: str, *, head: str, below: str, bounded: bool) -> list[Content]:
    """The text that stands. *head* and *below* are the lines of ours in it: they are shown in any case."""
    parts = split(shown).parts
    if not bounded or len(parts) <= LONGEST_ANSWER_PARTS:
        return _contents(parts)
    if units(IN_FILE + below) > PART_UNITS - SMALLEST_LIMIT:
        below = ""  # they are in the file, too
    *beginning, last = _beginning(parts, IN_FILE + below)
    file = AttachedFile(name=FILE_NAME, text=shown.removeprefix(head))
    return [*beginning, Content(text=last.text, file=file)]


def _beginning(parts: Sequence[SplitPart], ending: str) -> list[Content]:
    """As many parts as are shown of a longer text, the last one cut so that *ending* fits below it."""
    *whole, last = parts[:LONGEST_ANSWER_PARTS]
    cut = split(last.content, PART_UNITS - units(ending)).parts[0]
    return [*_contents(whole), Content(text=cut.content + ending)]


def _contents(parts: Sequence[SplitPart]) -> list[Content]:
    return [Content(text=part.content) for part in parts]
