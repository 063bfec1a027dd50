"""Messages that a question brings along: rows of their own, each right before its question."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from bot.core.messages import IncomingMessage, Kind, Role, Turn, TurnState, snowflake_time
from bot.core.quotes import CHANGED_MEANWHILE, Link, Opened, Quote
from bot.storage import conversations as places
from bot.storage.conversations import Place
from bot.storage.rows import TurnRow, as_turn
from bot.storage.schema import IS_NO_QUOTE, conversations, parts, turns

TURNS_IN_SIGHT = 20  # so many back, it is plain which one a reply means

_quotes = turns.alias()
BRINGS_SOME = exists(select(_quotes.c.id).where(_quotes.c.quoted_by == turns.c.id)).label("brings_some")

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
    conversation_id, quote = place.conversation.id, message.quote
    if quote is not None and not (message.text and _is_known(connection, place, quote)):
        said = _said(connection, conversation_id, quote)
        connection.execute(
            insert(turns),
            _brought(conversation_id, question_id, quote.message_id) | said,
        )
    for link in message.links:
        if (quote is None or quote.message_id != link.message_id) and not _is_in_sight(
            connection, place, link.message_id
        ):
            connection.execute(insert(turns), unopened(conversation_id, question_id, link))


def unopened(conversation_id: int, question_id: int, link: Link) -> dict[str, object]:
    """The row of what a question links to."""
    empty = {"text": "", "raw_text": "", "linked_channel_id": link.channel_id}
    return _brought(conversation_id, question_id, link.message_id) | empty


def out_of_sight(connection: Connection, conversation_id: int, links: Sequence[Link]) -> list[Link]:
    """Those to what the model does not read anyway."""
    place = connection.execute(
        select(conversations.c.next_position, conversations.c.reset_position).where(
            conversations.c.id == conversation_id
        )
    ).one()
    since = max(place.reset_position, place.next_position - TURNS_IN_SIGHT)
    return [link for link in links if not _is_since(connection, conversation_id, since, link.message_id)]


def open_link(connection: Connection, turn_id: int, opened: Opened) -> Turn | None:
    """None: it was erased meanwhile."""
    which = turns.c.id == turn_id
    row = connection.execute(select(turns).where(which)).one_or_none()
    if row is None:
        return None
    values: dict[str, object] = {"note": opened.note, "linked_parent_id": opened.parent_id}
    if (quote := opened.quote) is not None:
        values |= _said(connection, row.conversation_id, quote)
        if row.edited_at is not None and (quote.edited_at is None or quote.edited_at < row.edited_at):
            # It was read a moment before.
            values |= {"note": CHANGED_MEANWHILE, "text": "", "raw_text": "", "edited_at": row.edited_at}
    row = connection.execute(update(turns).where(which).values(values).returning(turns)).one()
    return as_turn(row, row.position)


def brought_by(connection: Connection, asked: Sequence[TurnRow]) -> dict[int, list[TurnRow]]:
    """The quotes of each question that has some, in their order."""
    quotes: dict[int, list[TurnRow]] = defaultdict(list)
    if questions := [row.id for row in asked if row.brings_some]:
        for row in connection.execute(select(turns).where(turns.c.quoted_by.in_(questions)).order_by(turns.c.id)):
            quotes[row.quoted_by].append(row)
    return quotes


def _is_known(connection: Connection, place: Place, quote: Quote) -> bool:
    in_sight = _is_in_sight(connection, place, quote.message_id)
    # Else it is a notice, or an answer so young that its message is not stored yet.
    return quote.ours if in_sight is None else in_sight


def _is_in_sight(connection: Connection, place: Place, message_id: int) -> bool | None:
    """Whether it is one of the newest turns here; None: it is no turn here."""
    since = max(place.reset_position, place.next_position - TURNS_IN_SIGHT)
    return _is_since(connection, place.conversation.id, since, message_id)


def _is_since(connection: Connection, conversation_id: int, since: int, message_id: int) -> bool | None:
    values = {"message": message_id, "conversation": conversation_id}
    positions = [
        position for statement in (_QUESTION, _ANSWER) for position in connection.scalars(statement, values)
    ]
    return any(position is None or position >= since for position in positions) if positions else None


def _brought(conversation_id: int, question_id: int, message_id: int) -> dict[str, object]:
    return {
        "conversation_id": conversation_id,
        "role": Role.USER,
        "kind": Kind.QUOTE,
        "state": TurnState.WAITING,
        "attempts": 0,
        "quoted_by": question_id,
        "message_id": message_id,
        "sent_at": snowflake_time(message_id),
    }


def _said(connection: Connection, conversation_id: int, quote: Quote) -> dict[str, object]:
    return {
        "author_id": quote.author_id,
        "label": places.speak(
            connection, conversation_id, author_id=quote.author_id, display_name=quote.author_name
        ),
        "raw_text": quote.raw_text,
        "text": quote.text,
        "edited_at": quote.edited_at,
    }
