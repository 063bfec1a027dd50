"""What a request costs: by the operator's own prices, else by the list that genai-prices brings along.

The list is data in the package; nothing is fetched.
"""

from collections.abc import Mapping

from bot.core.completions import Usage
from bot.core.costs import ModelPrice, whole_nanodollars
from bot.llm.chat_model import OPENAI_URL, is_loopback


class ListedPrices:
    """Implements Prices, for the models of one provider."""

    def __init__(self, own: Mapping[str, ModelPrice], *, base_url: str | None) -> None:
        """*own* prices go before the list's. *base_url* None: OpenAI's."""
        self._own = own
        self._url = base_url or OPENAI_URL

    def cost(self, model: str, usage: Usage) -> int | None:
        """The first time it may take 0.3 s: importing the list does."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = usage.cached_tokens or 0
        if (own := self._own.get(model)) is not None:
            return own.cost(
                input_tokens=usage.input_tokens, cached_tokens=cached, output_tokens=usage.output_tokens
            )
        return self._listed_cost(model, usage.input_tokens, cached, usage.output_tokens)

    def _listed_cost(self, model: str, input_tokens: int, cached: int, output_tokens: int) -> int | None:
        if is_loopback(self._url):  # a server of one's own: no list knows what it costs
            return None
        # Imported here: it takes 13 MB, which a bot with prices of its own need not spend.
        from genai_prices import Usage as ListedUsage  # noqa: PLC0415
        from genai_prices import calc_price  # noqa: PLC0415

        used = ListedUsage(input_tokens=input_tokens, cache_read_tokens=cached, output_tokens=output_tokens)
        try:
            price = calc_price(used, model, provider_api_url=self._url)
        except LookupError:
            return None
        return whole_nanodollars(price.total_price)
