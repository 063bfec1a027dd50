"""Who said what: names made safe, and lines that only their speaker's label can begin."""

import re
import unicodedata
from collections.abc import Collection

LABEL_LENGTH = 32  # characters, the longest a Discord display name can be
NOBODY = "Someone"

# Cc, Cf: control, bidi, zero-width, tags; Co, Cs, Cn: private, surrogate, unassigned; Zl, Zp: line separators.
_UNPRINTABLE = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
_SPACES = re.compile(r"\s+")


def speaker_label(display_name: str) -> str:
    """A display name as one short printable word group without a colon, never empty."""
    name = unicodedata.normalize("NFKC", display_name)
    name = "".join(
        " " if character.isspace() or character in ":<>|" else character
        for character in name
        if character.isspace() or unicodedata.category(character) not in _UNPRINTABLE
    )
    return _SPACES.sub(" ", name).strip()[:LABEL_LENGTH].rstrip() or NOBODY


def label_key(label: str) -> str:
    """Two labels with the same key look the same to a reader."""
    return unicodedata.normalize("NFKC", label).casefold()


def unique_label(display_name: str, *, author_id: int, taken: Collection[str]) -> str:
    """A label whose key is not in *taken* (the other speakers' label keys); the suffix comes from the id."""
    label = speaker_label(display_name)
    if label_key(label) not in taken:
        return label
    digits = str(author_id)
    for length in range(4, len(digits) + 1):
        suffixed = f"{label} {digits[-length:]}"
        if label_key(suffixed) not in taken:
            return suffixed
    return f"{label} {digits}"


def labelled_text(label: str, text: str) -> str:
    """`Ada: text`. Every further line is indented, so that no line a person writes begins with a label."""
    first, *rest = text.splitlines() or [""]
    return "\n".join([f"{label}: {first}", *(f"  {line}" if line else "" for line in rest)])
