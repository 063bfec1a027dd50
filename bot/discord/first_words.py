"""When an answer's first words are shown: an answer that is finished by then is one request."""

import re

FIRST_WORDS_CHARACTERS = 40
FIRST_WORDS_SECONDS = 0.4

_SENTENCE_END = re.compile(r"\S[^\S\n]*\n|(?<!\d)[.!?…][\"')\]*_»\u2019\u201d]{0,4}\s|[\u3002\uff01\uff1f]")


def are_worth_showing(words: str) -> bool:
    """Before FIRST_WORDS_SECONDS are over: there are enough of them, or a sentence, or a line."""
    return len(words) >= FIRST_WORDS_CHARACTERS or _SENTENCE_END.search(words) is not None
