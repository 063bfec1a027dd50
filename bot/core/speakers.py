"""Who said what: names made safe, and lines that only their speaker's label can begin."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import count, dropwhile

from bot.core.legible import UNSEEN

LABEL_LENGTH = 32  # characters, the longest a Discord display name can be
SUFFIX_LENGTH = 4  # digits of the author's id, and more of them where these are taken, too
SOMEONE = "Someone"

_INVISIBLE = {"Cc", "Cf", "Co", "Cs"}  # unassigned stays: emoji newer than this Python are among them
# White space, the empty Braille pattern, and what ends a label or begins a model's special token.
_SEPARATORS = re.compile(
    r"[\s\u2800<>|:\u02d0\u02f8\u0589\u05c3\u0703\u0704\u16ec\u1803\u1809\u205a\u2236\u2982\ua4fd\ua789]+"
)
_UNSEEN = re.compile(f"[{UNSEEN}]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
# Greek and Cyrillic letters that look like Latin ones, large or small; then what looks like an l or an o.
_LOOK_ALIKE = str.maketrans(
    "\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7"
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d"
    "\u0131\u0251\u0261i10",
    "abezhlkmnoptyxabekmhopctyxsljhdqwlagllo",
)
# A person of that name would seem to speak for somebody who is no person.
_ROLES = ("system", "developer", "assistant", "user", "tool", "function", "human", "ai", "model", "bot")


def speaker_label(display_name: str) -> str:
    """A display name as one short printable word group without a colon, never empty."""
    name = _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", display_name))
    name = "".join(character for character in _UNSEEN.sub("", name) if not _is_invisible(character))
    name = "".join(dropwhile(_needs_a_letter, unicodedata.normalize("NFKC", name)))
    return " ".join(name.split())[:LABEL_LENGTH].rstrip() or SOMEONE


def label_key(label: str) -> str:
    """Two labels with the same key look the same to a reader, or nearly so."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    return _ACCENTS.sub("", unicodedata.normalize("NFD", folded)).translate(_LOOK_ALIKE)


def unique_label(display_name: str, *, author_id: int, taken: Collection[str]) -> str:
    """A label whose key is not in *taken* (the other speakers' label keys); a suffix comes from the id.

    Its own key begins with the key of `speaker_label(display_name)`; of *taken*, only such keys matter.
    """
    label = speaker_label(display_name)
    return next(
        candidate
        for candidate in _candidates(label, str(author_id))
        if label_key(candidate) not in taken and label_key(candidate) not in _ROLE_KEYS
    )


def labelled_text(label: str, text: str) -> str:
    """`Ada: text`. Every further line is indented, so that no line a person writes begins with a label."""
    first, *rest = text.splitlines() or [""]
    return "\n".join([f"{label}: {first}", *(f"  {line}" if line else "" for line in rest)])


def _candidates(label: str, digits: str) -> Iterator[str]:
    yield label
    for length in range(min(SUFFIX_LENGTH, len(digits)), len(digits) + 1):
        yield f"{label} {digits[-length:]}"
    for n in count(2):
        yield f"{label} {digits} {n}"


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE or ord(character) & 0xFFFE == 0xFFFE  # noqa: PLR2004 - noncharacters


def _needs_a_letter(character: str) -> bool:
    """A mark at a name's beginning would sit on whatever stands before it."""
    return character == " " or unicodedata.category(character).startswith("M")


_ROLE_KEYS = frozenset(map(label_key, _ROLES))
