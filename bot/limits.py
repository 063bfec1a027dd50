"""The settings that bound what is asked, answered and kept, as the core's values."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from urllib.parse import urlsplit

from bot.core.admission import AdmissionLimits
from bot.core.answer import AnswerLimits
from bot.core.budgets import Amount, Budget, Scope
from bot.core.completions import Usage
from bot.core.costs import Prices
from bot.core.errors import StartupRefused
from bot.core.generation import Patience
from bot.core.periods import Period
from bot.core.rights import Policy, Retention
from bot.core.token_bounds import MARGIN
from bot.core.tokens import TOKENS_PER_MESSAGE, estimate_tokens
from bot.llm.chat_model import OPENAI_URL
from bot.llm.prices import ListedPrices
from bot.settings import Settings

log = logging.getLogger(__name__)


def admission_limits(settings: Settings) -> AdmissionLimits:
    return AdmissionLimits(
        waiting_per_person=settings.max_waiting_per_person,
        waiting_per_channel=settings.max_waiting_per_channel,
        waiting=settings.max_waiting,
        per_minute_per_person=settings.messages_per_minute_per_person,
        per_minute_per_channel=settings.messages_per_minute_per_channel,
    )


def answer_limits(settings: Settings, *, bot_id: int) -> AnswerLimits:
    return AnswerLimits(
        system_prompt=settings.system_prompt,
        history_tokens=settings.history_tokens,
        max_answer_tokens=settings.max_answer_tokens,
        patience=patience(settings),
        answer_within=timedelta(minutes=settings.answer_within_minutes),
        bot_id=bot_id,
    )


def patience(settings: Settings) -> Patience:
    return Patience(
        attempts=settings.model_attempts,
        first_token=settings.first_token_seconds,
        stall=settings.stall_seconds,
        total=settings.answer_seconds,
    )


def budgets_set(settings: Settings) -> list[Budget]:
    return [
        Budget(scope=scope, period=period, limit=limit)
        for scope in Scope
        for period in Period
        if (limit := getattr(settings, _name(scope, period).lower())) is not None
    ]


def known_prices(settings: Settings) -> ListedPrices:
    return ListedPrices(settings.model_prices, base_url=settings.openai_base_url)


def least_amount(settings: Settings, prices: Prices) -> Amount:
    """What any request to a model reserves: the system prompt, and the longest answer. Raises StartupRefused.

    It does so with every fault of the budgets.
    """
    amount, unpriced = _least(settings, prices)
    if faults := budget_faults(settings, prices):
        raise StartupRefused("\n".join(faults))
    for model in unpriced:
        log.info("what model %s costs is not known; MODEL_PRICES can say it", model)
    return amount


def budget_faults(settings: Settings, prices: Prices) -> list[str]:
    """Each with its cure: budgets in dollars without every price, and those that pay for no answer at all."""
    amount, unpriced = _least(settings, prices)
    budgets = budgets_set(settings)
    in_dollars = [_name(budget.scope, budget.period) for budget in budgets if budget.limit.in_dollars]
    faults = [_without_prices(in_dollars, unpriced)] if in_dollars and unpriced else []
    return faults + [
        f"{_name(budget.scope, budget.period)} is {budget.limit}, which pays for no answer at all. One may take "
        f"{budget.limit.words(budget.limit.of(amount))}: set more, or a smaller MAX_ANSWER_TOKENS."
        for budget in budgets
        if budget.limit.of(amount) > budget.limit.most and not (budget.limit.in_dollars and unpriced)
    ]


def small_budgets(settings: Settings, prices: Prices) -> list[str]:
    """What there is to say of budgets that pay for short conversations alone, whoever used nothing of them."""
    amount, _ = _at_most(settings, prices, read=ceil(settings.history_tokens * MARGIN))
    return [
        f"{_name(budget.scope, budget.period)} is {budget.limit}, and one answer in a long conversation may take "
        f"{budget.limit.words(budget.limit.of(amount))}, by HISTORY_TOKENS and MAX_ANSWER_TOKENS: it is refused "
        "there"
        for budget in budgets_set(settings)
        if budget.limit.of(amount) > budget.limit.most
    ]


def _at_most(settings: Settings, prices: Prices, *, read: int) -> tuple[Amount, list[str]]:
    """What a request that reads so many tokens uses with the longest answer; the models without a price."""
    usage = Usage(input_tokens=read, output_tokens=settings.max_answer_tokens)
    costs = {model: prices.cost(model, usage) for model in settings.paid_models}
    amount = Amount(
        tokens=read + settings.max_answer_tokens, nanodollars=max(cost or 0 for cost in costs.values())
    )
    return amount, [model for model, cost in costs.items() if cost is None]


def _least(settings: Settings, prices: Prices) -> tuple[Amount, list[str]]:
    return _at_most(settings, prices, read=TOKENS_PER_MESSAGE + estimate_tokens(settings.system_prompt))


def _without_prices(names: Sequence[str], models: Sequence[str]) -> str:
    are, cost = ("are" if len(names) > 1 else "is"), ("cost" if len(models) > 1 else "costs")
    prices = ",".join(f"{model}=read/cached/written" for model in models)
    what_for = "set these budgets" if len(names) > 1 else "set the budget"
    return (
        f"{_listed(names)} {are} in dollars, and what {_listed(models)} {cost} is not known. Say it in "
        f"MODEL_PRICES, in dollars per million tokens: {prices}, such as 2.50/0.25/15; or {what_for} in tokens."
    )


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _name(scope: Scope, period: Period) -> str:
    return f"BUDGET_{scope}_PER_{period}".upper()


def policy(settings: Settings) -> Policy:
    return Policy(
        provider=urlsplit(settings.openai_base_url or OPENAI_URL).hostname or "",
        retention=Retention(days=settings.retention_days, by_server=settings.retention_days_by_server),
        url=settings.privacy_url,
    )
