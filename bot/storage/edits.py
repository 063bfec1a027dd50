"""What was edited in Discord: its stored wording, where it is quoted too, and what a question links to by then."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

from bot.core.messages import Edit, TurnState
from bot.core.quotes import Link
from bot.storage import quotes
from bot.storage.erasure import drafted_in, drop_quotes
from bot.storage.schema import IS_NO_QUOTE, IS_QUOTE, turns
from bot.storage.summaries import drop_covering

_NOT_OPENED = and_(turns.c.linked_channel_id.is_not(None), turns.c.author_id.is_(None))

_Changed = Sequence[Row[tuple[int, int]]]


def edit(connection: Connection, edit: Edit) -> tuple[int, ...] | None:
    """The drafted answers in the conversations where it is replaced.

    None when there is nothing to replace, or a newer wording is stored.
    """
    wording = {"text": edit.text, "raw_text": edit.raw_text}
    question, quote = (
        IS_NO_QUOTE & (turns.c.message_id == edit.message_id),
        IS_QUOTE & (turns.c.message_id == edit.message_id),
    )
    # Each has an index of its own. What a quote's note would say, the question that brought it says.
    asked = _reword(connection, question, wording | {"note": edit.note}, edit.edited_at)
    quoted = _reword(connection, quote & ~_NOT_OPENED, wording, edit.edited_at)
    places = {row.conversation_id for row in (*asked, *quoted)}
    if places:
        drop_covering(connection, question)
        drop_covering(connection, quote)
    for row in asked:
        _follow_links(connection, row.id, row.conversation_id, edit.links)
    # Whether a link's words may be read is decided when it is opened; until then it only counts that they changed.
    connection.execute(update(turns).where(quote, _NOT_OPENED).values(edited_at=edit.edited_at))
    return drafted_in(connection, places) if places else None


def _reword(
    connection: Connection, which: ColumnElement[bool], new: dict[str, Any], edited_at: datetime
) -> _Changed:
    return connection.execute(
        update(turns)
        .where(
            which,
            turns.c.state != TurnState.WITHDRAWN,
            or_(turns.c.edited_at.is_(None), turns.c.edited_at <= edited_at),
            or_(*(turns.c[name].is_distinct_from(value) for name, value in new.items())),
        )
        .values(**new, edited_at=edited_at)
        .returning(turns.c.id, turns.c.conversation_id)
    ).all()


def _follow_links(connection: Connection, question_id: int, conversation_id: int, links: Sequence[Link]) -> None:
    """What the question does not link to any more goes; what it links to instead takes its place, unopened.

    One that was taken up has no place for more than that.
    """
    brought = connection.execute(select(turns).where(turns.c.quoted_by == question_id).order_by(turns.c.id)).all()
    linked, known = {link.message_id for link in links}, {row.message_id for row in brought}
    gone = [row for row in brought if row.linked_channel_id is not None and row.message_id not in linked]
    new = [link for link in links if link.message_id not in known]
    if gone:
        drop_quotes(connection, turns.c.id.in_([row.id for row in gone]))
    question = connection.execute(select(turns).where(turns.c.id == question_id)).one()
    places = [None] * len(new) if question.position is None else [row.position for row in gone]
    as_taken_up = {
        "state": question.state,
        "answered_by": question.answered_by,
        "attempts": question.attempts,
        "restarts": question.restarts,
    }
    for link, position in zip(quotes.out_of_sight(connection, conversation_id, new), places, strict=False):
        row = quotes.unopened(conversation_id, question_id, link)
        connection.execute(insert(turns), row | as_taken_up | {"position": position})
