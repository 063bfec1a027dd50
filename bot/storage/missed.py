"""What catching up on missed messages needs: the marks, what is stored of a range, what came too late."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, func, or_, select, update

from bot.core.errors import AskedLongAgo
from bot.core.messages import Kind, StoredMessage, TurnState
from bot.storage.answer_parts import OURS_TO_DELETE
from bot.storage.schema import IS_NO_QUOTE, IS_QUOTE, conversations, parts, turns, watermarks
from bot.storage.upsert import inserts

_CHANNEL = conversations.c.channel_id == bindparam("channel")
_PUBLIC = conversations.c.private_to == 0  # what is ephemeral is in no channel's history
_MESSAGES = (
    select(turns.c.message_id, turns.c.edited_at)
    .join(conversations, turns.c.conversation_id == conversations.c.id)
    .where(_CHANNEL, _PUBLIC, IS_NO_QUOTE, turns.c.kind == Kind.MESSAGE, turns.c.message_id > bindparam("after"))
)
_QUESTIONS = _MESSAGES.where(turns.c.state != TurnState.WITHDRAWN)
_WITHDRAWN = _MESSAGES.where(turns.c.state == TurnState.WITHDRAWN)
_PARTS = (
    select(parts.c.message_id, parts.c.nonce)
    .join(turns, parts.c.turn_id == turns.c.id)
    .join(conversations, turns.c.conversation_id == conversations.c.id)
    .where(
        parts.c.channel_id == bindparam("channel"),
        _PUBLIC,
        parts.c.state.not_in(OURS_TO_DELETE),
        parts.c.message_id > bindparam("after"),
    )
)
_QUOTED = (
    select(turns.c.message_id)
    .join(conversations, turns.c.conversation_id == conversations.c.id)
    .where(
        IS_QUOTE,
        func.coalesce(turns.c.linked_channel_id, conversations.c.channel_id) == bindparam("channel"),
        turns.c.message_id > bindparam("after"),
    )
    .distinct()
)
_DIRECT = select(conversations.c.channel_id).where(
    conversations.c.guild_id.is_(None),
    _PUBLIC,
    exists().where(
        turns.c.conversation_id == conversations.c.id, turns.c.message_id > bindparam("after"), IS_NO_QUOTE
    ),
)
_THREADS = (
    select(conversations.c.guild_id, conversations.c.channel_id)
    .join(turns, turns.c.conversation_id == conversations.c.id)
    .where(
        turns.c.message_id > bindparam("after"),
        IS_NO_QUOTE,
        conversations.c.parent_id.is_not(None),
        conversations.c.guild_id.is_not(None),
        _PUBLIC,
    )
    .group_by(conversations.c.guild_id, conversations.c.channel_id)
    .order_by(func.max(turns.c.message_id).desc())
)
_WRITE = {
    dialect: statement.on_conflict_do_update(
        index_elements=[watermarks.c.guild_id], set_={"handled_until": statement.excluded.handled_until}
    )
    for dialect, statement in inserts(watermarks).items()
}


def stored_since(connection: Connection, *, channel_id: int, after: int) -> list[StoredMessage]:
    known = {"channel": channel_id, "after": after}
    questions = connection.execute(_QUESTIONS, known)
    return [
        *(StoredMessage(message_id=row.message_id, edited_at=row.edited_at) for row in questions),
        *(StoredMessage(message_id=row.message_id, nonce=row.nonce) for row in connection.execute(_PARTS, known)),
    ]


def withdrawn_since(connection: Connection, *, channel_id: int, after: int) -> list[int]:
    return list(connection.scalars(_WITHDRAWN, {"channel": channel_id, "after": after}))


def quoted_since(connection: Connection, *, channel_id: int, after: int) -> list[int]:
    return list(connection.scalars(_QUOTED, {"channel": channel_id, "after": after}))


def miss(connection: Connection, question_id: int) -> None:
    """A question just stored is not to be answered, nor what it brought along to be read: it came too late."""
    connection.execute(
        update(turns)
        .where(or_(turns.c.id == question_id, turns.c.quoted_by == question_id))
        .values(state=TurnState.FAILED, outcome=AskedLongAgo.code)
    )


def direct_channels(connection: Connection, *, after: int) -> list[int]:
    return list(connection.scalars(_DIRECT, {"after": after}))


def recent_threads(connection: Connection, *, after: int) -> list[tuple[int, int]]:
    return [(row.guild_id, row.channel_id) for row in connection.execute(_THREADS, {"after": after})]


def read_marks(connection: Connection) -> dict[int, datetime]:
    rows = connection.execute(select(watermarks.c.guild_id, watermarks.c.handled_until))
    return {row.guild_id: row.handled_until for row in rows}


def write_marks(connection: Connection, marks: Mapping[int, datetime]) -> None:
    connection.execute(delete(watermarks).where(watermarks.c.guild_id.not_in(marks)))
    if rows := [{"guild_id": guild_id, "handled_until": until} for guild_id, until in marks.items()]:
        connection.execute(_WRITE[connection.dialect.name], rows)
