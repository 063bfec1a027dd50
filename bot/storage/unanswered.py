"""The questions that have no answer yet, as they are found at a start or told how long they wait."""

from sqlalchemy import Connection, func, select

from bot.core.messages import ConversationKey, Kind, OpenCommand, TurnState, WaitingQuestion
from bot.storage.rows import TurnRow, as_interaction
from bot.storage.schema import IS_OPEN, conversations, parts, turns


def unfinished(connection: Connection) -> list[ConversationKey]:
    """Those that wait longest first."""
    rows = connection.execute(
        select(conversations.c.channel_id, conversations.c.private_to)
        .join(turns)
        .where(IS_OPEN)
        .group_by(conversations.c.id)
        .order_by(func.min(turns.c.message_id))
    )
    return [ConversationKey(channel_id=channel_id, private_to=private_to) for channel_id, private_to in rows]


def waiting(connection: Connection) -> list[WaitingQuestion]:
    """Lowest Discord id first."""
    rows = connection.execute(
        select(turns, conversations.c.channel_id, conversations.c.private_to)
        .join(conversations, turns.c.conversation_id == conversations.c.id)
        .where(IS_OPEN, turns.c.state == TurnState.WAITING, turns.c.kind != Kind.QUOTE)
    ).all()
    # Ordered by SQL, it would read every turn there is.
    return [_as_waiting(row) for row in sorted(rows, key=lambda row: row.message_id)]


def open_commands(connection: Connection) -> list[OpenCommand]:
    begun = select(parts.c.message_id).where(parts.c.turn_id == turns.c.answered_by, parts.c.n == 0)
    rows = connection.execute(
        select(turns, conversations.c.channel_id, conversations.c.private_to, begun.label("shown"))
        .join(conversations, turns.c.conversation_id == conversations.c.id)
        .where(IS_OPEN, turns.c.kind == Kind.SLASH)
    )
    return [OpenCommand(question=_as_waiting(row), shown=row.shown) for row in rows]


def _as_waiting(row: TurnRow) -> WaitingQuestion:
    key = ConversationKey(channel_id=row.channel_id, private_to=row.private_to)
    return WaitingQuestion(
        key=key,
        kind=Kind(row.kind),
        author_id=row.author_id,
        address=key.address(row.message_id, as_interaction(row)),
    )
