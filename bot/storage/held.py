"""Whether words of certain messages, channels or servers are in a conversation, or among what is a person's."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, or_, select

from bot.core.messages import ConversationKey, PartState, TurnState
from bot.storage.schema import IS_OPEN, conversations, parts, turns


def prompts_hold(connection: Connection, key: ConversationKey, ids: Collection[int]) -> bool:
    # What is open is asked after a reset too. What was missed has no position, and is in no prompt. Each is asked
    # for by itself: with OR, SQLite reads what was said before the reset, too, be its pages damaged or not.
    placed = turns.join(conversations, turns.c.conversation_id == conversations.c.id)
    is_asked = turns.c.state.in_((TurnState.WAITING, TurnState.ANSWERING))
    asked = connection.scalars(select(turns.c.id).select_from(placed).where(_is_in(key), IS_OPEN, is_asked)).all()
    since_reset = _is_in(key) & (turns.c.position >= conversations.c.reset_position)
    return any(_any_of(connection, ids, which) for which in (turns.c.id.in_(asked), since_reset))


def conversation_holds(connection: Connection, key: ConversationKey, ids: Collection[int]) -> bool:
    return _any_of(connection, ids, _is_in(key))


def own_hold(connection: Connection, person: int, ids: Collection[int]) -> bool:
    to_them = select(turns.c.answered_by).where(turns.c.author_id == person, turns.c.answered_by.is_not(None))
    return _any_of(connection, ids, or_(turns.c.author_id == person, turns.c.id.in_(to_them)))


def _is_in(key: ConversationKey) -> ColumnElement[bool]:
    return (conversations.c.channel_id == key.channel_id) & (conversations.c.private_to == key.private_to)


def _any_of(connection: Connection, ids: Collection[int], where: ColumnElement[bool]) -> bool:
    # The messages there are read, and compared here: by their ids the database might have to read the very page
    # that it cannot, and everybody would be refused for one conversation's damage.
    placed = turns.join(conversations, turns.c.conversation_id == conversations.c.id)
    quoted_from = (turns.c.linked_channel_id, turns.c.linked_parent_id)
    said_in = (conversations.c.channel_id, conversations.c.parent_id, conversations.c.guild_id)
    said = select(turns.c.message_id, *quoted_from, *said_in).select_from(placed)
    shown = select(parts.c.message_id).select_from(placed.join(parts, parts.c.turn_id == turns.c.id))
    found = (
        connection.execute(statement.where(where, turns.c.text != ""))
        for statement in (said, shown.where(parts.c.state == PartState.POSTED))
    )
    return any(id_ in ids for rows in found for row in rows for id_ in row)
