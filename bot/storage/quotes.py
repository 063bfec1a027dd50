"""Messages that a question brings along: rows of their own, each right before its question."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select

from bot.core.messages import IncomingMessage, Kind, Quote, Role, TurnState, snowflake_time
from bot.storage import conversations as places
from bot.storage.conversations import Place
from bot.storage.schema import IS_NO_QUOTE, parts, turns

TURNS_IN_SIGHT = 20  # so many back, it is plain which one a reply means

_WILL_BE_HISTORY = (TurnState.WAITING, TurnState.ANSWERING, TurnState.ANSWERED)
_STANDS = (TurnState.DRAFTING, TurnState.WRITTEN, TurnState.STANDING)
_HERE = turns.c.conversation_id == bindparam("conversation")
_QUESTION = select(turns.c.position).where(
    IS_NO_QUOTE, turns.c.message_id == bindparam("message"), _HERE, turns.c.state.in_(_WILL_BE_HISTORY)
)
_ANSWER = (
    select(turns.c.position)
    .join(parts, parts.c.turn_id == turns.c.id)
    .where(
        parts.c.message_id == bindparam("message"),
        _HERE,
        turns.c.kind == Kind.ANSWER,
        turns.c.state.in_(_STANDS),
    )
)


def store(connection: Connection, place: Place, question_id: int, message: IncomingMessage) -> None:
    """What *message* brings along, unless the model reads it anyway, a few turns back."""
    quote = message.quote
    if quote is None or (message.text and not _is_needed(connection, place, quote)):
        return
    conversation_id = place.conversation.id
    connection.execute(
        insert(turns),
        {
            "conversation_id": conversation_id,
            "role": Role.USER,
            "kind": Kind.QUOTE,
            "state": TurnState.WAITING,
            "attempts": 0,
            "message_id": quote.message_id,
            "quoted_by": question_id,
            "sent_at": snowflake_time(quote.message_id),
            **_said(connection, conversation_id, quote),
        },
    )


def brought_by(
    connection: Connection, asked: Sequence[Row[*tuple[Any, ...]]]
) -> dict[int, list[Row[*tuple[Any, ...]]]]:
    """The quotes of each question that has some, in their order."""
    quotes: dict[int, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    if replies := [row.id for row in asked if row.reply_to_id is not None]:
        for row in connection.execute(select(turns).where(turns.c.quoted_by.in_(replies)).order_by(turns.c.id)):
            quotes[row.quoted_by].append(row)
    return quotes


def _is_needed(connection: Connection, place: Place, quote: Quote) -> bool:
    values = {"message": quote.message_id, "conversation": place.conversation.id}
    positions = [
        position for statement in (_QUESTION, _ANSWER) for position in connection.scalars(statement, values)
    ]
    if not positions:
        return not quote.ours  # a notice, or an answer so young that its message is not stored yet
    since = max(place.reset_position, place.next_position - TURNS_IN_SIGHT)
    return all(position is not None and position < since for position in positions)


def _said(connection: Connection, conversation_id: int, quote: Quote) -> dict[str, object]:
    return {
        "author_id": quote.author_id,
        "label": places.speak(
            connection, conversation_id, author_id=quote.author_id, display_name=quote.author_name
        ),
        "raw_text": quote.raw_text,
        "text": quote.text,
    }
