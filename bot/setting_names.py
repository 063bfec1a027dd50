"""Names that are given a value and are no settings: which of them look like ours, and which setting was meant."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

# difflib's ratios. OPENAI_KEY for OPENAI_API_KEY has 0.83, and BUDGET_USER_PER_DAY is at 0.9 to a server's.
_ALIKE, _A_SLIP = 0.8, 0.93

# What the library that asks the models reads from the environment by itself.
_OF_THE_LIBRARY = frozenset(
    f"OPENAI_{name}"
    for name in ("ADMIN_KEY", "API_TYPE", "API_VERSION", "CUSTOM_HEADERS", "LOG", "ORG_ID", "PROJECT_ID")
) | {"OPENAI_WEBHOOK_SECRET"}


def is_like(name: str, settings: Sequence[str]) -> bool:
    """Whether *name* is one of *settings* in other letters, resembles one, or begins with the word of one."""
    if name in _OF_THE_LIBRARY:
        return False
    capitals = name.upper()
    first_words = {_words(each)[0] for each in settings}
    return _words(capitals)[0] in first_words or bool(get_close_matches(capitals, settings, 1, _ALIKE))


def meant(name: str, settings: Sequence[str]) -> list[str]:
    """The settings that *name* may stand for; one if that is clear."""
    if name in _OF_THE_LIBRARY:
        return []
    capitals = name.upper()
    if slip := get_close_matches(capitals, settings, 1, _A_SLIP):
        return slip
    alike = get_close_matches(capitals, settings, len(settings), _ALIKE)
    if len(alike) == 1:
        return alike
    words = _words(capitals)
    if longer := [each for each in settings if set(words) <= set(_words(each))]:
        return longer
    return [each for each in settings if _words(each)[0] == words[0]] or alike


def may_be_shown(name: str) -> bool:
    """Not what has no name's shape: a value may have been pasted where a name belongs."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,39}", name) is not None


def _words(name: str) -> list[str]:
    return name.split("_")
