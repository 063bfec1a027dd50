"""Erases what was deleted in Discord or is to be forgotten: texts, names, tokens; ids and costs stay."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, or_, select, update

from bot.core.messages import NOBODY, Erased, Kind, PartState, Role, TurnState
from bot.core.rights import Forgotten, Share
from bot.storage.answer_parts import OURS_TO_DELETE, remove_parts
from bot.storage.answers import BLANK, UNFINISHED, ask_again, blank
from bot.storage.conversations import drop_forgotten
from bot.storage.schema import (
    IS_NO_QUOTE,
    IS_OPEN,
    IS_QUOTE,
    conversations,
    model_calls,
    parts,
    speakers,
    turns,
)
from bot.storage.summaries import drop_covering

IDS_PER_STATEMENT = 500  # both databases take some 32,000 parameters, older SQLite 999
DRAFT_DELETED = "draft_deleted"

_TOMBSTONE = BLANK | {
    "author_id": None,
    "label": None,
    "note": None,
    "reply_to_id": None,
    "interaction_id": None,
    "interaction_token": None,
    "interaction_expires_at": None,
    "answered_by": None,
}


@dataclass(kw_only=True, slots=True)
class _Tally:
    turns: int = 0
    answers: set[int] = field(default_factory=set)
    places: set[int] = field(default_factory=set)  # the conversations where they were

    def erased(self, connection: Connection) -> Erased:
        beside = set(drafted_in(connection, self.places)) - self.answers if self.places else set()
        return Erased(turns=self.turns, answers=tuple(sorted(self.answers)), beside=tuple(sorted(beside)))


def drafted_in(connection: Connection, conversation_ids: Collection[int]) -> tuple[int, ...]:
    """The answers of which there is no text yet."""
    mine = turns.c.conversation_id.in_(conversation_ids)
    return tuple(connection.scalars(select(turns.c.id).where(mine, IS_OPEN, turns.c.state == TurnState.DRAFTING)))


def erase_messages(connection: Connection, message_ids: Iterable[int]) -> Erased:
    tally = _Tally()
    for ids in _chunks(set(message_ids)):
        _erase_quotes(connection, and_(IS_QUOTE, turns.c.message_id.in_(ids)), tally)
        questions = connection.scalars(
            select(turns.c.id).where(
                IS_NO_QUOTE, turns.c.message_id.in_(ids), turns.c.state != TurnState.WITHDRAWN
            )
        ).all()
        _erase_questions(connection, questions, tally)
        # A part that we delete ourselves is not the answer being deleted.
        deleted = connection.execute(
            select(parts.c.turn_id, turns.c.role)
            .join(turns, parts.c.turn_id == turns.c.id)
            .where(parts.c.message_id.in_(ids), parts.c.state.not_in(OURS_TO_DELETE))
            .distinct()
        ).all()
        answers = [row.turn_id for row in deleted if row.role == Role.ASSISTANT]
        _erase_deleted_answers(connection, answers, tally)
        # A notice for one who waits: the answer will be a message of its own.
        waiting = [row.turn_id for row in deleted if row.role == Role.USER]
        connection.execute(
            update(parts).where(parts.c.turn_id.in_(waiting)).values(state=PartState.DELETED, text="")
        )
    return tally.erased(connection)


def erase_channel(connection: Connection, channel_id: int) -> Erased:
    tally = _Tally()
    below = or_(conversations.c.channel_id == channel_id, conversations.c.parent_id == channel_id)
    _erase_conversations(connection, below, tally)
    linked = or_(turns.c.linked_channel_id == channel_id, turns.c.linked_parent_id == channel_id)
    _erase_quotes(connection, linked, tally)
    return tally.erased(connection)


def erase_guild(connection: Connection, guild_id: int) -> Erased:
    tally = _Tally()
    _erase_conversations(connection, conversations.c.guild_id == guild_id, tally)
    return tally.erased(connection)


def share_of(connection: Connection, user_id: int, *, channel_id: int | None) -> Share:
    mine, answers = _turns_of(user_id, channel_id), turns.alias()
    to_them = (
        select(func.count(answers.c.id.distinct()))
        .select_from(turns.join(answers, turns.c.answered_by == answers.c.id))
        .where(mine, turns.c.kind != Kind.QUOTE, answers.c.state != TurnState.WITHDRAWN)
    )
    calls = select(func.count()).select_from(model_calls).where(_calls_of(user_id, channel_id))
    return Share(
        messages=connection.execute(select(func.count()).select_from(turns).where(mine)).scalar_one(),
        answers=connection.execute(to_them).scalar_one(),
        records=connection.execute(calls).scalar_one(),
    )


def forget_user(connection: Connection, user_id: int, *, channel_id: int | None) -> Forgotten:
    share, tally = share_of(connection, user_id, channel_id=channel_id), _Tally()
    _name_no_payer(connection, user_id, channel_id=channel_id)
    _erase_quotes(connection, and_(IS_QUOTE, _turns_of(user_id, channel_id)), tally)
    questions = connection.scalars(select(turns.c.id).where(_turns_of(user_id, channel_id))).all()
    for ids in _chunks(questions):
        _erase_questions(connection, ids, tally)
    private, named = conversations.c.private_to == user_id, speakers.c.author_id == user_id
    if channel_id is not None:
        private &= conversations.c.channel_id == channel_id
        named &= speakers.c.conversation_id.in_(_conversations_in(channel_id))
    connection.execute(delete(speakers).where(named))
    drop_forgotten(connection, private)
    connection.execute(update(model_calls).where(_calls_of(user_id, channel_id)).values(author_id=None))
    return Forgotten(share=share, erased=tally.erased(connection))


def _name_no_payer(connection: Connection, user_id: int, *, channel_id: int | None) -> None:
    """Of the answers under way that they pay for: what these cost is recorded later."""
    asked = turns.alias()
    theirs = exists().where(
        asked.c.answered_by == turns.c.id, asked.c.author_id == user_id, asked.c.kind != Kind.QUOTE
    )
    pays = or_(turns.c.payer_id == user_id, turns.c.payer_id.is_(None) & theirs)
    there = IS_OPEN & (turns.c.role == Role.ASSISTANT)
    if channel_id is not None:
        there &= turns.c.conversation_id.in_(_conversations_in(channel_id))
    connection.execute(update(turns).where(there, pays).values(payer_id=NOBODY))


def _turns_of(user_id: int, channel_id: int | None) -> ColumnElement[bool]:
    """A person's turns: in one channel, with what was linked from it into others, or everywhere."""
    mine = turns.c.author_id == user_id
    if channel_id is None:
        return mine
    here = turns.c.conversation_id.in_(_conversations_in(channel_id))
    return mine & or_(here, turns.c.linked_channel_id == channel_id)


def _calls_of(user_id: int, channel_id: int | None) -> ColumnElement[bool]:
    mine = model_calls.c.author_id == user_id
    return mine if channel_id is None else mine & (model_calls.c.channel_id == channel_id)


def _conversations_in(channel_id: int) -> Select[tuple[int]]:
    return select(conversations.c.id).where(conversations.c.channel_id == channel_id)


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(ids)
    while chunk := list(islice(rest, IDS_PER_STATEMENT)):
        yield chunk


def _erase_conversations(connection: Connection, which: ColumnElement[bool], tally: _Tally) -> None:
    ids = select(conversations.c.id).where(which)
    there = turns.c.conversation_id.in_(ids)
    tally.answers |= set(
        connection.scalars(select(turns.c.id).where(there, IS_OPEN, turns.c.state.in_(UNFINISHED)))
    )
    tally.turns += connection.execute(
        select(func.count()).select_from(turns).where(there, turns.c.state != TurnState.WITHDRAWN)
    ).scalar_one()
    connection.execute(delete(conversations).where(which))


def _erase_questions(connection: Connection, ids: Collection[int], tally: _Tally) -> None:
    """Their rows stay as tombstones: a message delivered again must not come back."""
    if not ids:
        return
    rows = connection.execute(
        select(turns.c.conversation_id, turns.c.author_id, turns.c.answered_by).where(turns.c.id.in_(ids))
    ).all()
    _erase_quotes(connection, turns.c.quoted_by.in_(ids), tally)
    drop_covering(connection, turns.c.id.in_(ids))
    connection.execute(update(turns).where(turns.c.id.in_(ids)).values(_TOMBSTONE))
    remove_parts(connection, ids)
    tally.turns += len(rows)
    tally.places |= {row.conversation_id for row in rows}
    _erase_answers(connection, {row.answered_by for row in rows} - {None}, tally)
    drop_silent_speakers(connection, {(row.conversation_id, row.author_id) for row in rows})


def _erase_quotes(connection: Connection, which: ColumnElement[bool], tally: _Tally) -> None:
    places = drop_quotes(connection, which)
    tally.turns += len(places)
    tally.places |= set(places)


def drop_quotes(connection: Connection, which: ColumnElement[bool]) -> list[int]:
    """Of each, the conversation where it was."""
    drop_covering(connection, which)
    quoted = connection.execute(
        delete(turns).where(which).returning(turns.c.conversation_id, turns.c.author_id)
    ).all()
    drop_silent_speakers(connection, {(row.conversation_id, row.author_id) for row in quoted})
    return [row.conversation_id for row in quoted]


def _erase_deleted_answers(connection: Connection, ids: Collection[int], tally: _Tally) -> None:
    """Answers of which somebody deleted a message: their questions are not asked again."""
    if not ids:
        return
    mine = turns.c.answered_by.in_(ids)
    # A /chat question was visible only in the message that is gone.
    slashes = connection.scalars(select(turns.c.id).where(mine, turns.c.kind == Kind.SLASH)).all()
    connection.execute(
        update(turns)
        .where(mine, turns.c.state == TurnState.ANSWERING)
        .values(state=TurnState.FAILED, outcome=DRAFT_DELETED, interaction_token=None)
    )
    _erase_questions(connection, slashes, tally)
    _erase_answers(connection, ids, tally)


def _erase_answers(connection: Connection, ids: Collection[int], tally: _Tally) -> None:
    """Finished answers go. Unfinished ones stay without text, with what finds their drafts in the channel."""
    if not ids:
        return
    states = connection.execute(
        select(turns.c.id, turns.c.conversation_id, turns.c.state).where(
            turns.c.id.in_(ids), turns.c.state != TurnState.WITHDRAWN
        )
    ).all()
    unfinished = [row.id for row in states if row.state in UNFINISHED]
    finished = [row.id for row in states if row.state not in UNFINISHED]
    tally.turns += len(states)
    tally.places |= {row.conversation_id for row in states}
    tally.answers |= set(unfinished)
    if states:
        told = select(parts.c.message_id).where(parts.c.turn_id.in_([row.id for row in states]))
        _erase_quotes(connection, IS_QUOTE & turns.c.message_id.in_(told), tally)
    if finished:
        drop_covering(connection, turns.c.id.in_(finished))
        connection.execute(delete(turns).where(turns.c.id.in_(finished)))
    if unfinished:
        blank(connection, unfinished)
        ask_again(connection, unfinished)


def drop_silent_speakers(connection: Connection, spoke: Iterable[tuple[int, int]]) -> None:
    """Forget the names of those of whom nothing is left in the conversation."""
    for conversation_id, author_id in spoke:
        connection.execute(
            delete(speakers).where(
                speakers.c.conversation_id == conversation_id,
                speakers.c.author_id == author_id,
                ~exists().where(turns.c.author_id == author_id, turns.c.conversation_id == conversation_id),
            )
        )
