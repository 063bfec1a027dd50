"""THE TURN, from what was taken up to an answer that stands. Read this first.

1. Open the links in the question, and the reply: the place in the channel where the answer will stand.
2. Write: build the prompt from the history, ask the model, show the answer while it grows.
3. STORE the text.
4. Bring every part in the channel to its wanted text.
5. STORE that it stands.

A turn that an earlier run left half done is entered in the middle: with stored text it starts at step 4.
Whatever goes wrong becomes a plain sentence in the answer's place, unless the question was deleted or Discord
takes nothing there.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from bot.core.answering import Answering
from bot.core.errors import (
    AskedLongAgo,
    BotError,
    BudgetUsedUp,
    CutShort,
    DatabaseUnavailable,
    DiscordUnavailable,
    ModelError,
    QuestionTooLong,
    ResponseExpires,
    Reworded,
    TextRefused,
    TooManyAttempts,
    Undeliverable,
    Withdrawn,
)
from bot.core.fair_slots import Slot
from bot.core.generation import Generated, Generation, Patience
from bot.core.links import Links
from bot.core.messages import Address, Kind, Previous, TakenUp, snowflake_at
from bot.core.models import Models
from bot.core.ports import Clock, Replies, Reply, TurnStore
from bot.core.prompt import build_prompt, with_half_the_history
from bot.core.spending import Spending
from bot.core.token_rates import TokenRates
from bot.core.tokens import TokenBudget, system_tokens
from bot.core.wording import TOLD, rewriting_failed, said_without_model, shown_answer, shown_notice

log = logging.getLogger(__name__)

MAX_TAKE_UPS = 3  # how often one question is taken up before we give up on it
MAX_STORINGS = 8  # how often a database that takes other things is asked to take one text: some two minutes
MAX_DELIVERIES = 20  # how often a Discord that takes other words may refuse a stored answer: about 15 minutes
SECONDS_BEFORE_DELIVERING_AGAIN = 5.0  # times the number of take-ups so far
LONGEST_DELIVERY_PAUSE = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerLimits:
    system_prompt: str
    history_tokens: int
    max_answer_tokens: int
    patience: Patience
    answer_within: timedelta  # how old a question may be when the bot starts
    bot_id: int = 0

    @property
    def budget(self) -> TokenBudget:
        """Of every conversation's prompts, but for its rate."""
        return TokenBudget(history_tokens=self.history_tokens, system_tokens=system_tokens(self.system_prompt))


Ended = Callable[[TakenUp, str], None]
FAULT = "?"  # of ours: the outcome of a take-up that it ended
# Outcomes of take-ups that another one of the same question follows.
GOES_ON = frozenset({DiscordUnavailable.code, DatabaseUnavailable.code, Reworded.code, FAULT})


class _Written(NamedTuple):
    """What is stored in the answer's place: as shown in the channel, how it ended, and what it is."""

    shown: str
    outcome: str
    kind: Kind


class Answerer:
    """Answers what was taken up, any number of conversations at a time.

    *ended* is told of each take-up's end: an Outcome's value, "told", "resumed", an error's code, or FAULT.
    """

    def __init__(
        self,
        *,
        store: TurnStore,
        models: Models,
        spending: Spending,
        links: Links,
        replies: Replies,
        clock: Clock,
        limits: AnswerLimits,
        ended: Ended | None = None,
    ) -> None:
        self._store = store
        self._models = models
        self._spending = spending
        self._links = links
        self._replies = replies
        self._clock = clock
        self._limits = limits
        self._ended = ended
        self._rates = TokenRates()
        self._whispered: set[int] = set()  # questions whose asker was told alone, until the store knows
        self._pausing: set[Answering] = set()  # those that Discord did not take, until they are tried again
        self._oldest = snowflake_at(clock.now() - limits.answer_within)

    def discord_is_back(self) -> None:
        """What it did not take is worth another try now."""
        for answering in self._pausing:
            answering.hurry()

    async def answer(self, taken: TakenUp, answering: Answering, slot: Slot) -> bool:
        """Bring *taken* to its end; False when some of it waits to be taken up again.

        The place at the model is given back as soon as the model is not needed any more. Raises
        DatabaseUnavailable, after saying so in the channel.
        """
        began = self._clock.monotonic()
        outcome = FAULT
        try:
            if taken.address.message_id in self._whispered:
                outcome = await self._end_whispered(taken)
            else:
                taken = await self._links.open(taken)
                async with self._reply(taken) as reply:
                    answering.reply = reply
                    outcome = await self._answer(taken, answering, slot, reply)
        except Reworded as error:
            outcome = error.code
        except DatabaseUnavailable as error:
            outcome = error.code
            if taken.address.message_id not in self._whispered:
                await self._say_once(taken, error.waiting_message)
            raise
        except Exception:
            # A fault of ours: the queue logs it, its author is not left waiting.
            await self._say_once(taken, BotError.user_message)
            raise
        finally:
            log.info(
                "turn channel=%d question=%s answer=%d questions=%d history=%d take_up=%d model=%s outcome=%s "
                "seconds=%.2f",
                taken.conversation.key.channel_id,
                taken.question.message_id,
                taken.answer_id,
                len(taken.questions),
                len(taken.history),
                taken.attempt,
                answering.model,
                outcome,
                self._clock.monotonic() - began,
            )
            if self._ended is not None:
                self._ended(taken, outcome)
        if outcome in GOES_ON:
            return False
        answering.unstored = None
        return outcome != Withdrawn.code  # of several questions, those that were not deleted wait again

    async def tell(self, address: Address, error: DatabaseUnavailable) -> None:
        """Say why a question that waits is not taken up."""
        await self._replies.say(address, error.waiting_message)

    async def _say_once(self, taken: TakenUp, sentence: str) -> None:
        """Not again each time that the queue tries again."""
        if taken.attempt == 1:
            await self._replies.say(taken.address, sentence)

    async def _answer(self, taken: TakenUp, answering: Answering, slot: Slot, reply: Reply) -> str:
        if taken.written is None and not reply.in_time:
            return await self._give_up(taken, reply, ResponseExpires())
        try:
            if taken.tries > MAX_DELIVERIES:
                raise DiscordUnavailable("it was brought there too often")  # noqa: TRY301 - or each try killed us
            if taken.written is None:
                written = await self._write(taken, answering, slot, reply)
            else:
                answering.unstored = None  # it was stored, though nobody said so
                written = _Written(taken.written, "resumed", taken.written_kind)
            slot.give_back()
            answering.finishing = True
            written = await self._bring(taken, written, reply)
            if isinstance(answering.stopped, Withdrawn):
                raise answering.stopped
            await self._store.stand(taken.answer_id)
        except Withdrawn as error:
            await reply.discard()
            # The record asks the answer's row whose it is: the row goes after it.
            await self._spending.handed_over()
            await self._store.withdraw(taken.answer_id)
            return error.code
        except BudgetUsedUp:
            return await self._end_whispered(taken)
        except DiscordUnavailable as error:
            slot.give_back()
            return await self._deliver_later(taken, answering, reply, error)
        except Undeliverable as error:  # the outbox has told the operator
            return await self._give_up(taken, reply, error)
        return written.outcome

    async def _deliver_later(
        self, taken: TakenUp, answering: Answering, reply: Reply, error: DiscordUnavailable
    ) -> str:
        """What is to stand there is stored: the queue takes it up again, and no model is asked for it.

        After MAX_DELIVERIES a sentence is tried in its place. If Discord does not take that either, it is away,
        and the counting begins anew.
        """
        if taken.tries >= MAX_DELIVERIES:
            if await reply.say_instead(error.user_message):
                return await self._undelivered(taken, error)
            await self._store.count_anew(taken.answer_id)
        self._pausing.add(answering)
        try:
            pause = SECONDS_BEFORE_DELIVERING_AGAIN * taken.tries
            await answering.pause(min(pause, LONGEST_DELIVERY_PAUSE), self._clock)
        finally:
            self._pausing.discard(answering)
        return error.code

    async def _bring(self, taken: TakenUp, written: _Written, reply: Reply) -> _Written:
        """Let the channel show it; what stands there. Where filters refuse a new answer, the old one stays."""
        try:
            await reply.finish(written.shown, can_be_rewritten=written.kind is Kind.ANSWER)
        except TextRefused as error:
            if taken.previous is None or written.shown == taken.previous.shown:
                raise
            written = await self._keep_previous(taken, taken.previous, error)
            await reply.finish(written.shown, can_be_rewritten=True)
        return written

    async def _give_up(self, taken: TakenUp, reply: Reply, why: BotError) -> str:
        """The answer does not stand, and is no history. Where words can still get through, they say so."""
        if taken.address.interaction is not None or isinstance(why, TextRefused):
            await reply.say_instead(why.user_message)
        return await self._undelivered(taken, why)

    async def _undelivered(self, taken: TakenUp, why: BotError) -> str:
        code = why.code if isinstance(why, Undeliverable) else Undeliverable.code
        await self._store.undeliverable(taken.answer_id, code=code)
        return code

    async def _end_whispered(self, taken: TakenUp) -> str:
        """Its asker was told, and nobody else. Nothing stands there; no more is said until the store knows."""
        question = taken.address.message_id
        self._whispered.add(question)
        await self._store.undeliverable(taken.answer_id, code=BudgetUsedUp.code)
        self._whispered.discard(question)
        return BudgetUsedUp.code

    async def _write(self, taken: TakenUp, answering: Answering, slot: Slot, reply: Reply) -> _Written:
        """What stands in the answer's place, stored.

        Raises Reworded: it is to be taken up again. Raises BudgetUsedUp: nothing is to stand there.
        """
        sentence, code = said_without_model(taken), TOLD
        if self._came_too_late(taken):
            sentence, code = AskedLongAgo.user_message, AskedLongAgo.code
        if sentence is None:
            try:
                generated = answering.unstored if taken.tries <= MAX_STORINGS else None
                if generated is None:
                    generated = self._learn_rate(taken, await self._generate(taken, answering, slot, reply))
            except Reworded:
                await self._store.begin_anew(taken.answer_id)
                raise
            except (ModelError, QuestionTooLong, TooManyAttempts, BudgetUsedUp, CutShort) as error:
                log.info("no answer: answer=%d code=%s: %s", taken.answer_id, error.code, error)
                if taken.previous is not None:
                    return await self._keep_previous(taken, taken.previous, error)
                if isinstance(error, BudgetUsedUp) and await reply.whisper_instead(
                    shown_notice(taken, error.user_message)
                ):
                    raise
                sentence, code = error.user_message, error.code
            else:
                answering.model = generated.call.model
                return await self._store_text(taken, answering, generated)
        shown = shown_notice(taken, sentence)
        await self._store.write_notice(taken.answer_id, shown=shown, code=code)
        return _Written(shown, code, Kind.NOTICE)

    async def _store_text(self, taken: TakenUp, answering: Answering, generated: Generated) -> _Written:
        answering.finishing = True
        call, shown = generated.call, shown_answer(taken, generated.text, generated.outcome)
        answering.unstored = generated  # until it is stored: what lets go of it may come meanwhile
        try:
            await self._store.write_answer(
                taken.answer_id,
                text=generated.text,
                shown=shown,
                outcome=generated.outcome,
                call=call,
                token_rate=generated.token_rate,
            )
        except DatabaseUnavailable as error:  # it was paid for, and is kept as long as this process lives
            self._spending.record(replace(call, outcome=error.code))
            raise
        answering.unstored = None
        return _Written(shown, generated.outcome, Kind.ANSWER)

    def _learn_rate(self, taken: TakenUp, generated: Generated) -> Generated:
        """Once, however often its text is stored: one report counted twice is taken for two."""
        call = generated.call
        rate = self._rates.learned(
            taken.conversation, estimated=call.estimated_tokens, reported=call.usage.input_tokens
        )
        return replace(generated, token_rate=rate)

    def _came_too_late(self, taken: TakenUp) -> bool:
        """It waited while the bot was away, for too long, and nothing of an answer is there that must be ended."""
        begun = taken.attempt > 1 and taken.parts
        return (taken.question.message_id or 0) < self._oldest and not begun and taken.previous is None

    async def _keep_previous(self, taken: TakenUp, previous: Previous, error: BotError) -> _Written:
        """An answer that could not be rewritten stays as it was."""
        await self._store.restore(taken.answer_id, previous)
        await self._replies.say(taken.address, rewriting_failed(error.user_message), attempt=taken.attempt)
        return _Written(previous.shown, error.code, Kind.ANSWER)

    async def _generate(self, taken: TakenUp, answering: Answering, slot: Slot, reply: Reply) -> Generated:
        if taken.tries > MAX_TAKE_UPS:
            raise TooManyAttempts(f"taken up {taken.tries} times")
        limits = self._limits
        prompt = build_prompt(
            taken,
            system_prompt=limits.system_prompt,
            history_tokens=limits.history_tokens,
            max_answer_tokens=limits.max_answer_tokens,
            bot_id=limits.bot_id,
            most_read=self._models.contexts.most_read,
        )
        reply.start_typing()
        account = self._spending.account(
            taken.conversation, prompt, person=taken.payer, is_told=taken.payer == taken.question.author_id
        )
        generation = Generation(
            taken,
            prompt,
            effort=answering.effort,
            shorten=partial(with_half_the_history, taken=taken),
            reply=reply,
            models=self._models,
            account=account,
            clock=self._clock,
            patience=limits.patience,
            slot=slot,
            record=self._spending.record,
        )
        try:
            return await answering.generate(generation)
        except BotError as error:
            if isinstance(error, ModelError) or not generation.asked:
                raise
            if reply.visible and isinstance(error, CutShort):
                return generation.cut_off(error)
            self._spending.record(generation.ended_by(error))
            raise
        finally:
            account.close()

    @asynccontextmanager
    async def _reply(self, taken: TakenUp) -> AsyncIterator[Reply]:
        reply = self._replies.open(taken)
        try:
            yield reply
        finally:
            await reply.close()
