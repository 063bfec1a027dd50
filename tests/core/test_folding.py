"""What a search takes for the same, and where in the text it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.folding import find, fold
from tests.searches import FOUND, NOT_FOUND


@pytest.mark.parametrize(("text", "query", "marked"), FOUND)
def test_words_are_found_and_marked_whole(text, query, marked):
    assert text[find(text, fold(query))] == marked


@pytest.mark.parametrize(("text", "query"), NOT_FOUND)
def test_other_words_are_not_found(text, query):
    assert find(text, fold(query)) is None


@given(st.text(), st.text(min_size=1))
def test_what_is_found_says_what_was_looked_for(text, query):
    folded = fold(query)
    where = find(text, folded) if folded else None

    if where is not None:
        assert folded in fold(text[where])


@given(st.text(), st.text(alphabet="aäßÄ日がのمด็ 😀"), st.text())
def test_every_piece_of_a_text_is_found_in_it(before, words, after):
    text = f"{before} {words} {after}"

    assert find(text, fold(words)) is not None
