"""Makes the bot's parts and joins them; the only file that knows all of them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.core.admission import Admission
from bot.core.answer import Answerer, AnswerLimits, Ended
from bot.core.as_told import AsTold
from bot.core.budget_notices import BudgetNotices
from bot.core.budgets import Amount, Budgets
from bot.core.changes import Changes
from bot.core.conversation_queue import ConversationQueue
from bot.core.expiry import Expiry
from bot.core.fair_slots import FairSlots
from bot.core.handled import Handled
from bot.core.intake import Intake
from bot.core.links import Links
from bot.core.look_ups import LookUps
from bot.core.models import Models
from bot.core.ports import Clock
from bot.core.presses import Presses
from bot.core.spending import Spending
from bot.core.summarising import Summarising
from bot.core.tokens import TokenBudget
from bot.core.waiting_notices import WaitingNotices
from bot.discord.catch_up import CatchUp
from bot.discord.client import ConfabClient, point_library_at
from bot.discord.links import DiscordLinks
from bot.discord.outbound import Outbox
from bot.discord.owner import OwnerMail
from bot.discord.pacer import Pacer
from bot.discord.preflight import (
    REQUESTS_OF_A_LOOK_UP,
    Application,
    invite_link,
    look_up_application,
    wants_message_content,
)
from bot.discord.replies import DiscordReplies
from bot.limits import (
    admission_limits,
    answer_limits,
    budgets_set,
    known_prices,
    least_amount,
    policy,
    small_budgets,
)
from bot.llm.chat_model import OpenAIChatModel
from bot.llm.prices import ListedPrices
from bot.settings import Settings
from bot.storage.turns import SqlTurnStore, open_store

if TYPE_CHECKING:
    from bot.observing import Observer

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What is started, watched and ended; the rest hangs on these."""

    store: SqlTurnStore
    pacer: Pacer
    client: ConfabClient
    queue: ConversationQueue
    intake: Intake
    notices: WaitingNotices


@dataclass(frozen=True, kw_only=True)
class _Given:
    """What the parts are made with, and let go of by."""

    settings: Settings
    stack: AsyncExitStack
    clock: Clock
    observer: "Observer | None"


@dataclass(frozen=True, kw_only=True)
class _Outside:
    """The database, the models and Discord, each within reach."""

    store: SqlTurnStore
    models: Models
    application: Application
    pacer: Pacer
    client: ConfabClient
    outbox: Outbox
    owner: OwnerMail
    replies: DiscordReplies


@dataclass(frozen=True, kw_only=True)
class _Answering:
    """What answers are made with, and what they may cost."""

    answerer: Answerer
    slots: FairSlots
    budget: Callable[[], TokenBudget]
    budgets: Budgets
    spending: Spending
    changes: Changes
    as_told: AsTold


async def assemble(
    settings: Settings, stack: AsyncExitStack, *, clock: Clock, ended: Ended | None, wait_seconds: float
) -> Parts:
    """The parts, to be let go of by *stack* in the reverse order. Nothing is heard yet. Raises StartupRefused."""
    prices = known_prices(settings)
    smallest = least_amount(settings, prices)
    for sentence in small_budgets(settings, prices):
        log.warning("%s", sentence)
    observer = None
    if settings.metrics_port:
        from bot.observing import observing  # noqa: PLC0415 -- without it, no time is spent on its libraries

        observer = await stack.enter_async_context(observing(settings, clock))
    given = _Given(settings=settings, stack=stack, clock=clock, observer=observer)
    outside = await _reach_outside(given, wait_seconds=wait_seconds)
    budgets, spending = await _money(given, outside, prices=prices, smallest=smallest)
    answering = await _answering(given, outside, budgets=budgets, spending=spending, ended=ended)
    parts = _join(given, outside, answering)
    if observer is not None:
        observer.watch(
            client=parts.client,
            store=parts.store,
            queue=parts.queue,
            intake=parts.intake,
            pacer=parts.pacer,
            models=outside.models,
        )
    return parts


async def _reach_outside(given: _Given, *, wait_seconds: float) -> _Outside:
    settings, stack, clock = given.settings, given.stack, given.clock
    database_url = settings.database_url.get_secret_value()
    store = await stack.enter_async_context(open_store(database_url, wait_seconds=wait_seconds))
    application = await look_up_application(
        api_url=settings.discord_api_url, token=settings.discord_token.get_secret_value(), clock=clock
    )
    _announce(application, settings)
    point_library_at(api_url=settings.discord_api_url, gateway_url=application.gateway_url)
    models = await _models(given, settings.openai_models)
    pacer = Pacer(clock)
    pacer.made_before(REQUESTS_OF_A_LOOK_UP)
    stack.push_async_callback(pacer.close)
    client = ConfabClient(
        application=application,
        message_content=wants_message_content(settings.message_content, application),
        chat_channels=settings.chat_channels,
        access=settings.access,
        clock=clock,
        pacer=pacer,
    )
    stack.push_async_callback(client.close)
    outbox = Outbox(client, clock=clock, pacer=pacer)
    stack.push_async_callback(outbox.close)
    replies = DiscordReplies(store=store, outbox=outbox, clock=clock, buttons=settings.answer_buttons == "on")
    stack.push_async_callback(replies.close)
    return _Outside(
        store=store,
        models=models,
        application=application,
        pacer=pacer,
        client=client,
        outbox=outbox,
        owner=OwnerMail(client, outbox=outbox, owner_ids=application.owner_ids),
        replies=replies,
    )


async def _money(
    given: _Given, outside: _Outside, *, prices: ListedPrices, smallest: Amount
) -> tuple[Budgets, Spending]:
    settings, stack, clock = given.settings, given.stack, given.clock
    notices = BudgetNotices(owner=outside.owner, store=outside.store)
    stack.push_async_callback(notices.close)
    budgets = Budgets(budgets_set(settings), least=smallest, clock=clock, nearly=notices.nearly)
    spending = Spending(
        prices=prices, budgets=budgets, store=outside.store, models=settings.paid_models, clock=clock
    )
    stack.push_async_callback(spending.close)
    await spending.load()
    return budgets, spending


async def _answering(
    given: _Given, outside: _Outside, *, budgets: Budgets, spending: Spending, ended: Ended | None
) -> _Answering:
    settings, clock = given.settings, given.clock
    slots, changes = FairSlots(settings.model_concurrency), Changes(clock)
    as_told = AsTold(changes, outside.store)
    limits = answer_limits(settings, bot_id=outside.application.id)

    def budget() -> TokenBudget:
        return replace(limits.budget, most_read=outside.models.contexts.most_read)

    summarising = await _summarising(
        given, outside, slots, limits, budget=budget, spending=spending, as_told=as_told
    )
    ended = given.observer.also(ended) if given.observer else ended
    answerer = Answerer(
        store=outside.store,
        models=outside.models,
        spending=spending,
        links=Links(store=outside.store, reader=DiscordLinks(outside.client, access=settings.access, clock=clock)),
        replies=outside.replies,
        clock=clock,
        limits=limits,
        ended=summarising.after(ended) if summarising else ended,
    )
    return _Answering(
        answerer=answerer,
        slots=slots,
        budget=budget,
        budgets=budgets,
        spending=spending,
        changes=changes,
        as_told=as_told,
    )


async def _summarising(
    given: _Given,
    outside: _Outside,
    slots: FairSlots,
    limits: AnswerLimits,
    *,
    budget: Callable[[], TokenBudget],
    spending: Spending,
    as_told: AsTold,
) -> Summarising | None:
    settings = given.settings
    if settings.summaries == "off":
        await outside.store.drop_summaries()
        return None
    models = await _models(given, settings.summary_models) if settings.summary_models else outside.models
    summarising = Summarising(
        store=outside.store,
        models=models,
        spending=spending,
        slots=slots,
        clock=given.clock,
        limits=limits,
        budget=budget,
        as_told=as_told,
    )
    given.stack.push_async_callback(summarising.close)
    return summarising


async def _models(given: _Given, names: Sequence[str]) -> Models:
    settings, observer = given.settings, given.observer
    api_key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    made = [OpenAIChatModel(model=name, api_key=api_key, base_url=settings.openai_base_url) for name in names]
    models = [await given.stack.enter_async_context(model) for model in made]
    return Models(observer.models(models) if observer else models, clock=given.clock)


def _join(given: _Given, outside: _Outside, answering: _Answering) -> Parts:
    """From an event to the answer's place in the queue, and back to the client that hears the event."""
    settings, clock, observer = given.settings, given.clock, given.observer
    store, replies, client = outside.store, outside.replies, outside.client
    answerer, budgets, budget = answering.answerer, answering.budgets, answering.budget
    handled = Handled(set_aside=lambda: answering.changes.set_aside)
    catch_up = CatchUp(
        client,
        store=store,
        handled=handled,
        clock=clock,
        answer_within=timedelta(minutes=settings.answer_within_minutes),
    )
    given.stack.push_async_callback(catch_up.close)
    queue = ConversationQueue(
        store=store,
        answerer=answerer,
        slots=answering.slots,
        clock=clock,
        budget=budget,
        missed=catch_up,
        changes=answering.changes,
        as_told=answering.as_told,
    )
    admission = Admission(queue.line, clock=clock, limits=admission_limits(settings), budgets=budgets)
    intake = Intake(
        store=store,
        queue=queue,
        replies=replies,
        clock=clock,
        handled=handled,
        admission=admission,
        spending=answering.spending,
        stored=observer.question_stored if observer else None,
    )
    presses = Presses(store=store, queue=queue, admission=admission, as_told=answering.as_told)
    rules = policy(settings)

    async def carry_on() -> None:
        replies.clean_up()
        budgets.look_at_used()
        await asyncio.gather(queue.resume(), Expiry(rules.retention, store=store, clock=clock).run())

    def connected() -> None:
        replies.clean_up()
        answerer.discord_is_back()

    client.wire(
        intake=intake,
        look_ups=LookUps(
            store.archive, as_told=answering.as_told, budget=budget, admission=admission, clock=clock
        ),
        presses=presses if settings.answer_buttons == "on" else None,
        outbox=outside.outbox,
        store=store,
        catch_up=catch_up,
        policy=rules,
        usage=store,
        logged_in=carry_on,
        connected=connected,
    )
    notices = WaitingNotices(queue.line, replies=replies, clock=clock, ahead_of=queue.ahead_of)
    return Parts(store=store, pacer=outside.pacer, client=client, queue=queue, intake=intake, notices=notices)


def _announce(application: Application, settings: Settings) -> None:
    log.info("I am %s (application %d), model %s", application.name, application.id, settings.openai_model)
    log.info("invite me with %s", invite_link(application.id))
