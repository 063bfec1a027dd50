import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.tokens import CUT, TokenBudget, cut_to, estimate_tokens


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


def test_what_the_models_read_bounds_prompts_and_summaries_and_no_quote():
    wanted = TokenBudget(history_tokens=8000, rate=0.5)
    bounded = TokenBudget(history_tokens=8000, rate=0.5, most_read=3000)
    ample = TokenBudget(history_tokens=8000, rate=0.5, most_read=9000)

    assert [each.tokens for each in (wanted, bounded, ample)] == [16000, 6000, 16000]
    assert [each.most_of_a_summary for each in (wanted, bounded, ample)] == [800, 300, 800]
    assert {each.most_of_a_quote for each in (wanted, bounded, ample)} == {1600}
