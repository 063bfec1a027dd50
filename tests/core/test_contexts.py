"""What is concluded from a prompt that was too long for a model."""

import pytest

from bot.core.completions import Prompt
from bot.core.contexts import Contexts
from bot.core.errors import ContextTooLong


def refused(contexts, model, tokens, *, reads=None):
    error = ContextTooLong()
    error.reads = reads
    contexts.refused(model, Prompt(messages=(), tokens=tokens, max_answer_tokens=1000), error)
    return contexts.most_read


@pytest.mark.parametrize(
    ("tokens", "reads", "most"),
    [
        (8000, None, 6000),
        (8000, 4096, 3096),  # and room for the answer
        (8000, 1500, 750),  # the answer would take most of it
        (4000, 8192, 3000),  # it has more tokens than we estimate
    ],
)
def test_what_it_reads_is_less_than_it_refused_and_what_the_provider_says(tokens, reads, most):
    assert refused(Contexts(["a"]), "a", tokens, reads=reads) == most


def test_it_is_never_taken_to_read_more_than_before():
    contexts = Contexts(["a"])

    assert [refused(contexts, "a", tokens) for tokens in (8000, 4000, 8000)] == [6000, 3000, 3000]


def test_a_model_that_refused_nothing_may_read_all_and_so_may_the_one_that_reads_most():
    contexts = Contexts(["a", "b"])

    assert refused(contexts, "a", 4000) is None
    assert refused(contexts, "b", 8000) == 6000
