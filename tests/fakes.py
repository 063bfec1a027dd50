"""Ports with real behaviour, in memory: what the core's tests stand on."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from bot.core.budgets import Amount, Budgets, Scope
from bot.core.completions import Delta, Finished, FinishReason, ModelCall, Prompt, Usage
from bot.core.errors import BotError, DiscordUnavailable, Withdrawn
from bot.core.messages import (
    Address,
    Conversation,
    ConversationKey,
    Edit,
    Erased,
    IncomingMessage,
    Kind,
    OpenCommand,
    Outcome,
    Part,
    PastTurn,
    Press,
    Previous,
    Received,
    Remembered,
    Reopened,
    Role,
    StoredMessage,
    SurplusPart,
    TakenUp,
    Turn,
    TurnState,
    WaitingQuestion,
)
from bot.core.ports import Clock
from bot.core.quotes import Link, Opened, Quote
from bot.core.rights import Forgotten, Share
from bot.core.speakers import label_key, unique_label
from bot.core.token_bounds import Report
from bot.core.tokens import TokenBudget
from bot.core.usage import By, Used
from bot.core.window import asked_tokens, first_within, staying
from bot.core.wording import TOLD

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def message(
    text: str,
    *,
    id: int,  # noqa: A002 - reads as the message's id where it is used
    channel: int = 10,
    author: int = 1,
    name: str = "Ada",
    **more: object,
) -> IncomingMessage:
    """A person's message, with only what a test cares about said."""
    fields: dict[str, object] = {
        "message_id": id,
        "kind": Kind.MESSAGE,
        "key": ConversationKey(channel_id=channel),
        "guild_id": 5,
        "parent_id": None,
        "author_id": author,
        "author_name": name,
        "text": text,
        "raw_text": text,
    }
    return IncomingMessage(**{**fields, **more})  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTurn(Turn):
    state: TurnState


@dataclass
class _Room:
    conversation: Conversation
    reset_position: int = 0
    window_start: int = 0
    next_position: int = 0
    labels: dict[int, str] = field(default_factory=dict)


class FakeMissed:
    """What was missed is read when the test says so."""

    def __init__(self) -> None:
        self.unread: dict[int, asyncio.Event] = {}

    def is_read(self, channel_id: int) -> bool:
        return channel_id not in self.unread

    async def read(self, channel_id: int) -> None:
        if channel_id in self.unread:
            await self.unread[channel_id].wait()
            self.unread.pop(channel_id, None)


class FakeStore:
    """The TurnStore and MissedStore ports over dictionaries."""

    def __init__(self) -> None:
        self.rooms: dict[ConversationKey, _Room] = {}
        self.turns: dict[int, StoredTurn] = {}
        self.room_of: dict[int, ConversationKey] = {}
        self.brought: dict[int, list[int]] = {}  # question → quotes
        self.answers_of: dict[int, int] = {}  # question → answer
        self.shown: dict[int, str] = {}
        self.codes: dict[int, str] = {}
        self.outcomes: dict[int, str] = {}
        self.previous: dict[int, Previous] = {}  # of answers that are written anew
        self.payers: dict[int, int | None] = {}  # of these, if not whoever asked
        self.attempts: dict[int, int] = defaultdict(int)
        self.restarts: dict[int, int] = defaultdict(int)
        self.parts: dict[int, dict[int, Part]] = defaultdict(dict)
        self.deleting: set[tuple[int, int]] = set()  # answers' parts
        self.fingerprints: dict[tuple[int, int], str | None] = {}  # of theirs
        self.first_tried_at = NOW
        self.calls: list[ModelCall] = []
        self.begun: list[ModelCall] = []
        self.counted_before: dict[Scope, dict[int, Amount]] = {}
        self.reported_before: list[Report] = []
        self.facts: dict[str, str] = {}
        self.used: list[Used] = []
        self.asked_usage: list[tuple[By | None, datetime, int | None, int | None]] = []
        self.notices: dict[str, int | None] = {}  # nonces, and the messages that were posted
        self.marks: dict[int, datetime] = {}
        self.fault: BotError | None = None
        self.busy = False
        self.answers = asyncio.Event()  # cleared: every unit of work waits
        self.answers.set()
        self.changed = asyncio.Condition()

    async def until(self, predicate: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(predicate)

    async def receive(self, message: IncomingMessage, *, take_up: bool, budget: TokenBudget) -> Received:
        await self._begin()
        if any(
            turn.message_id == message.message_id and turn.kind is not Kind.QUOTE for turn in self.turns.values()
        ):
            return Received(stored=False)
        room = self.rooms.setdefault(
            message.key,
            _Room(
                Conversation(id=len(self.rooms) + 1, key=message.key, guild_id=message.guild_id, labelled=False)
            ),
        )
        quotes = []
        if (quote := message.quote) is not None:
            label = self._label(room, quote.author_id, quote.author_name)
            quotes.append(self._add_quote(room, quote.message_id, quote, label=label))
        quotes += [self._add_quote(room, link.message_id, None, link=link) for link in message.links]
        question = self._add(
            room,
            message.kind,
            message.text,
            message_id=message.message_id,
            author_id=message.author_id,
            label=self._label(room, message.author_id, message.author_name),
            state=TurnState.WAITING,
            note=message.note,
            interaction=message.interaction,
        )
        self.brought[question.id] = [turn.id for turn in quotes]
        return Received(stored=True, taken_up=self._take_up(message.key, budget) if take_up else None)

    async def take_up(self, key: ConversationKey, *, budget: TokenBudget) -> TakenUp | None:
        await self._begin()
        return self._take_up(key, budget)

    async def open_link(self, turn_id: int, opened: Opened) -> Turn | None:
        await self._begin()
        if turn_id not in self.turns or self.turns[turn_id].state is TurnState.WITHDRAWN:
            return None
        self._update(turn_id, note=opened.note)
        if (quote := opened.quote) is not None:
            label = self._label(self.rooms[self.room_of[turn_id]], quote.author_id, quote.author_name)
            self._update(turn_id, text=quote.text, author_id=quote.author_id, label=label)
        return self.turns[turn_id]

    async def unfinished(self) -> list[ConversationKey]:
        states = (TurnState.WAITING, TurnState.ANSWERING)
        return list(dict.fromkeys(self.room_of[turn.id] for turn in self.turns.values() if turn.state in states))

    async def waiting(self) -> list[WaitingQuestion]:
        await self._begin()
        return [
            self._as_waiting(turn)
            for turn in self.turns.values()
            if turn.state is TurnState.WAITING and turn.kind is not Kind.QUOTE
        ]

    async def open_commands(self) -> list[OpenCommand]:
        await self._begin()
        return [
            OpenCommand(question=self._as_waiting(turn))
            for turn in self.turns.values()
            if turn.state in (TurnState.WAITING, TurnState.ANSWERING) and turn.kind is Kind.SLASH
        ]

    def _as_waiting(self, turn: StoredTurn) -> WaitingQuestion:
        key = self.room_of[turn.id]
        return WaitingQuestion(
            key=key,
            kind=turn.kind,
            author_id=turn.author_id or 0,
            address=key.address(turn.message_id or 0, turn.interaction),
        )

    async def remembered(self, key: ConversationKey, *, newest: int) -> Remembered:
        await self._begin()
        history = sorted(
            (turn for turn in self.turns.values() if self._is_history(self.rooms[key], turn)),
            key=lambda turn: turn.position or 0,
        )
        last = tuple(PastTurn(turn.role, turn.text, turn.label) for turn in history[-newest:])
        return Remembered(turns=len(history), newest=last)

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
        await self._begin()
        self.calls.append(call)
        answer = self.turns.get(answer_id)
        if token_rate is not None and answer is not None:
            self._learn_rate(answer, token_rate)
        self._live(answer_id)
        self._update(answer_id, text=text, state=TurnState.WRITTEN)
        self.shown[answer_id], self.outcomes[answer_id] = shown, outcome

    async def write_notice(self, answer_id: int, *, shown: str, code: str) -> None:
        await self._begin()
        self._live(answer_id)
        self._update(answer_id, kind=Kind.NOTICE, state=TurnState.WRITTEN)
        self.shown[answer_id], self.codes[answer_id] = shown, code

    async def stand(self, answer_id: int) -> None:
        await self._begin()
        self._live(answer_id)
        failed = self.turns[answer_id].kind is Kind.NOTICE and self.codes[answer_id] != TOLD
        self._update(answer_id, state=TurnState.STANDING)
        for question in self._questions(answer_id):
            self._update(question.id, state=TurnState.FAILED if failed else TurnState.ANSWERED)

    async def reopen(self, press: Press) -> Reopened:
        await self._begin()
        question = next((turn for turn in self.turns.values() if turn.message_id == press.question_id), None)
        if question is None:
            return Reopened.GONE
        if question.author_id != press.person and not press.moderates:
            return Reopened.NOT_THEIRS
        if question.state is TurnState.ANSWERING:
            return Reopened.UNDER_WAY
        if question.state is not TurnState.ANSWERED:
            return Reopened.GONE
        answer_id = self.answers_of[question.id]
        self.previous[answer_id] = Previous(
            self.turns[answer_id].text, self.shown[answer_id], self.outcomes[answer_id]
        )
        self.payers[answer_id] = None if press.person == question.author_id else press.person
        self._update(answer_id, state=TurnState.DRAFTING)
        for each in self._questions(answer_id):
            self._update(each.id, state=TurnState.ANSWERING)
        return Reopened.YES

    async def restore(self, answer_id: int, previous: Previous) -> None:
        await self._begin()
        self._live(answer_id)
        self._update(answer_id, state=TurnState.WRITTEN, text=previous.text)
        self.shown[answer_id], self.outcomes[answer_id] = previous.shown, previous.outcome

    async def undeliverable(self, answer_id: int, *, code: str) -> None:
        await self._begin()
        self._update(answer_id, state=TurnState.UNDELIVERABLE)
        self.codes[answer_id] = code
        for question in self._questions(answer_id):
            self._update(question.id, state=TurnState.FAILED)

    async def count_anew(self, answer_id: int) -> None:
        await self._begin()
        self.restarts[answer_id] = self.attempts[answer_id]

    async def begin_anew(self, answer_id: int) -> None:
        await self._begin()
        self._live(answer_id)
        self.restarts[answer_id] += 1

    async def withdraw(self, answer_id: int) -> None:
        await self._begin()
        for question in self._questions(answer_id):
            if question.state is TurnState.ANSWERING:
                self._update(question.id, state=TurnState.WAITING, position=None)
        self.turns.pop(answer_id, None)

    async def forget_withdrawn(self, answer_ids: Collection[int]) -> None:
        await self._begin()
        for answer_id in answer_ids:
            if (turn := self.turns.get(answer_id)) is not None and turn.state is TurnState.WITHDRAWN:
                del self.turns[answer_id]

    async def add_notice(self, question_id: int, *, part: Part) -> bool:
        await self._begin()
        waits = any(
            turn.message_id == question_id and turn.state is TurnState.WAITING for turn in self.turns.values()
        )
        new = waits and part.nonce not in self.notices
        if new:
            self.notices[part.nonce] = None
        return new

    async def notice_posted(self, nonce: str, *, message_id: int) -> None:
        await self._begin()
        self.notices[nonce] = message_id

    async def drop_notice(self, nonce: str) -> bool:
        await self._begin()
        del self.notices[nonce]
        return True

    async def add_part(self, answer_id: int, *, attempt: int, part: Part) -> None:
        await self._begin()
        self._live(answer_id)
        self.parts[answer_id].setdefault(part.n, part)

    async def part_posted(self, answer_id: int, *, n: int, message_id: int) -> None:
        await self._begin()
        self.parts[answer_id][n] = replace(self.parts[answer_id][n], message_id=message_id)

    async def part_refused(self, answer_id: int, *, n: int) -> None:
        await self._begin()
        del self.parts[answer_id][n]

    async def part_deleting(self, answer_id: int, *, n: int) -> None:
        await self._begin()
        self.deleting.add((answer_id, n))

    async def part_deleted(self, answer_id: int, *, n: int) -> None:
        await self._begin()
        self.deleting.discard((answer_id, n))
        del self.parts[answer_id][n]

    async def surplus(self) -> list[SurplusPart]:
        await self._begin()
        return [
            SurplusPart(
                answer_id=answer,
                attempt=1,
                part=replace(self.parts[answer][n], first_tried_at=self.first_tried_at),
                private=False,
                behind=self.parts[answer][n - 1].message_id if n - 1 in self.parts[answer] else None,
                fingerprint=self.fingerprints.get((answer, n)),
            )
            for answer, n in sorted(self.deleting, reverse=True)
        ]

    async def posting_in(self, channel_id: int) -> bool:
        await self._begin()
        return any(
            part.channel_id == channel_id and part.message_id is None and (answer, n) not in self.deleting
            for answer, parts in self.parts.items()
            for n, part in parts.items()
        )

    async def record_call(self, call: ModelCall) -> None:
        await self._begin()
        self.calls.append(call)

    async def begin_call(self, call: ModelCall) -> None:
        await self._begin()
        self.begun.append(call)

    async def counted(self, scope: Scope, *, since: datetime) -> dict[int, Amount]:
        await self._begin()
        return self.counted_before.get(scope, {})

    async def reports(self) -> list[Report]:
        return self.reported_before

    async def edit(self, edit: Edit) -> tuple[int, ...]:  # tests/storage holds what follows from its links
        await self._begin()
        edited = [turn.id for turn in self.turns.values() if turn.message_id == edit.message_id]
        for turn_id in edited:
            self._update(turn_id, text=edit.text, note=edit.note)
        return self._drafted_beside(edited)

    def _drafted_beside(self, turn_ids: Iterable[int]) -> tuple[int, ...]:
        places = {self.room_of[turn_id] for turn_id in turn_ids}
        drafted = (turn.id for turn in self.turns.values() if turn.state is TurnState.DRAFTING)
        return tuple(turn_id for turn_id in drafted if self.room_of[turn_id] in places)

    async def erase_messages(self, message_ids: Sequence[int]) -> Erased:
        await self._begin()
        answers = []
        erased = [turn for turn in self.turns.values() if turn.message_id in message_ids]
        for turn in erased:
            if turn.kind is Kind.QUOTE:
                del self.turns[turn.id]
                continue
            self._update(turn.id, state=TurnState.WITHDRAWN, text="", position=None, author_id=None, label=None)
            answer = self.turns.get(self.answers_of.get(turn.id, 0))
            if answer is None:
                continue
            if answer.state in (TurnState.DRAFTING, TurnState.WRITTEN):
                answers.append(answer.id)
                self._update(answer.id, state=TurnState.WITHDRAWN, text="")
                self.deleting |= {(answer.id, n) for n in self.parts[answer.id]}
            else:
                del self.turns[answer.id]
        beside = self._drafted_beside(turn.id for turn in erased)
        return Erased(turns=len(erased), answers=tuple(answers), beside=beside)

    async def record_missed(self, message: IncomingMessage) -> None:
        await self.receive(message, take_up=False, budget=TokenBudget(history_tokens=0))
        for turn in list(self.turns.values()):
            if turn.message_id == message.message_id:
                self._update(turn.id, state=TurnState.FAILED)

    async def record_refused(self, message: IncomingMessage) -> None:
        await self.receive(message, take_up=False, budget=TokenBudget(history_tokens=0))
        await self.erase_messages([message.message_id])

    async def withdrawn_since(self, channel_id: int, *, after: int) -> list[int]:
        await self._begin()
        return [
            turn.message_id
            for turn in self.turns.values()
            if self.room_of[turn.id].channel_id == channel_id
            and turn.message_id
            and turn.message_id > after
            and turn.state is TurnState.WITHDRAWN
        ]

    async def stored_since(self, channel_id: int, *, after: int) -> list[StoredMessage]:
        await self._begin()
        return [
            StoredMessage(message_id=turn.message_id)
            for turn in self.turns.values()
            if self.room_of[turn.id].channel_id == channel_id
            and turn.kind is Kind.MESSAGE
            and turn.message_id
            and turn.message_id > after
            and turn.state is not TurnState.WITHDRAWN
        ] + [
            StoredMessage(message_id=part.message_id, nonce=part.nonce)
            for parts in self.parts.values()
            for part in parts.values()
            if part.channel_id == channel_id and part.message_id and part.message_id > after
        ]

    async def quoted_since(self, channel_id: int, *, after: int) -> list[int]:
        await self._begin()
        return [
            turn.message_id
            for turn in self.turns.values()
            if turn.kind is Kind.QUOTE
            and turn.message_id
            and turn.message_id > after
            and (turn.link or self.room_of[turn.id]).channel_id == channel_id
        ]

    async def direct_channels(self, *, after: int) -> list[int]:
        await self._begin()
        return [key.channel_id for key, room in self.rooms.items() if room.conversation.guild_id is None]

    async def recent_threads(self, *, after: int) -> list[tuple[int, int]]:
        await self._begin()
        return []

    async def read_marks(self) -> dict[int, datetime]:
        await self._begin()
        return dict(self.marks)

    async def write_marks(self, marks: Mapping[int, datetime]) -> None:
        await self._begin()
        self.marks = dict(marks)

    async def erase_channel(self, channel_id: int) -> Erased:
        return await self._erase_rooms(lambda room: room.conversation.key.channel_id == channel_id)

    async def erase_guild(self, guild_id: int) -> Erased:
        return await self._erase_rooms(lambda room: room.conversation.guild_id == guild_id)

    async def share_of(self, user_id: int, *, channel_id: int | None = None) -> Share:
        await self._begin()
        mine = self._turns_of(user_id, channel_id)
        answers = {self.answers_of[turn.id] for turn in mine if turn.id in self.answers_of}
        return Share(messages=len(mine), answers=len(answers))

    async def forget_user(self, user_id: int, *, channel_id: int | None = None) -> Forgotten:
        share = await self.share_of(user_id, channel_id=channel_id)
        ids = [turn.message_id for turn in self._turns_of(user_id, channel_id)]
        erased = await self.erase_messages([id_ for id_ in ids if id_ is not None])
        return Forgotten(share=share, erased=erased)

    def _turns_of(self, user_id: int, channel_id: int | None) -> list[StoredTurn]:
        return [
            turn
            for turn in self.turns.values()
            if turn.author_id == user_id and channel_id in (None, self.room_of[turn.id].channel_id)
        ]

    async def reset(self, key: ConversationKey) -> None:
        await self._begin()
        if (room := self.rooms.get(key)) is not None:
            room.reset_position = room.window_start = room.next_position
            room.labels.clear()
            room.conversation = replace(room.conversation, labelled=False)

    async def usage(
        self, by: By | None, *, since: datetime, guild_id: int | None = None, person: int | None = None
    ) -> list[Used]:
        await self._begin()
        self.asked_usage.append((by, since, guild_id, person))
        return self.used

    async def read_fact(self, name: str) -> str | None:
        return self.facts.get(name)

    async def write_fact(self, name: str, value: str) -> None:
        self.facts[name] = value

    async def _begin(self) -> None:
        await self.answers.wait()
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        async with self.changed:
            self.changed.notify_all()

    async def _erase_rooms(self, chosen: Callable[[_Room], bool]) -> Erased:
        await self._begin()
        keys = {key for key, room in self.rooms.items() if chosen(room)}
        gone = [turn for turn in self.turns.values() if self.room_of[turn.id] in keys]
        for turn in gone:
            del self.turns[turn.id]
        for key in keys:
            del self.rooms[key]
        unfinished = (TurnState.DRAFTING, TurnState.WRITTEN)
        return Erased(turns=len(gone), answers=tuple(turn.id for turn in gone if turn.state in unfinished))

    def _take_up(self, key: ConversationKey, budget: TokenBudget) -> TakenUp | None:
        room = self.rooms.get(key)
        if room is None:
            return None
        mine = [turn for turn in self.turns.values() if self.room_of[turn.id] == key]
        for turn in mine:
            if turn.state in (TurnState.DRAFTING, TurnState.WRITTEN):
                return self._taken(room, list(self._questions(turn.id)), turn, budget)
        waiting = [turn for turn in mine if turn.state is TurnState.WAITING]
        if not waiting:
            return None
        real = sorted(
            (turn for turn in waiting if turn.kind is not Kind.QUOTE), key=lambda turn: turn.message_id or 0
        )
        group = [real[0]]
        for turn in real[1:]:
            if {turn.kind, real[0].kind} != {Kind.MESSAGE} or turn.author_id != real[0].author_id:
                break
            group.append(turn)
        taken = [turn for asked in group for turn in (*self._brought(asked), asked)]
        for turn in taken:
            self._update(turn.id, state=TurnState.ANSWERING, position=room.next_position)
            room.next_position += 1
        answer = self._add(
            room, Kind.ANSWER, "", state=TurnState.DRAFTING, position=room.next_position, author_id=None
        )
        room.next_position += 1
        for turn in taken:
            self.answers_of[turn.id] = answer.id
        return self._taken(room, [self.turns[turn.id] for turn in taken], answer, budget)

    def _taken(self, room: _Room, questions: list[StoredTurn], answer: StoredTurn, budget: TokenBudget) -> TakenUp:
        speakers = {
            turn.author_id
            for turn in self.turns.values()
            if self.room_of[turn.id] == room.conversation.key
            and turn.role is Role.USER
            and turn.position is not None
            and turn.position >= room.reset_position
        }
        if len(speakers - {None}) > 1 or any(turn.link for turn in questions):
            room.conversation = replace(room.conversation, labelled=True)
        self.attempts[answer.id] += 1
        budget = replace(budget, rate=room.conversation.token_rate)
        first = min(turn.position for turn in questions if turn.position is not None)
        history = sorted(
            (
                turn
                for turn in self.turns.values()
                if self._is_history(room, turn) and room.window_start <= (turn.position or 0) < first
            ),
            key=lambda turn: turn.position or 0,
            reverse=True,
        )
        labelled = room.conversation.labelled
        room_for = budget.for_turns - (asked_tokens(questions, budget, labelled=labelled) or 0)
        newest = [PastTurn(turn.role, turn.text, turn.label) for turn in history]
        kept, used, everything = first_within([newest], tokens=room_for, labelled=labelled)
        if not everything:
            count, used = staying(kept, room=room_for, kept=budget.kept, labelled=labelled)
            kept = kept[:count]
            room.window_start = history[len(kept) - 1].position or 0 if kept else first
        written = self.shown.get(answer.id) if answer.state is TurnState.WRITTEN else None
        return TakenUp(
            conversation=room.conversation,
            history=tuple(kept[::-1]),
            history_tokens=used,
            questions=tuple(questions),
            answer_id=answer.id,
            attempt=self.attempts[answer.id],
            tries=self.attempts[answer.id] - self.restarts[answer.id],
            parts=tuple(self.parts[answer.id].values()),
            written=written,
            previous=self.previous.get(answer.id),
            payer_id=self.payers.get(answer.id),
        )

    def _learn_rate(self, answer: StoredTurn, token_rate: float) -> None:
        room = self.rooms[self.room_of[answer.id]]
        if (answer.position or 0) >= room.reset_position:
            room.conversation = replace(room.conversation, token_rate=token_rate)

    def _is_history(self, room: _Room, turn: StoredTurn) -> bool:
        if self.room_of[turn.id] != room.conversation.key or turn.position is None:
            return False
        stands = turn.state is (TurnState.STANDING if turn.kind is Kind.ANSWER else TurnState.ANSWERED)
        return turn.position >= room.reset_position and bool(turn.text) and stands

    def _label(self, room: _Room, author_id: int, name: str) -> str:
        taken = {label_key(label) for author, label in room.labels.items() if author != author_id}
        room.labels[author_id] = unique_label(name, author_id=author_id, taken=taken)
        return room.labels[author_id]

    def _add(self, room: _Room, kind: Kind, text: str, **more: object) -> StoredTurn:
        turn = StoredTurn(id=max(self.room_of, default=0) + 1, kind=kind, text=text, **more)  # type: ignore[arg-type]
        self.turns[turn.id] = turn
        self.room_of[turn.id] = room.conversation.key
        return turn

    def _brought(self, question: StoredTurn) -> list[StoredTurn]:
        return [self.turns[quote] for quote in self.brought[question.id] if quote in self.turns]

    def _add_quote(self, room: _Room, message_id: int, quote: Quote | None, **more: object) -> StoredTurn:
        said = {"author_id": quote.author_id} if quote else {}
        return self._add(
            room,
            Kind.QUOTE,
            quote.text if quote else "",
            message_id=message_id,
            state=TurnState.WAITING,
            **said,
            **more,
        )

    def _update(self, turn_id: int, **changes: object) -> None:
        self.turns[turn_id] = replace(self.turns[turn_id], **changes)  # type: ignore[arg-type]

    def _questions(self, answer_id: int) -> list[StoredTurn]:
        return [
            self.turns[question]
            for question, answer in self.answers_of.items()
            if answer == answer_id and question in self.turns
        ]

    def _live(self, answer_id: int) -> None:
        if answer_id not in self.turns or self.turns[answer_id].state is TurnState.WITHDRAWN:
            raise Withdrawn


class FakePrices:
    """A nano-dollar a token read, two a token written."""

    def cost(self, model: str, usage: Usage) -> int | None:
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        return usage.input_tokens + 2 * usage.output_tokens


def no_budgets(clock: Clock) -> Budgets:
    return Budgets([], least=Amount(tokens=1), clock=clock)


class FakeLinks:
    """Every message that a test says is there may be read."""

    def __init__(self, messages: Mapping[Link, Opened] = MappingProxyType({})) -> None:
        self.messages = messages
        self.asked: list[tuple[list[Link], int, ConversationKey, int | None]] = []

    async def read(
        self, links: Sequence[Link], *, asker_id: int, key: ConversationKey, guild_id: int | None
    ) -> list[Opened]:
        self.asked.append((list(links), asker_id, key, guild_id))
        return [self.messages.get(link, Opened(note="That message can't be read.")) for link in links]


class FakeModel:
    """Says what it is scripted to; each item of a script is text, an error, Finished, or an Event to wait for."""

    def __init__(self, *scripts: Sequence[object], name: str = "fake-model") -> None:
        self.name = name
        self.scripts = list(scripts)
        self.prompts: list[Prompt] = []
        self.closed = 0

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Finished, None]:
        self.prompts.append(prompt)
        script = self.scripts.pop(0) if self.scripts else ["All good."]
        try:
            for item in script:
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, asyncio.Event):
                    await item.wait()
                elif isinstance(item, Finished):
                    yield item
                    return
                else:
                    yield Delta(text=str(item))
                await asyncio.sleep(0)
            yield Finished(reason=FinishReason.STOP, usage=Usage(input_tokens=10, output_tokens=3))
        finally:
            self.closed += 1

    def turns(self, n: int = -1) -> list[tuple[str, str]]:
        """The n-th prompt as (role, content) pairs."""
        return [(item.role.value, item.content) for item in self.prompts[n].messages]


class FakeReply:
    def __init__(self, channel: "FakeReplies", taken: TakenUp) -> None:
        self._channel = channel
        self.taken = taken
        self.shown = ""
        self.typing = self.visible = self.discarded = self.closed = False

    @property
    def in_time(self) -> bool:
        return self._channel.in_time

    def start_typing(self) -> None:
        self.typing = True

    def show(self, text: str) -> None:
        self.shown = text
        self.visible = self.visible or (len(text) >= self._channel.visible_from)

    async def finish(self, shown: str, *, can_be_rewritten: bool) -> None:
        self.can_be_rewritten = can_be_rewritten
        await self._channel.answers.wait()
        await asyncio.sleep(0)
        if self._channel.fault is not None:
            raise self._channel.fault
        self.visible = True
        self._channel.said.append((self.taken.address.channel_id, shown))

    async def say_instead(self, sentence: str) -> bool:
        if isinstance(self._channel.fault, DiscordUnavailable) and not self._channel.takes_sentences:
            return False
        self._channel.said.append((self.taken.address.channel_id, sentence))
        return True

    async def whisper_instead(self, sentence: str) -> bool:
        if self._channel.whispers is None:
            return False
        self._channel.whispers.append(sentence)
        return True

    async def discard(self) -> None:
        self.discarded = True

    async def close(self) -> None:
        await self._channel.answers.wait()
        self.closed = True


class FakeReplies:
    """A channel's reader: *said* holds what stands in it, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[int, str]] = []
        self.sentences: list[tuple[Address, str]] = []
        self.waiting: list[tuple[int, str]] = []  # message ids, and what was said to those who wait
        self.told = asyncio.Event()
        self.cleanups = 0
        self.opened: list[FakeReply] = []
        self.fault: BotError | None = None
        self.whispers: list[str] | None = None  # where there is a way to whisper
        self.takes_sentences = False  # where it does not take an answer
        self.answers = asyncio.Event()  # cleared: every request hangs
        self.answers.set()
        self.visible_from = 40
        self.in_time = True
        self.mute = False

    def open(self, taken: TakenUp) -> FakeReply:
        self.opened.append(FakeReply(self, taken))
        return self.opened[-1]

    async def say(self, address: Address, sentence: str, *, attempt: int = 0) -> bool:
        if not self.mute:
            self.sentences.append((address, sentence))
        return not self.mute

    async def say_waiting(self, question: WaitingQuestion, sentence: str, *, unless: asyncio.Event) -> None:
        self.waiting.append((question.address.message_id, sentence))
        self.told.set()
        if self.fault is not None:
            raise self.fault

    def clean_up(self) -> None:
        self.cleanups += 1


class FakeClock:
    """Time passes only while somebody sleeps: `sleep` returns at once and moves the clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.deadlines: list[tuple[float, asyncio.Timeout]] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)

    @asynccontextmanager
    async def deadline(self, seconds: float):
        async with asyncio.timeout(None) as timeout:
            entry = (seconds, timeout)
            self.deadlines.append(entry)
            try:
                yield _FakeDeadline(seconds)
            finally:
                if entry in self.deadlines:
                    self.deadlines.remove(entry)

    def pass_deadlines(self) -> None:
        """Every deadline under way ends now."""
        self._end(self.deadlines[:])

    async def passes(self, seconds: float) -> None:
        """Wait until somebody has a deadline of exactly so long, and let it end."""
        async with asyncio.timeout(10):
            while not (ending := [entry for entry in self.deadlines if entry[0] == seconds]):
                await asyncio.sleep(0)
        self.seconds += seconds
        self._end(ending)

    def _end(self, ending: list[tuple[float, asyncio.Timeout]]) -> None:
        for entry in ending:
            self.deadlines.remove(entry)
            entry[1].reschedule(asyncio.get_running_loop().time())


class _FakeDeadline:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def move(self, seconds: float) -> None:
        self.seconds = seconds
