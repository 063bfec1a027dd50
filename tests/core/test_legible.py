import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.legible import legible

WRITTEN = [
    "مرحبا بالعالم، كيف الحال؟",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian with a non-joiner
    "שלום, מה שלומך?",
    "नमस्ते दुनिया, क्\u200dष",
    "வணக்கம்",
    "สวัสดี",
    "日本語、葛\U000e0100城",
    "안녕하세요",
    "ᠮᠣᠩᠭᠣᠯ\u180b",
    "👩\u200d👩\u200d👧\u200d👦 👍🏽 ❤️\u200d🔥 🏳️\u200d🌈 👩🏽\u200d⚕️ 1️⃣ 🇩🇪 ☺︎",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland
    "🏴\u200d☠️ \U0001fae8",
    "def f():\n\treturn 'x'",
    "Zoë, naïve, e\u0301, ½, ½ — “quoted”…",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_comes_through_unharmed(text):
    assert legible(text) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x00b\x07c\x1b[31m", "abc[31m"),
        ("a\u202eb\u202c \u2066c\u2069\u200e\u200f\u061c", "ab c"),
        ("z\u200be\u200cr\u200do\u2060\ufeff\xad", "zero"),
        ("hi\U000e0068\U000e0069\U000e007f", "hi"),
        ("🏴\U000e0068\U000e0069", "🏴"),
        ("🏴" + "\U000e0061" * 30 + "\U000e007f", "🏴"),
        ("👍\ufe0f\ufe0e\ufe0f\ufe00\U000e0101", "👍\ufe0f"),
        ("a\ufe0f\U000e0100", "a"),
        ("👩\u200d", "👩"),
        ("👩\u200d\u200d👧", "👩👧"),
        ("\u06cc\u200c\u200c\u200d\u062e", "\u06cc\u200c\u062e"),
        ("a\r\nb\rc\u2028d\x85e\x0bf", "a\nb\nc\nd\ne\nf"),
        ("\ud83d lone \ude00", " lone "),
        ("\u3164\u115f\uffa0", ""),
    ],
)
def test_what_nobody_sees_goes(text, seen):
    assert legible(text) == seen


@settings(deadline=None)
@given(st.text(max_size=80))
def test_nothing_is_hidden_in_what_remains(text):
    seen = legible(text)

    assert not set(seen) & set("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
    assert not {unicodedata.category(character) for character in seen.replace("\n", "").replace("\t", "")} & {
        "Cc",
        "Cs",
    }
    assert not set(seen) & set("\u200b\u200e\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    assert legible(seen) == seen
