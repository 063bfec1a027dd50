"""Reads stored turns for people to look through and take along, page by page, newest first."""

from functools import partial

from sqlalchemy import Connection, bindparam, case, select

from bot.core.archive import ArchivedTurn
from bot.core.messages import ConversationKey, Kind, Role, TurnState
from bot.storage.database import Database
from bot.storage.schema import IS_NO_QUOTE, conversations, parts, turns

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


class SqlArchive:
    """Implements Archive of bot.core.archive, which says what the methods do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turns(self, key: ConversationKey, *, before: int, most: int) -> list[ArchivedTurn]:
        return await self._database.run(partial(_turns, key=key, before=before, most=most))


def _turns(connection: Connection, *, key: ConversationKey, before: int, most: int) -> list[ArchivedTurn]:
    where = {"channel_id": key.channel_id, "private_to": key.private_to}
    rows = connection.execute(_TURNS, where | {"before": before, "most": most})
    return [
        ArchivedTurn(**row._asdict() | {"kind": Kind(row.kind), "state": TurnState(row.state)}) for row in rows
    ]
