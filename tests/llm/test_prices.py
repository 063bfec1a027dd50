"""What a request costs, and when nobody knows."""

import subprocess
import sys
from decimal import Decimal

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import calc_price

from bot.core.completions import Usage
from bot.core.costs import ModelPrice, whole_nanodollars
from bot.llm.prices import ListedPrices

OWN = ModelPrice(input=Decimal(1), cached=Decimal("0.1"), output=Decimal(10))
USED = Usage(input_tokens=1_000, cached_tokens=200, output_tokens=100, reasoning_tokens=50)


def test_a_model_of_the_list_costs_what_the_list_says():
    listed = calc_price(
        ListedUsage(input_tokens=1_000, cache_read_tokens=200, output_tokens=100), "gpt-5.4", provider_id="openai"
    )

    assert ListedPrices({}, base_url=None).cost("gpt-5.4", USED) == whole_nanodollars(listed.total_price) > 0


def test_the_operators_own_price_goes_before_the_lists():
    assert ListedPrices({"gpt-5.4": OWN}, base_url=None).cost("gpt-5.4", USED) == 1_820_000


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("no-such-model", None),
        ("gpt-5.4", "https://models.example/v1"),
        ("gpt-5.4", "http://127.0.0.1:11434/v1"),
        ("gpt-5.4", "http://localhost:11434/v1"),
    ],
)
def test_a_price_that_is_not_known_is_not_guessed(model, base_url):
    prices = ListedPrices({"another": OWN}, base_url=base_url)

    assert prices.cost(model, USED) is None


def test_a_server_of_ones_own_costs_what_the_operator_says():
    prices = ListedPrices(
        {"mine": ModelPrice(input=Decimal(0), cached=Decimal(0), output=Decimal(0))}, base_url="http://[::1]/v1"
    )

    assert prices.cost("mine", USED) == 0


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=5), Usage(output_tokens=5)])
def test_tokens_that_were_not_reported_cost_nobody_knows_what(usage):
    assert ListedPrices({"gpt-5.4": OWN}, base_url=None).cost("gpt-5.4", usage) is None


@pytest.mark.parametrize(
    ("prices", "imported"),
    [
        ('ListedPrices({}, base_url="http://127.0.0.1:1/v1")', False),
        ('ListedPrices({"gpt-5.4": own}, base_url=None)', False),
        ("ListedPrices({}, base_url=None)", True),
    ],
)
def test_the_list_is_loaded_only_where_it_is_asked(prices, imported):
    program = (
        "import sys\nfrom decimal import Decimal\n"
        "from bot.core.completions import Usage\nfrom bot.core.costs import ModelPrice\n"
        "from bot.llm.prices import ListedPrices\n"
        "own = ModelPrice(input=Decimal(1), cached=Decimal(1), output=Decimal(1))\n"
        f"{prices}.cost('gpt-5.4', Usage(input_tokens=1, output_tokens=1))\n"
        "print('genai_prices' in sys.modules)\n"
    )

    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603

    assert child.stdout == f"{imported}\n"
