"""Money as whole nano-dollars."""

from decimal import Decimal

import pytest

from bot.core.costs import ModelPrice, dollars_in_words

PRICE = ModelPrice(input=Decimal("2.50"), cached=Decimal("0.25"), output=Decimal(15))


def test_cached_tokens_are_part_of_those_read_and_have_their_own_price():
    assert PRICE.cost(input_tokens=1_000, cached_tokens=200, output_tokens=100) == 3_550_000


def test_a_price_below_a_nano_dollar_a_token_is_not_lost_over_many():
    cheap = ModelPrice(input=Decimal("0.0001"), cached=Decimal(0), output=Decimal(0))

    assert cheap.cost(input_tokens=10_000, cached_tokens=0, output_tokens=0) == 1_000


@pytest.mark.parametrize(
    ("nanodollars", "words"),
    [
        (0, "$0.00"),
        (500_000_000, "$0.50"),
        (1_234_500_000_000, "$1,234.50"),
        (12_340_000, "$0.012"),
        (10_000_000, "$0.01"),
        (99_900_000, "$0.1"),
        (100_000_000, "$0.10"),
        (1_200_000, "$0.0012"),
        (45_000, "$0.000045"),
    ],
)
def test_dollars_are_said_so_that_small_sums_say_something(nanodollars, words):
    assert dollars_in_words(nanodollars) == words
