"""Erases what is too old to be kept, row and all: no event can bring such a message back."""

from sqlalchemy import Connection, bindparam, delete, exists, select

from bot.core.messages import PartState, TurnState
from bot.core.rights import Expired, Servers
from bot.storage.erasure import drop_quotes, drop_silent_speakers
from bot.storage.schema import IS_NO_QUOTE, conversations, parts, turns
from bot.storage.summaries import drop_covering

_ENDED = (TurnState.ANSWERED, TurnState.FAILED, TurnState.WITHDRAWN)
_STOOD = (TurnState.STANDING, TurnState.UNDELIVERABLE)
_LEAVES_A_NOTICE = exists().where(parts.c.turn_id == turns.c.id, parts.c.state == PartState.DELETING)
# In the order of the index, wherever they were asked: so it looks at no more rows than it may.
_OLD = (
    select(
        turns.c.id,
        turns.c.message_id,
        turns.c.state,
        turns.c.author_id,
        turns.c.answered_by,
        turns.c.conversation_id,
        conversations.c.guild_id,
        _LEAVES_A_NOTICE.label("leaves_a_notice"),
    )
    .join(conversations, turns.c.conversation_id == conversations.c.id)
    .where(IS_NO_QUOTE, turns.c.message_id > bindparam("after"), turns.c.message_id < bindparam("before"))
    .order_by(turns.c.message_id)
    .limit(bindparam("most"))
)


def erase_expired(connection: Connection, where: Servers, *, after: int, before: int, most: int) -> Expired:
    old = connection.execute(_OLD, {"after": after, "before": before, "most": most}).all()
    here = [row for row in old if where.hold(row.guild_id)]
    over = [row for row in here if row.state in _ENDED and not row.leaves_a_notice]
    left = [row.message_id for row in here if row.state not in _ENDED or row.leaves_a_notice]
    answers = 0
    if over:
        ids, answered_by = [row.id for row in over], {row.answered_by for row in over} - {None}
        drop_quotes(connection, turns.c.quoted_by.in_(ids))
        drop_covering(connection, turns.c.id.in_([*ids, *answered_by]))
        answers = connection.execute(
            delete(turns).where(turns.c.id.in_(answered_by), turns.c.state.in_(_STOOD))
        ).rowcount
        connection.execute(delete(turns).where(turns.c.id.in_(ids)))
        drop_silent_speakers(connection, {(row.conversation_id, row.author_id) for row in over})
        _drop_empty(connection, {row.conversation_id for row in over})
    return Expired(
        questions=len(over),
        answers=answers,
        go_on_after=old[-1].message_id if len(old) == most else None,
        unfinished=min(left, default=None),
    )


def _drop_empty(connection: Connection, ids: set[int]) -> None:
    """Conversations of which nothing is left, with the names of who took part."""
    connection.execute(
        delete(conversations).where(
            conversations.c.id.in_(ids), ~exists().where(turns.c.conversation_id == conversations.c.id)
        )
    )
