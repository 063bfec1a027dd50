"""The TurnStore on a database: each method is one unit of work, one transaction."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, select

from bot.core.budgets import Amount, Scope
from bot.core.clock import SystemClock
from bot.core.completions import ModelCall
from bot.core.errors import Withdrawn
from bot.core.messages import (
    ConversationKey,
    Edit,
    Erased,
    IncomingMessage,
    Kind,
    OpenCommand,
    Outcome,
    Part,
    Press,
    Previous,
    Received,
    Remembered,
    Reopened,
    StoredMessage,
    SurplusPart,
    TakenUp,
    Turn,
    WaitingQuestion,
)
from bot.core.ports import Clock
from bot.core.quotes import Opened
from bot.core.rights import Expired, Forgotten, Servers, Share
from bot.core.summary import ToSummarise
from bot.core.token_bounds import Report
from bot.core.tokens import TokenBudget
from bot.core.usage import By, Used
from bot.storage import (
    answer_parts,
    answers,
    calls,
    conversations,
    edits,
    erasure,
    held,
    history,
    missed,
    notices,
    questions,
    quotes,
    receiving,
    retention,
    rewriting,
    summaries,
    unanswered,
    usage,
)
from bot.storage.archive import SqlArchive
from bot.storage.arrivals import Arrivals
from bot.storage.database import SECONDS_FOR_PREDECESSOR, Database, open_database
from bot.storage.schema import facts
from bot.storage.units import Rank
from bot.storage.upsert import inserts

UNITS_OF_A_BUSY_STORE = 3  # that wait: in a burst of fewer, each is answered soonest if it is taken up at once

_WRITE_FACT = {
    dialect: statement.on_conflict_do_update(
        index_elements=[facts.c.name],
        set_={"value": statement.excluded.value, "written_at": statement.excluded.written_at},
    )
    for dialect, statement in inserts(facts).items()
}


@asynccontextmanager
async def open_store(
    database_url: str, *, clock: Clock | None = None, wait_seconds: float = SECONDS_FOR_PREDECESSOR
) -> AsyncIterator["SqlTurnStore"]:
    """The store in the database at *database_url*; see `bot.storage.database.open_database`."""
    async with open_database(database_url, wait_seconds=wait_seconds) as database:
        yield SqlTurnStore(database, clock=clock or SystemClock())


class SqlTurnStore:
    """Implements TurnStore, SummaryStore, MissedStore, RetentionStore, UsageStore, SpendingStore and MessagesHeld.

    They say, in bot.core, what the methods do. What looking back reads is its `archive`.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.archive = SqlArchive(database)
        self._database = database
        self._arrivals = Arrivals(database)
        self._clock = clock

    @property
    def ownership_lost(self) -> asyncio.Event:
        """Set when another process may have become the owner of the database."""
        return self._database.ownership_lost

    @property
    def stored_at(self) -> float | None:
        """When something was last stored or read, in monotonic seconds."""
        return self._database.stored_at

    @property
    def busy(self) -> bool:
        return self._database.waiting > UNITS_OF_A_BUSY_STORE

    async def receive(self, message: IncomingMessage, *, take_up: bool, budget: TokenBudget) -> Received:
        now = self._clock.now()
        if not take_up:
            return await self._arrivals.store(message, now=now)
        work = partial(questions.receive, message=message, budget=budget, now=now)
        try:
            return await self._database.run(work, rank=Rank.INTAKE)
        except receiving.AlreadyStored:
            return Received(stored=False)

    async def take_up(self, key: ConversationKey, *, budget: TokenBudget) -> TakenUp | None:
        return await self._database.run(partial(questions.take_up, key=key, budget=budget, now=self._clock.now()))

    async def open_link(self, turn_id: int, opened: Opened) -> Turn | None:
        return await self._database.run(partial(quotes.open_link, turn_id=turn_id, opened=opened))

    async def remembered(self, key: ConversationKey, *, newest: int) -> Remembered:
        return await self._database.run(partial(history.remembered, key=key, newest=newest))

    async def unfinished(self) -> list[ConversationKey]:
        return await self._database.run(unanswered.unfinished)

    async def waiting(self) -> list[WaitingQuestion]:
        return await self._database.run(unanswered.waiting)

    async def open_commands(self) -> list[OpenCommand]:
        return await self._database.run(unanswered.open_commands)

    async def to_summarise(self, key: ConversationKey, *, budget: TokenBudget) -> ToSummarise | None:
        return await self._database.run(partial(summaries.to_summarise, key=key, budget=budget))

    async def keep_summary(self, task: ToSummarise, *, text: str, model: str) -> bool:
        work = partial(summaries.keep, task=task, text=text, model=model, now=self._clock.now())
        return await self._database.run(work)

    async def drop_summaries(self) -> None:
        await self._database.run(summaries.drop_all, erases=bool)

    async def write_answer(
        self,
        answer_id: int,
        *,
        text: str,
        shown: str,
        outcome: Outcome,
        call: ModelCall,
        token_rate: float | None = None,
    ) -> None:
        def work(connection: Connection) -> bool:
            call_id = calls.record(connection, call)
            if token_rate is not None:
                answers.learn_rate(connection, answer_id, token_rate)
            return answers.write(
                connection,
                answer_id,
                kind=Kind.ANSWER,
                text=text,
                shown=shown,
                outcome=outcome,
                call_id=call_id,
            )

        _or_withdrawn(await self._database.run(work), answer_id)

    async def write_notice(self, answer_id: int, *, shown: str, code: str) -> None:
        work = partial(answers.write, answer_id=answer_id, kind=Kind.NOTICE, text=shown, shown=shown, outcome=code)
        _or_withdrawn(await self._database.run(work), answer_id)

    async def reopen(self, press: Press) -> Reopened:
        return await self._database.run(partial(rewriting.reopen, press=press), rank=Rank.INTAKE)

    async def restore(self, answer_id: int, previous: Previous) -> None:
        work = partial(rewriting.restore, answer_id=answer_id, previous=previous)
        _or_withdrawn(await self._database.run(work), answer_id)

    async def stand(self, answer_id: int) -> None:
        _or_withdrawn(await self._database.run(partial(answers.stand, answer_id=answer_id)), answer_id)

    async def undeliverable(self, answer_id: int, *, code: str) -> None:
        await self._database.run(partial(answers.undeliverable, answer_id=answer_id, code=code))

    async def count_anew(self, answer_id: int) -> None:
        await self._database.run(partial(answers.count_anew, answer_id=answer_id))

    async def begin_anew(self, answer_id: int) -> None:
        _or_withdrawn(await self._database.run(partial(answers.begin_anew, answer_id=answer_id)), answer_id)

    async def withdraw(self, answer_id: int) -> None:
        await self._database.run(partial(answers.withdraw, answer_id=answer_id), erases=bool)

    async def forget_withdrawn(self, answer_ids: Collection[int]) -> None:
        work = partial(answer_parts.forget_withdrawn, answer_ids=answer_ids)
        await self._database.run(work, erases=bool)

    async def add_notice(self, question_id: int, *, part: Part) -> bool:
        work = partial(notices.add, message_id=question_id, part=part, now=self._clock.now())
        return await self._database.run(work)

    async def notice_posted(self, nonce: str, *, message_id: int) -> None:
        await self._database.run(partial(notices.posted, nonce=nonce, message_id=message_id))

    async def drop_notice(self, nonce: str) -> bool:
        return await self._database.run(partial(notices.drop, nonce=nonce))

    async def add_part(self, answer_id: int, *, attempt: int, part: Part) -> None:
        work = partial(answer_parts.add, answer_id=answer_id, attempt=attempt, part=part, now=self._clock.now())
        _or_withdrawn(await self._database.run(work, rank=Rank.FIRST_WORDS), answer_id)

    async def part_posted(self, answer_id: int, *, n: int, message_id: int) -> None:
        await self._database.run(partial(answer_parts.posted, answer_id=answer_id, n=n, message_id=message_id))

    async def part_refused(self, answer_id: int, *, n: int) -> None:
        await self._database.run(partial(answer_parts.refused, answer_id=answer_id, n=n))

    async def part_deleting(self, answer_id: int, *, n: int) -> None:
        await self._database.run(partial(answer_parts.deleting, answer_id=answer_id, n=n))

    async def part_deleted(self, answer_id: int, *, n: int) -> None:
        await self._database.run(partial(answer_parts.deleted, answer_id=answer_id, n=n))

    async def surplus(self) -> list[SurplusPart]:
        return await self._database.run(answer_parts.surplus)

    async def posting_in(self, channel_id: int) -> bool:
        return await self._database.run(partial(answer_parts.posting_in, channel_id=channel_id))

    async def record_call(self, call: ModelCall) -> None:
        await self._database.run(partial(calls.record, call=call))

    async def begin_call(self, call: ModelCall) -> None:
        await self._database.run(partial(calls.record, call=call), rank=Rank.INTAKE)

    async def counted(self, scope: Scope, *, since: datetime) -> dict[int, Amount]:
        return await self._database.run(partial(calls.counted, scope=scope, since=since))

    async def reports(self) -> list[Report]:
        return await self._database.run(calls.reports)

    async def edit(self, edit: Edit) -> tuple[int, ...]:
        work = partial(edits.edit, edit=edit)
        return await self._database.run(work, erases=lambda drafted: drafted is not None) or ()

    async def erase_messages(self, message_ids: Sequence[int]) -> Erased:
        work = partial(erasure.erase_messages, message_ids=message_ids)
        return await self._database.run(work, erases=_erased_text)

    async def prompts_hold(self, key: ConversationKey, ids: Collection[int]) -> bool:
        return await self._database.run(partial(held.prompts_hold, key=key, ids=ids))

    async def conversation_holds(self, key: ConversationKey, ids: Collection[int]) -> bool:
        return await self._database.run(partial(held.conversation_holds, key=key, ids=ids))

    async def own_hold(self, person: int, ids: Collection[int]) -> bool:
        return await self._database.run(partial(held.own_hold, person=person, ids=ids))

    async def erase_channel(self, channel_id: int) -> Erased:
        work = partial(erasure.erase_channel, channel_id=channel_id)
        return await self._database.run(work, erases=_erased_text)

    async def erase_guild(self, guild_id: int) -> Erased:
        work = partial(erasure.erase_guild, guild_id=guild_id)
        return await self._database.run(work, erases=_erased_text)

    async def share_of(self, user_id: int, *, channel_id: int | None = None) -> Share:
        return await self._database.run(partial(erasure.share_of, user_id=user_id, channel_id=channel_id))

    async def forget_user(self, user_id: int, *, channel_id: int | None = None) -> Forgotten:
        work = partial(erasure.forget_user, user_id=user_id, channel_id=channel_id)
        return await self._database.run(work, erases=lambda _forgotten: True)

    async def erase_expired(self, where: Servers, *, after: int, before: int, most: int) -> Expired:
        work = partial(retention.erase_expired, where=where, after=after, before=before, most=most)
        return await self._database.run(work, erases=lambda expired: expired.questions > 0)

    async def reset(self, key: ConversationKey) -> None:
        await self._database.run(partial(conversations.reset, key=key), rank=Rank.INTAKE, erases=bool)

    async def record_missed(self, message: IncomingMessage) -> None:
        now = self._clock.now()

        def work(connection: Connection) -> None:
            with suppress(receiving.AlreadyStored):
                _, question_id = receiving.store(connection, message, now=now)
                missed.miss(connection, question_id)

        await self._database.run(work)

    async def record_refused(self, message: IncomingMessage) -> None:
        await self._database.run(partial(receiving.store_refused, message=message, now=self._clock.now()))

    async def withdrawn_since(self, channel_id: int, *, after: int) -> list[int]:
        return await self._database.run(partial(missed.withdrawn_since, channel_id=channel_id, after=after))

    async def stored_since(self, channel_id: int, *, after: int) -> list[StoredMessage]:
        return await self._database.run(partial(missed.stored_since, channel_id=channel_id, after=after))

    async def quoted_since(self, channel_id: int, *, after: int) -> list[int]:
        return await self._database.run(partial(missed.quoted_since, channel_id=channel_id, after=after))

    async def direct_channels(self, *, after: int) -> list[int]:
        return await self._database.run(partial(missed.direct_channels, after=after))

    async def recent_threads(self, *, after: int) -> list[tuple[int, int]]:
        return await self._database.run(partial(missed.recent_threads, after=after))

    async def read_marks(self) -> dict[int, datetime]:
        return await self._database.run(missed.read_marks)

    async def write_marks(self, marks: Mapping[int, datetime]) -> None:
        await self._database.run(partial(missed.write_marks, marks=marks))

    async def usage(
        self, by: By | None, *, since: datetime, guild_id: int | None = None, person: int | None = None
    ) -> list[Used]:
        work = partial(usage.usage, by=by, since=since, guild_id=guild_id, person=person)
        return await self._database.run(work)

    async def read_fact(self, name: str) -> str | None:
        def work(connection: Connection) -> str | None:
            return connection.scalar(select(facts.c.value).where(facts.c.name == name))

        return await self._database.run(work)

    async def write_fact(self, name: str, value: str) -> None:
        values = {"name": name, "value": value, "written_at": self._clock.now()}

        def work(connection: Connection) -> None:
            connection.execute(_WRITE_FACT[connection.dialect.name], values)

        await self._database.run(work)


def _erased_text(erased: Erased) -> bool:
    return erased.turns > 0


def _or_withdrawn(alive: bool, answer_id: int) -> None:  # noqa: FBT001 - reads as a sentence where it is called
    if not alive:
        raise Withdrawn(f"answer {answer_id} was withdrawn")
