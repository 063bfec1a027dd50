"""Rows of a given width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from bot.playground.transcript import clipped, wrapped


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [""]),
        ("one two three", ["one two", "three"]),
        ("one\n\ntwo", ["one", "", "two"]),
        ("abcdefghijkl", ["abcdefgh", "ijkl"]),
        ("    code", ["    code"]),
        ("日本語日本語", ["日本語日", "本語"]),
        ("12345678 9", ["12345678", "9"]),
    ],
)
def test_text_is_broken_between_words_where_it_can_be(text, rows):
    assert wrapped(text, 8) == rows


@given(st.text(max_size=200), st.integers(min_value=2, max_value=40))
def test_no_row_is_too_wide_and_no_word_is_lost(text, width):
    rows = wrapped(text, width)

    assert all(get_cwidth(row) <= width for row in rows)
    assert "".join("".join(rows).split()) == "".join(text.split())


@given(st.text(max_size=60).map(lambda text: " ".join(text.split())), st.integers(min_value=1, max_value=40))
def test_a_clipped_line_fits(text, width):
    assert get_cwidth(clipped(text, width)) <= width
