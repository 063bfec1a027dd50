"""Stores questions as they come in: one by itself, or many in as many statements as one takes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot.core.messages import IncomingMessage, Received, Role, TurnState, snowflake_time
from bot.storage import conversations as places
from bot.storage import quotes
from bot.storage.conversations import Place
from bot.storage.schema import turns
from bot.storage.upsert import inserts


class AlreadyStored(Exception):
    """The message was stored before."""


_STORE = {
    dialect: statement.on_conflict_do_nothing().returning(turns.c.id, turns.c.message_id)
    for dialect, statement in inserts(turns).items()
}


def store(connection: Connection, message: IncomingMessage, *, now: datetime) -> tuple[Place, int]:
    """The conversation, and the question's row. Raises AlreadyStored."""
    place = places.ensure(connection, message, now=now)
    speaker = (place.conversation.id, message.author_id)
    label = place.author_label or places.introduce(connection, {speaker: message.author_name})[speaker]
    row = connection.execute(_STORE[connection.dialect.name], _question(place, message, label=label)).one_or_none()
    if row is None:
        raise AlreadyStored
    quotes.store(connection, place, row.id, message)
    return place, int(row.id)


def store_all(connection: Connection, arrived: Sequence[tuple[IncomingMessage, datetime]]) -> list[Received]:
    """Each message with the time it came in; nothing is taken up."""
    messages = [message for message, _ in arrived]
    placed = places.ensure_all(connection, messages, now=arrived[0][1])
    speakers = [(placed[each.key].conversation.id, each.author_id) for each in messages]
    names = {speaker: each.author_name for speaker, each in zip(speakers, messages, strict=True)}
    labels = places.speak_all(connection, names)
    questions = [
        _question(placed[each.key], each, label=labels[speaker])
        for speaker, each in zip(speakers, messages, strict=True)
    ]
    rows = {row.message_id: row.id for row in connection.execute(_STORE[connection.dialect.name], questions)}
    received = []
    for message in messages:
        question_id = rows.pop(message.message_id, None)  # of those told of twice, the first one's
        if question_id is not None:
            quotes.store(connection, placed[message.key], question_id, message)
        received.append(Received(stored=question_id is not None))
    return received


def store_refused(connection: Connection, message: IncomingMessage, *, now: datetime) -> None:
    """Its ids alone, as of one that was deleted; nothing if it is stored."""
    place = places.ensure(connection, message, now=now)
    bare = replace(message, text="", raw_text="", note=None, reply_to=None)
    values = _question(place, bare, label=None) | {"state": TurnState.WITHDRAWN, "author_id": None}
    connection.execute(_STORE[connection.dialect.name], values)


def _question(place: Place, message: IncomingMessage, *, label: str | None) -> dict[str, Any]:
    interaction = message.interaction
    return {
        "conversation_id": place.conversation.id,
        "role": Role.USER,
        "state": TurnState.WAITING,
        "attempts": 0,
        "kind": message.kind,
        "author_id": message.author_id,
        "label": label,
        "raw_text": message.raw_text,
        "text": message.text,
        "note": message.note,
        "message_id": message.message_id,
        "reply_to_id": message.reply_to,
        "interaction_id": interaction.id if interaction else None,
        "interaction_token": interaction.token if interaction else None,
        "interaction_expires_at": interaction.expires_at if interaction else None,
        "sent_at": snowflake_time(message.message_id),
    }
