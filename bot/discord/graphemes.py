"""Where one character as people see it ends: the rules of Unicode's UAX #29 that the standard library can tell."""

import unicodedata

_ZWJ = "\u200d"


def may_cut(text: str, at: int, *, floor: int = 0) -> bool:
    """Whether *at* lies between two characters as people see them. *floor* is known to do so."""
    before, after = text[at - 1], text[at]
    if before.isascii() and after.isascii():
        return (before, after) != ("\r", "\n")
    return not (
        _extends(after)
        or before == _ZWJ
        or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
        or (unicodedata.combining(before) == 9 and unicodedata.category(after) == "Lo")  # noqa: PLR2004 - virama
        or _one_syllable(before, after)
        or (_is_flag_half(before) and _is_flag_half(after) and _flag_is_open(text, at, floor))
    )


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Mn", "Me", "Mc"}
        or character
        in "\u200c\u200d\u0e33\u0eb3\uff9e\uff9f"  # joiners; vowels and voicing that Unicode calls letters
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags
    )


def _one_syllable(before: str, after: str) -> bool:
    """Korean written in single letters: leading consonant, vowel, trailing consonant."""
    if "\u1100" <= before <= "\u115f":
        return "\u1100" <= after <= "\u11a7" or "\uac00" <= after <= "\ud7a3"
    if "\u1160" <= before <= "\u11a7" or "\uac00" <= before <= "\ud7a3":
        return "\u1160" <= after <= "\u11ff"
    return "\u11a8" <= before <= "\u11ff" and "\u11a8" <= after <= "\u11ff"


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_is_open(text: str, at: int, floor: int) -> bool:
    first = at
    while first > floor and _is_flag_half(text[first - 1]):
        first -= 1
    return (at - first) % 2 == 1
