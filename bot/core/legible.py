"""Text without the characters that nobody sees: controls, direction marks, zero-width ones, hidden tags."""

import re

# For a character class: Unicode's default ignorables, controls, direction marks, surrogates, noncharacters.
UNSEEN = (
    r"\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    r"\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")

_PICTURE = (
    r"[#*0-9\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    r"\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_EMOJI = rf"{_PICTURE}[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?\u20e3?"
_FLAG_OF_A_REGION = (
    r"\U0001f3f4[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,4}\U000e007f"
)
# Scripts in which a joiner, or its opposite, changes how a letter looks: Arabic to Myanmar, Khmer, Mongolian, …
_JOINING = (
    r"[\u0600-\u109f\u1700-\u18af\u1900-\u1cff\ua800-\uabff\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
    r"\U00010a00-\U00011fff\U0001e900-\U0001e95f]"
)
_IDEOGRAPH = r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_WANTED = re.compile(
    rf"(?P<wanted>{_FLAG_OF_A_REGION}|{_EMOJI}(?:\u200d{_EMOJI})*"
    rf"|{_JOINING}[\u200c\u200d]"
    rf"|{_IDEOGRAPH}[\ufe00-\ufe02\U000e0100-\U000e01ef]"
    r"|[\u1820-\u18aa][\u180b-\u180d\u180f])"
    rf"|[{UNSEEN}]+"
)


def legible(text: str) -> str:
    """*text* as people see it, on lines ended by a line feed.

    Joiners and variation selectors stay where they shape an emoji or a letter, tags where they spell the flag of
    a region: never two in a row, so that nothing can be hidden in them.
    """
    lines = _LINE_END.sub("\n", text)
    if lines.isascii() and lines.isprintable():
        return lines
    return _WANTED.sub(lambda match: match["wanted"] or "", lines)
