"""Reads stored turns for people to look through and take along, page by page, newest first."""

from collections import defaultdict
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, false, or_, select

from bot.core.archive import ArchivedTurn, Memory, OwnTurns, Record
from bot.core.messages import ConversationKey, Kind, PartState, Role, TurnState
from bot.core.tokens import TokenBudget
from bot.core.why import Made
from bot.storage.calls import made
from bot.storage.database import Database
from bot.storage.schema import IS_NO_QUOTE, conversations, model_calls, parts, speakers, summaries, turns
from bot.storage.window import memory

# An answer's first message. That of a /chat shows the question, too, which has none of its own.
_SHOWN_BY = case((turns.c.role == Role.ASSISTANT, turns.c.id), else_=turns.c.answered_by)
_FIRST_PART = select(parts.c.message_id).where(parts.c.turn_id == _SHOWN_BY, parts.c.n == 0).scalar_subquery()
_TURNS = (
    select(
        turns.c.position,
        turns.c.kind,
        turns.c.state,
        turns.c.text,
        turns.c.sent_at,
        turns.c.author_id,
        turns.c.label,
        turns.c.outcome,
        turns.c.edited_at,
        case((turns.c.kind == Kind.MESSAGE, turns.c.message_id), else_=_FIRST_PART).label("message_id"),
    )
    .join(conversations, turns.c.conversation_id == conversations.c.id)
    .where(
        conversations.c.channel_id == bindparam("channel_id"),
        conversations.c.private_to == bindparam("private_to"),
        turns.c.position < bindparam("before"),
        IS_NO_QUOTE,
    )
    .order_by(turns.c.position.desc())
    .limit(bindparam("most"))
)
# Where somebody else quoted them is theirs to know, and not the person's own.
_ASKED = turns.c.kind != Kind.QUOTE
_OWN_IDS = (
    select(turns.c.id)
    .where(turns.c.author_id == bindparam("person"), turns.c.id < bindparam("before"))
    .order_by(turns.c.id.desc())
    .limit(bindparam("most"))
)
_OWN_MESSAGES = (
    select(
        turns.c.id,
        turns.c.kind,
        case((_ASKED, turns.c.state)).label("state"),
        case((_ASKED, turns.c.outcome)).label("outcome"),
        case((_ASKED, conversations.c.channel_id), else_=turns.c.linked_channel_id).label("channel_id"),
        case((_ASKED, conversations.c.guild_id)).label("guild_id"),
        case((_ASKED, conversations.c.private_to != 0), else_=false()).label("private"),
        turns.c.message_id,
        turns.c.reply_to_id,
        turns.c.sent_at,
        turns.c.edited_at,
        turns.c.label.label("name"),
        turns.c.text,
        turns.c.raw_text.label("text_as_sent"),
        turns.c.note,
        case((_ASKED, turns.c.answered_by)).label("answered_by"),
    )
    .join(conversations, turns.c.conversation_id == conversations.c.id)
    .where(turns.c.id.in_(_OWN_IDS))
    .order_by(turns.c.id.desc())
)
_ANSWERS = (
    select(
        turns.c.id,
        turns.c.kind,
        turns.c.state,
        turns.c.outcome,
        turns.c.sent_at,
        turns.c.text,
        turns.c.raw_text.label("text_as_shown"),
    )
    .where(turns.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(turns.c.id.desc())
)
_SHOWN_IN = (
    select(parts.c.turn_id, parts.c.message_id)
    .where(parts.c.turn_id.in_(bindparam("ids", expanding=True)), parts.c.state == PartState.POSTED)
    .order_by(parts.c.turn_id, parts.c.n)
)
_OWN_CALLS = (
    select(model_calls)
    .where(model_calls.c.author_id == bindparam("person"), model_calls.c.id < bindparam("before"))
    .order_by(model_calls.c.id.desc())
    .limit(bindparam("most"))
)
_OWN_NAMES = (
    select(conversations.c.channel_id, conversations.c.guild_id, speakers.c.label.label("name"))
    .join(conversations, speakers.c.conversation_id == conversations.c.id)
    .where(
        speakers.c.author_id == bindparam("person"),
        or_(conversations.c.private_to == 0, conversations.c.private_to == bindparam("person")),
    )
    .order_by(conversations.c.id)
)
_HAS_ASKED_IN = select(turns.c.conversation_id).where(turns.c.author_id == bindparam("person"), _ASKED)
_IS_THEIR_DM = and_(conversations.c.guild_id.is_(None), conversations.c.id.in_(_HAS_ASKED_IN))
_OWN_SUMMARIES = (
    select(
        conversations.c.channel_id,
        conversations.c.guild_id,
        (conversations.c.private_to != 0).label("private"),
        summaries.c.text,
        summaries.c.model,
        summaries.c.made_at,
    )
    .join(conversations, summaries.c.conversation_id == conversations.c.id)
    .where(
        or_(conversations.c.private_to == bindparam("person"), _IS_THEIR_DM),
        summaries.c.text != "",
    )
    .order_by(summaries.c.id.desc())
)


class SqlArchive:
    """Implements Archive of bot.core.archive, which says what the methods do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turns(self, key: ConversationKey, *, before: int, most: int) -> list[ArchivedTurn]:
        return await self._database.run(partial(_turns, key=key, before=before, most=most))

    async def memory(self, key: ConversationKey, budget: TokenBudget) -> Memory:
        return await self._database.run(partial(memory, key=key, budget=budget))

    async def made(self, message_id: int, *, channel_id: int) -> Made | None:
        return await self._database.run(partial(made, message_id=message_id, channel_id=channel_id))

    async def own_turns(self, person: int, *, before: int, most: int) -> OwnTurns:
        return await self._database.run(partial(_own_turns, person=person, before=before, most=most))

    async def own_calls(self, person: int, *, before: int, most: int) -> list[Record]:
        return await self._records(_OWN_CALLS, person=person, before=before, most=most)

    async def own_names(self, person: int) -> list[Record]:
        return await self._records(_OWN_NAMES, person=person)

    async def own_summaries(self, person: int) -> list[Record]:
        return await self._records(_OWN_SUMMARIES, person=person)

    async def _records(self, statement: Select[*tuple[Any, ...]], **values: int) -> list[Record]:
        return await self._database.run(
            lambda connection: [row._asdict() for row in connection.execute(statement, values)]
        )


def _turns(connection: Connection, *, key: ConversationKey, before: int, most: int) -> list[ArchivedTurn]:
    where = {"channel_id": key.channel_id, "private_to": key.private_to}
    rows = connection.execute(_TURNS, where | {"before": before, "most": most})
    return [
        ArchivedTurn(**row._asdict() | {"kind": Kind(row.kind), "state": TurnState(row.state)}) for row in rows
    ]


def _own_turns(connection: Connection, *, person: int, before: int, most: int) -> OwnTurns:
    messages = connection.execute(_OWN_MESSAGES, {"person": person, "before": before, "most": most}).all()
    ids = {"ids": sorted({row.answered_by for row in messages} - {None})}
    shown = defaultdict[int, list[int]](list)
    for turn_id, message_id in connection.execute(_SHOWN_IN, ids):
        shown[turn_id].append(message_id)
    answers = connection.execute(_ANSWERS, ids)
    return OwnTurns(
        messages=tuple(row._asdict() for row in messages),
        answers=tuple(row._asdict() | {"message_ids": shown[row.id]} for row in answers),
    )
