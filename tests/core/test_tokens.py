import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.tokens import CUT, cut_to, estimate_tokens


@pytest.mark.parametrize(
    ("text", "at_least"),
    [("", 0), ("a", 1), ("hello world", 2), ("x = 1\n" * 10, 20), ("日本語", 3), ("😀", 1), ("\ud83d", 1)],
)
def test_tokens_are_estimated_high(text, at_least):
    assert estimate_tokens(text) >= at_least


@given(st.text(max_size=200), st.integers(0, 120))
def test_a_cut_text_is_a_beginning_with_a_mark(text, tokens):
    cut = cut_to(text, tokens=tokens)

    assert not cut or estimate_tokens(cut) <= tokens
    assert cut in ("", text) or (cut.endswith(CUT) and text.startswith(cut.removesuffix(CUT)))
