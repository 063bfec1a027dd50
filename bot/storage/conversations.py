"""Conversations, and who has spoken in them since the last reset."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from bot.core.messages import Conversation, ConversationKey, IncomingMessage, Role, TurnState
from bot.core.speakers import label_key, unique_label
from bot.storage.columns import Number
from bot.storage.schema import IS_OPEN, conversations, speakers, summaries, turns
from bot.storage.upsert import inserts

Speaker = tuple[int, int]  # a conversation and an author


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A conversation, and where in it the next turn goes."""

    conversation: Conversation
    next_position: int
    reset_position: int
    window_start: int
    turns_before: int | None  # since the reset, before the window; None: they are to be counted
    summary: str | None = None  # that its prompts show; empty: it has to be made anew
    summarised: int = 0  # turns that it is of
    author_label: str | None = None  # of whom it was looked up for, if they have spoken


# As text: a column of the table that RETURNING is about would be another, uncorrelated one in a subquery.
_RETURNED_ID: ColumnElement[int] = literal_column("conversations.id", Number)
_SHOWN = (summaries.c.conversation_id == _RETURNED_ID, summaries.c.shown)
_COLUMNS = (
    conversations.c.id,
    conversations.c.guild_id,
    conversations.c.labelled,
    conversations.c.next_position,
    conversations.c.reset_position,
    conversations.c.window_start,
    conversations.c.turns_before,
    conversations.c.token_rate,
    select(summaries.c.text).where(*_SHOWN).scalar_subquery().label("summary"),
    select(summaries.c.turns).where(*_SHOWN).scalar_subquery().label("summarised"),
)
# Built once: SQLAlchemy then finds their SQL without looking through them again.
_FIND = select(*_COLUMNS).where(
    conversations.c.channel_id == bindparam("channel_id"), conversations.c.private_to == bindparam("private_to")
)
_AUTHORS_LABEL = (
    select(speakers.c.label)
    .where(speakers.c.conversation_id == _RETURNED_ID, speakers.c.author_id == bindparam("author_id"))
    .scalar_subquery()
    .label("author_label")
)
_ENSURE_ANY = {
    dialect: statement.on_conflict_do_update(
        index_elements=[conversations.c.channel_id, conversations.c.private_to],
        set_={
            "guild_id": statement.excluded.guild_id,
            "parent_id": func.coalesce(statement.excluded.parent_id, conversations.c.parent_id),
        },
    )
    for dialect, statement in inserts(conversations).items()
}
_ENSURE = {dialect: statement.returning(*_COLUMNS, _AUTHORS_LABEL) for dialect, statement in _ENSURE_ANY.items()}
_ENSURE_ALL = {
    dialect: statement.returning(*_COLUMNS, conversations.c.channel_id, conversations.c.private_to)
    for dialect, statement in _ENSURE_ANY.items()
}
_LABELS = select(speakers.c.conversation_id, speakers.c.author_id, speakers.c.label).where(
    speakers.c.conversation_id.in_(bindparam("conversations", expanding=True)),
    speakers.c.author_id.in_(bindparam("authors", expanding=True)),
)
_TAKEN = select(speakers.c.conversation_id, speakers.c.label_key).where(
    speakers.c.conversation_id.in_(bindparam("conversations", expanding=True))
)
_SPEAK = {
    dialect: statement.on_conflict_do_update(
        index_elements=[speakers.c.conversation_id, speakers.c.author_id],
        set_={
            "label": statement.excluded.label,
            "label_key": statement.excluded.label_key,
        },
    )
    for dialect, statement in inserts(speakers).items()
}


def find(connection: Connection, key: ConversationKey) -> Place | None:
    row = connection.execute(_FIND, {"channel_id": key.channel_id, "private_to": key.private_to}).one_or_none()
    return _place(key, row) if row else None


def ensure(connection: Connection, message: IncomingMessage, *, now: datetime) -> Place:
    """The message's conversation, made if this is its first message."""
    values = _new(message, now) | {"author_id": message.author_id}
    row = connection.execute(_ENSURE[connection.dialect.name], values).one()
    return _place(message.key, row, author_label=row.author_label)


def ensure_all(
    connection: Connection, messages: Sequence[IncomingMessage], *, now: datetime
) -> dict[ConversationKey, Place]:
    """Those of many messages."""
    ones = {message.key: _new(message, now) for message in messages}  # each once: the newest tells
    rows = connection.execute(_ENSURE_ALL[connection.dialect.name], list(ones.values())).all()
    keys = {(key.channel_id, key.private_to): key for key in ones}
    return {key: _place(key, row) for row in rows if (key := keys[row.channel_id, row.private_to])}


def _new(message: IncomingMessage, now: datetime) -> dict[str, Any]:
    return {
        "channel_id": message.key.channel_id,
        "private_to": message.key.private_to,
        "guild_id": message.guild_id,
        "parent_id": message.parent_id,
        "next_position": 1,
        "window_start": 1,
        "reset_position": 1,
        "created_at": now,
    }


def _place(key: ConversationKey, row: Row[*tuple[Any, ...]], *, author_label: str | None = None) -> Place:
    return Place(
        conversation=Conversation(
            id=row.id, key=key, guild_id=row.guild_id, labelled=row.labelled, token_rate=row.token_rate
        ),
        next_position=row.next_position,
        reset_position=row.reset_position,
        window_start=row.window_start,
        turns_before=row.turns_before,
        summary=row.summary,
        summarised=row.summarised if row.summary else 0,
        author_label=author_label,
    )


def speak(connection: Connection, conversation_id: int, *, author_id: int, display_name: str) -> str:
    """The speaker's label: nobody else's, and kept until a reset, so that no one takes over a name left behind."""
    return speak_all(connection, {(conversation_id, author_id): display_name})[conversation_id, author_id]


def speak_all(connection: Connection, names: Mapping[Speaker, str]) -> dict[Speaker, str]:
    """The same for many, given with their display names."""
    among = {"conversations": list({each for each, _ in names}), "authors": list({author for _, author in names})}
    labels = {(row.conversation_id, row.author_id): str(row.label) for row in connection.execute(_LABELS, among)}
    new = {speaker: name for speaker, name in names.items() if speaker not in labels}
    return labels | introduce(connection, new) if new else labels


def introduce(connection: Connection, names: Mapping[Speaker, str]) -> dict[Speaker, str]:
    """Give labels to those who have not spoken since the last reset."""
    taken = defaultdict[int, set[str]](set)
    for row in connection.execute(_TAKEN, {"conversations": list({each for each, _ in names})}):
        taken[row.conversation_id].add(row.label_key)
    labels, rows = {}, []
    for (conversation_id, author_id), name in names.items():
        label = unique_label(name, author_id=author_id, taken=taken[conversation_id])
        labels[conversation_id, author_id] = label
        taken[conversation_id].add(label_key(label))
        rows.append(
            {
                "conversation_id": conversation_id,
                "author_id": author_id,
                "label": label,
                "label_key": label_key(label),
            }
        )
    connection.execute(_SPEAK[connection.dialect.name], rows)
    return labels


def reset(connection: Connection, key: ConversationKey) -> bool:
    """Whether text was erased: its summaries'."""
    place = find(connection, key)
    if place is None:
        return False
    conversation_id = place.conversation.id
    connection.execute(
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(
            labelled=False,
            token_rate=1.0,
            window_start=conversations.c.next_position,
            reset_position=conversations.c.next_position,
            turns_before=0,
        )
    )
    erased = connection.execute(delete(summaries).where(summaries.c.conversation_id == conversation_id)).rowcount
    # Whoever waits speaks after the reset, under the label that the waiting turn has already.
    waiting = select(turns.c.author_id).where(
        turns.c.conversation_id == conversation_id, IS_OPEN, turns.c.state == TurnState.WAITING
    )
    connection.execute(
        delete(speakers).where(speakers.c.conversation_id == conversation_id, speakers.c.author_id.not_in(waiting))
    )
    return erased > 0


def drop_forgotten(connection: Connection, which: ColumnElement[bool]) -> None:
    """Let go of private conversations of which nothing is left: commands are not told of again.

    Those with an answer under way stay until it has ended: SQLite would give the row's number to another answer.
    """
    left = or_(turns.c.state != TurnState.WITHDRAWN, turns.c.role == Role.ASSISTANT)
    connection.execute(
        delete(conversations).where(
            which,
            conversations.c.private_to != 0,
            ~exists().where(turns.c.conversation_id == conversations.c.id, left),
        )
    )
