"""Money in whole nano-dollars, so that sums are exact. What is unknown is None, which is not 0."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from bot.core.completions import Usage

NANODOLLARS = 1_000_000_000  # in a dollar


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPrice:
    """Dollars per million tokens. *cached*: what the provider had read before."""

    input: Decimal
    cached: Decimal
    output: Decimal

    def cost(self, *, input_tokens: int, cached_tokens: int, output_tokens: int) -> int:
        """Nano-dollars; *input_tokens* hold the cached ones."""
        fresh = input_tokens - cached_tokens
        dollars = fresh * self.input + cached_tokens * self.cached + output_tokens * self.output
        return whole_nanodollars(dollars / 1_000_000)


class Prices(Protocol):
    def cost(self, model: str, usage: Usage) -> int | None:
        """What a request cost, in nano-dollars. None: its price or its tokens are not known."""


def whole_nanodollars(dollars: Decimal) -> int:
    return int((dollars * NANODOLLARS).to_integral_value(ROUND_HALF_UP))


def dollars_in_words(nanodollars: int) -> str:
    """`$1,234.50`, `$0.50`; small sums with two figures that say something: `$0.0012`."""
    if nanodollars * 10 >= NANODOLLARS or nanodollars <= 0:
        return f"${nanodollars / NANODOLLARS:,.2f}"
    return f"${Decimal(f'{nanodollars / NANODOLLARS:.2g}'):f}"
