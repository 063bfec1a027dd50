"""Rows as the core's values."""

from typing import Any

from sqlalchemy import Row

from bot.core.messages import Interaction, Kind, Part, Turn
from bot.core.quotes import Link

TurnRow = Row[*tuple[Any, ...]]


def as_turn(row: TurnRow, position: int) -> Turn:
    """A question, or a quote, that has been taken up."""
    return Turn(
        id=row.id,
        kind=Kind(row.kind),
        text=row.text,
        position=position,
        author_id=row.author_id,
        label=row.label,
        message_id=row.message_id,
        note=row.note,
        interaction=as_interaction(row),
        link=_as_link(row),
    )


def as_interaction(row: TurnRow) -> Interaction | None:
    if row.interaction_token is None:
        return None
    return Interaction(id=row.interaction_id, token=row.interaction_token, expires_at=row.interaction_expires_at)


def as_part(row: Row[*tuple[Any, ...]]) -> Part:
    return Part(
        n=row.n,
        channel_id=row.channel_id,
        nonce=row.nonce,
        text=row.text,
        message_id=row.message_id,
        first_tried_at=row.first_tried_at,
    )


def _as_link(row: TurnRow) -> Link | None:
    if row.linked_channel_id is None:
        return None
    return Link(channel_id=row.linked_channel_id, message_id=row.message_id)
