"""Who may wait for an answer: bounds on the line, so many questions a minute, and what budgets pay for.

Whoever is refused is told once, and that holds for all that they write there until there is room for them again.
What is read later than it was sent is judged by the minute of its own, and not by who waits now; what was judged
when it was sent is not judged anew.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import NamedTuple

from bot.core.budgets import Budgets, Payer
from bot.core.errors import AskedTooOften, BudgetUsedUp, NotTakenOn, TooManyWaiting
from bot.core.line import Line
from bot.core.messages import IncomingMessage, Press, snowflake_time
from bot.core.ports import Clock
from bot.core.token_buckets import Minutes, TokenBuckets
from bot.core.wording import messages_are, seconds_in_words

ADMITTED_REMEMBERED = 10_000  # messages; Discord may tell of each several times
REFUSALS_KEPT = 10_000
MISSED_TOO_MANY = "Catching up, I found that {who} sent me more within a minute than I take on."


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmissionLimits:
    """How many questions may wait, and how many may come in a minute. 0: as many as like."""

    waiting_per_person: int = 10
    waiting_per_channel: int = 50
    waiting: int = 1_000
    per_minute_per_person: int = 20
    per_minute_per_channel: int = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """*told*: they were told before, and it still stands."""

    error: NotTakenOn
    told: bool


class _Told(NamedTuple):
    """Whom a refusal was told, and where. That too much was missed is told apart."""

    person: int
    channel_id: int
    missed: bool


# What it is about: the pot of a budget, the day of what was missed, or None. It stands for as long as that is so.
_About = object


class Admission:
    def __init__(self, line: Line, *, clock: Clock, limits: AdmissionLimits, budgets: Budgets) -> None:
        self._line = line
        self._budgets = budgets
        self._limits = limits
        self._people = TokenBuckets(clock, per_minute=limits.per_minute_per_person)
        self._channels = TokenBuckets(clock, per_minute=limits.per_minute_per_channel)
        self._sent_by_people = Minutes(per_minute=limits.per_minute_per_person)
        self._sent_in_channels = Minutes(per_minute=limits.per_minute_per_channel)
        self._admitted: deque[int] = deque(maxlen=ADMITTED_REMEMBERED)
        self._known: set[int] = set()
        self._refused: OrderedDict[int, NotTakenOn] = OrderedDict()  # messages that may be read again
        self._untold: dict[int, NotTakenOn] = {}  # of those, whose authors could not be told
        self._standing: OrderedDict[_Told, _About] = OrderedDict()

    def admit(self, message: IncomingMessage, *, missed: bool = False) -> Refusal | None:
        """Count the question, or say why it is not taken on. *missed*: it is read later."""
        if message.message_id in self._known:
            return None
        judged = self._untold.pop(message.message_id, None)
        if judged is None and message.message_id in self._refused:
            return Refusal(error=self._refused[message.message_id], told=True)
        where = (message.author_id, message.key.channel_id)
        payer = Payer(person=message.author_id, channel_id=message.key.channel_id, guild_id=message.guild_id)
        error = (
            judged
            or self._budgets.refuse(payer)
            or (
                self._sent_too_often(message)
                if missed
                else self._too_many_waiting(message) or self._asked_too_often(*where)
            )
        )
        if error is None:
            self._remember(message.message_id)
            self._count_sent(message)
            if not missed:
                self._standing.pop(_Told(*where, missed=False), None)
                self._count(*where)
            return None
        self._remember_refused(message.message_id, error)
        if isinstance(error, BudgetUsedUp):
            return Refusal(error=error, told=self._stands(_Told(*where, missed=False), error.about))
        about = snowflake_time(message.message_id).date() if missed else None
        return Refusal(error=error, told=self._stands(_Told(*where, missed=missed), about))

    def could_not_tell(self, message: IncomingMessage) -> None:
        """Its author does not know that it is refused: that, or the next of theirs, is told."""
        if error := self._refused.get(message.message_id):
            self._untold[message.message_id] = error
        for missed in (False, True):
            where = _Told(message.author_id, message.key.channel_id, missed=missed)
            self._standing.pop(where, None)

    def refuse_press(self, press: Press) -> NotTakenOn | None:
        """Why an answer is not rewritten just now. If it is, `count_press`: like a question, that takes a turn.

        Whoever presses pays, whoever asked.
        """
        payer = Payer(person=press.person, channel_id=press.key.channel_id, guild_id=press.guild_id)
        return self._budgets.refuse(payer) or self._asked_too_often(press.person, press.key.channel_id)

    def admit_look_up(self, person: int) -> NotTakenOn | None:
        """Let it take a turn of their minute, or say why they may not look back just now."""
        if wait := self._people.wait(person):
            return _moment(wait)
        self._people.take(person)
        return None

    def count_press(self, press: Press) -> None:
        """An answer is being rewritten."""
        self._count(press.person, press.key.channel_id)

    def _stands(self, told: _Told, about: _About) -> bool:
        """Whether they know that already. From now on they do."""
        stands = told in self._standing and self._standing[told] == about
        self._standing[told] = about
        if len(self._standing) > REFUSALS_KEPT:
            self._standing.popitem(last=False)
        return stands

    def _remember(self, message_id: int) -> None:
        if len(self._admitted) == ADMITTED_REMEMBERED:
            self._known.discard(self._admitted[0])
        self._admitted.append(message_id)
        self._known.add(message_id)

    def _remember_refused(self, message_id: int, error: NotTakenOn) -> None:
        self._refused[message_id] = error
        if len(self._refused) > REFUSALS_KEPT:
            oldest, _ = self._refused.popitem(last=False)
            self._untold.pop(oldest, None)

    def _count(self, person: int, channel_id: int) -> None:
        self._people.take(person)
        self._channels.take(channel_id)

    def _count_sent(self, message: IncomingMessage) -> None:
        sent = snowflake_time(message.message_id)
        self._sent_by_people.count(message.author_id, sent)
        self._sent_in_channels.count(message.key.channel_id, sent)

    def _too_many_waiting(self, message: IncomingMessage) -> NotTakenOn | None:
        limits = self._limits
        mine, here = self._line.of_person(message.author_id), self._line.in_channel(message.key.channel_id)
        if 0 < limits.waiting_per_person <= mine:
            return TooManyWaiting(
                f"{messages_are(mine, whose=' of yours')} waiting for me already. Please let me answer them first."
            )
        if 0 < limits.waiting_per_channel <= here:
            return TooManyWaiting(
                f"{messages_are(here)} waiting for me in this channel. Please ask again when I've caught up."
            )
        if 0 < limits.waiting <= len(self._line):
            return TooManyWaiting("I have more to answer right now than I can. Please ask again in a few minutes.")
        return None

    def _asked_too_often(self, person: int, channel_id: int) -> NotTakenOn | None:
        if wait := self._people.wait(person):
            return _moment(wait)
        if wait := self._channels.wait(channel_id):
            return AskedTooOften(
                f"This channel has asked me a lot just now. I can take the next in {seconds_in_words(wait)}."
            )
        return None

    def _sent_too_often(self, message: IncomingMessage) -> NotTakenOn | None:
        sent = snowflake_time(message.message_id)
        for minutes, id_, who in (
            (self._sent_by_people, message.author_id, "you"),
            (self._sent_in_channels, message.key.channel_id, "this channel"),
        ):
            if minutes.is_full(id_, sent):
                return AskedTooOften(f"{MISSED_TOO_MANY.format(who=who)} I won't answer the rest.")
        return None


def _moment(wait: float) -> AskedTooOften:
    return AskedTooOften(f"Please give me a moment: you can ask again in {seconds_in_words(wait)}.")
