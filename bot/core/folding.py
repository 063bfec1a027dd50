"""Text as a search compares it: what a reader takes for the same is the same, in any script."""

import re
import unicodedata
from bisect import bisect_right

from bot.core.legible import UNSEEN

# Also what Arabic is written with or without: vowel signs, and the stroke that lengthens a word.
_UNHEEDED = re.compile(f"[{UNSEEN}\u0640\u064b-\u0652\u0670]+")


def fold(text: str) -> str:
    """Without differences of case, width, composition and white space (Unicode, "NFKC_Casefold")."""
    if text.isascii():
        folded = text.lower()
    else:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        folded = _UNHEEDED.sub("", folded)
    return " ".join(folded.split())


def find(text: str, folded: str) -> slice | None:
    """Where in *text* these folded words are first, with all that belongs to their last letter."""
    at = fold(text).find(folded)
    if at < 0:
        return None

    def folds_to(end: int) -> int:
        return len(fold(text[:end]))

    # The longer a beginning, the longer it is folded, or as long.
    start = bisect_right(range(len(text) + 1), at, key=folds_to) - 1
    stop = bisect_right(range(len(text) + 1), at + len(folded), key=folds_to) - 1
    if folds_to(stop) < at + len(folded):  # they end within what one letter becomes, as ß becomes ss
        stop += 1
    return slice(start, start + len(text[start:stop].rstrip()))
