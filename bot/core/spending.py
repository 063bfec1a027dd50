"""What requests to models cost: reserved in the budgets before each one, counted and priced after it.

Where there are budgets, a request has its row before it is made, with what is reserved: if the program is killed
meanwhile, the next one counts that, since it may have been paid for.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from bot.core.budgets import Amount, Budgets, Payer, Reservation, Scope
from bot.core.clock import wait_at_most
from bot.core.completions import ModelCall, Prompt, Usage
from bot.core.costs import Prices
from bot.core.errors import BotError, DatabaseUnavailable, ModelError
from bot.core.messages import Conversation
from bot.core.ports import Clock
from bot.core.token_bounds import Report, TokenBounds

log = logging.getLogger(__name__)

BEGUN = "begun"  # the outcome of a request that has none yet, or never had, since the program was killed
CALLED_OFF = "called_off"  # the outcome of a request that was begun on the record and never made
SECONDS_BETWEEN_TRIES = 5.0  # while the database is away
_NOTHING = Amount(tokens=0, nanodollars=0)


class SpendingStore(Protocol):
    """As for TurnStore: one transaction each, DatabaseUnavailable."""

    async def begin_call(self, call: ModelCall) -> None:
        """Put a request that is about to be made on the record of model calls."""

    async def record_call(self, call: ModelCall) -> None:
        """Put a request that has ended on the record, begun there or not. An end that is there stays."""

    async def counted(self, scope: Scope, *, since: datetime) -> dict[int, Amount]:
        """What was used since then, by person, channel or server, or in all under 0."""

    async def reports(self) -> list[Report]:
        """What was counted of the last requests, the newest last."""


class Spending:
    def __init__(
        self, *, prices: Prices, budgets: Budgets, store: SpendingStore, models: Sequence[str], clock: Clock
    ) -> None:
        """*models*: the names of those that may be asked."""
        self._prices = prices
        self._budgets = budgets
        self._store = store
        self._models = models
        self._is_bounded = bool(list(budgets))  # else nobody asks how much a request takes at most
        self._bounds = TokenBounds()
        self._clock = clock
        self._recording: set[asyncio.Task[None]] = set()
        self._forgotten: dict[tuple[int, int | None], datetime] = {}  # by person and channel; None: everywhere
        self._closing = asyncio.Event()

    async def load(self) -> None:
        """Count what was used before, and learn from it what to reserve. Raises DatabaseUnavailable."""
        for budget in self._budgets:
            begun = budget.period.start(self._clock.now())
            self._budgets.start_with(budget, await self._store.counted(budget.scope, since=begun), begun=begun)
        if self._is_bounded:
            self._bounds.learn(await self._store.reports())

    def account(
        self, conversation: Conversation, prompt: Prompt, *, person: int | None, is_told: bool = True
    ) -> "Account":
        """Of what is asked for there with this prompt, and on *person*'s budgets, too.

        *is_told*: that person reads why it is refused, if it is.
        """
        where = conversation.key.channel_id
        payer = Payer(person=person, channel_id=where, guild_id=conversation.guild_id, is_told=is_told)
        return Account(self, self._budgets, self._store, payer=payer, prompt=prompt)

    def most(self, prompt: Prompt, model: str) -> Amount:
        """What a request to *model* with this prompt can use: as it counts, at the price of the dearest."""
        read = self._bounds.most(prompt, model) if self._is_bounded else prompt.tokens
        most = Usage(input_tokens=read, output_tokens=prompt.max_answer_tokens)
        costs = [self.cost(each, most) or 0 for each in self._models] if self._budgets.in_dollars else []
        return Amount(tokens=read + prompt.max_answer_tokens, nanodollars=max(costs) if costs else None)

    def ended(self, call: ModelCall) -> None:
        """Learn from what was counted of it."""
        counted, estimated = call.usage.input_tokens, call.estimated_tokens
        if counted and estimated:
            self._bounds.learn([Report(call.model, call.purpose, call.past, estimated, counted)])

    def record(self, call: ModelCall) -> None:
        """Store a request that brought no answer, without making the person wait for it."""
        self._start(self._record(call))

    async def handed_over(self) -> None:
        """Return when the store is asked to record all so far: what it is asked next comes after that."""
        await asyncio.sleep(0)  # each is a task, which asks it at once

    def forget(self, person: int, *, channel_id: int | None) -> None:
        """What they asked until now is recorded without them, however late; to be said before they are erased."""
        self._forgotten[person, channel_id] = self._clock.now()

    def call_off(self, call: ModelCall, beginning: asyncio.Future[None]) -> None:
        """*call* is not made after all: let its row, which may come of *beginning*, say so. Returns at once."""
        self._start(self._call_off(call, beginning))

    async def close(self) -> None:
        """Wait for what is on its way to the record, but not for a database that is away."""
        self._closing.set()
        await asyncio.gather(*self._recording, return_exceptions=True)

    def _start(self, recording: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(recording)
        self._recording.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._recording.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a model call could not be recorded: %s", error)

    async def _call_off(self, call: ModelCall, beginning: asyncio.Future[None]) -> None:
        with suppress(DatabaseUnavailable):  # which may have stored it all the same
            await beginning
        await self._record(replace(_counting(call, _NOTHING), outcome=CALLED_OFF))

    async def _record(self, call: ModelCall) -> None:
        """However long the database is away: what is not on the record is not counted after the next start."""
        while True:
            try:
                return await self._store.record_call(self._without_forgotten(call))
            except DatabaseUnavailable:
                if self._closing.is_set():
                    raise
            await wait_at_most(self._closing, SECONDS_BETWEEN_TRIES, clock=self._clock)
            call = replace(call, answer_id=None)  # it may be erased by then, and its number another answer's

    def _without_forgotten(self, call: ModelCall) -> ModelCall:
        if call.author_id is None:
            return call
        moments = [self._forgotten.get((call.author_id, where)) for where in (None, call.channel_id)]
        gone = any(moment is not None and call.started_at <= moment for moment in moments)
        return replace(call, author_id=None) if gone else call

    def cost(self, model: str, usage: Usage) -> int | None:
        return self._prices.cost(model, usage)


class Account:
    """One answer's, or one summary's. At most one request is under way at a time."""

    def __init__(
        self, spending: Spending, budgets: Budgets, store: SpendingStore, *, payer: Payer, prompt: Prompt
    ) -> None:
        self._spending = spending
        self._budgets = budgets
        self._store = store
        self._payer = payer
        self._prompt = prompt  # the longest that is asked with
        self._reservation: Reservation | None = None
        self.open = False  # a request was begun, and its end was not counted yet

    def call(
        self,
        prompt: Prompt,
        *,
        model: str,
        started_at: datetime,
        ended_at: datetime,
        outcome: str,
        usage: Usage,
        answer_id: int | None = None,
        attempt: int = 1,
        first_token_at: datetime | None = None,
    ) -> ModelCall:
        """The request that was reserved for, with *prompt*, for the record, under whoever pays for it."""
        reservation = self._held()
        return ModelCall(
            request_id=reservation.request_id,
            reserved_at=reservation.made_at,
            answer_id=answer_id,
            channel_id=self._payer.channel_id,
            guild_id=self._payer.guild_id,
            author_id=self._payer.person,
            purpose=prompt.purpose,
            model=model,
            attempt=attempt,
            started_at=started_at,
            first_token_at=first_token_at,
            ended_at=ended_at,
            outcome=outcome,
            estimated_tokens=prompt.tokens,
            past=prompt.past,
            usage=usage,
        )

    def reserve(self, model: str) -> bool:
        """What the next request can use, of that model, if that was not done yet. Raises BudgetUsedUp.

        False: wait for `room`, and try again.
        """
        most = self._spending.most(self._prompt, model)
        if self._reservation is not None and not self._reservation.amount.covers(most):
            self._settle(_NOTHING)  # it was for another model
        self._reservation = self._reservation or self._budgets.reserve(self._payer, most)
        return self._reservation is not None

    async def room(self) -> None:
        await self._budgets.room()

    async def begin(self, call: ModelCall) -> None:
        """The request is about to be made. Raises DatabaseUnavailable: it must not be."""
        reservation = self._held()
        if reservation.pots:
            beginning = asyncio.ensure_future(self._store.begin_call(_counting(call, reservation.amount)))
            try:
                await asyncio.shield(beginning)
            except (asyncio.CancelledError, DatabaseUnavailable):  # its row may come to be all the same
                self._spending.call_off(call, beginning)
                raise
        self.open = True

    def end(self, call: ModelCall, fault: BotError | None) -> ModelCall:
        """The request has ended: the call with what it cost. *fault*: what ended it, if that was no answer."""
        unpaid = isinstance(fault, ModelError) and fault.unpaid and call.first_token_at is None
        cost = 0 if unpaid else self._spending.cost(call.model, call.usage)
        used = _NOTHING if unpaid else self._used(call, cost)
        counted = self._settle(used)
        self._spending.ended(call)
        self.open = False
        return replace(_counting(call, used if counted else None), cost_nanodollars=cost)

    def close(self) -> None:
        """Always called, last. A request whose end nobody counted is counted as if it had used all."""
        if self._reservation is not None:
            self._settle(self._reservation.amount if self.open else _NOTHING)

    def _held(self) -> Reservation:
        if self._reservation is None:
            raise RuntimeError("a request is begun for which nothing was reserved")
        return self._reservation

    def _used(self, call: ModelCall, cost: int | None) -> Amount:
        usage = call.usage
        most = self._held().amount
        known = usage.input_tokens is not None and usage.output_tokens is not None
        return Amount(
            tokens=(usage.input_tokens or 0) + (usage.output_tokens or 0) if known else most.tokens,
            nanodollars=most.nanodollars if cost is None else cost,
        )

    def _settle(self, used: Amount) -> bool:
        """Whether there were budgets to count it in."""
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            self._budgets.settle(reservation, used)
        return reservation is not None and bool(reservation.pots)


def _counting(call: ModelCall, amount: Amount | None) -> ModelCall:
    if amount is None:
        return call
    return replace(call, counted_tokens=amount.tokens, counted_nanodollars=amount.nanodollars)
