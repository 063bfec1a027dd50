"""Takes up the next question together with what answering it needs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Connection, bindparam, exists, insert, or_, select, true, update

from bot.core.errors import TextRefused
from bot.core.messages import (
    ConversationKey,
    IncomingMessage,
    Kind,
    PartState,
    PastTurn,
    Previous,
    Received,
    Role,
    TakenUp,
    Turn,
    TurnState,
)
from bot.core.prompt import turn_tokens
from bot.core.tokens import TokenBudget
from bot.storage import conversations as places
from bot.storage import notices, quotes, receiving
from bot.storage.conversations import Place
from bot.storage.rows import TurnRow, as_part, as_turn
from bot.storage.schema import IS_OPEN, conversations, parts, speakers, turns
from bot.storage.window import read_window

SHARE_OF_NEIGHBOURS = 0.5  # of what there is for turns: those beyond it wait, rather than be refused together
MOST_NEIGHBOURS = 50  # questions taken up together: far more than a budget holds, and a bound for one read


# In the order of the index, so that nothing is sorted. "answering" comes before "waiting".
_OPEN = (
    select(turns, quotes.BRINGS_SOME)
    .where(turns.c.conversation_id == bindparam("conversation_id"), IS_OPEN, turns.c.kind != Kind.QUOTE)
    .order_by(turns.c.state, turns.c.message_id)
    .limit(MOST_NEIGHBOURS)
)
_DRAFT = insert(turns).returning(turns.c.id)
_PLACE = (
    update(turns)
    .where(turns.c.id == bindparam("turn"))
    .values(
        state=TurnState.ANSWERING,
        position=bindparam("place"),
        answered_by=bindparam("answer"),
        attempts=bindparam("attempt"),
        restarts=bindparam("restarted"),
    )
)
_ANSWER_BEFORE = (
    select(turns.c.state, turns.c.outcome)
    .where(
        turns.c.conversation_id == bindparam("conversation_id"),
        turns.c.position >= bindparam("since"),
        turns.c.position < bindparam("before"),
    )
    .order_by(turns.c.position.desc())
    .limit(1)
)
_SOMEBODY_ELSE_SPOKE = exists(
    select(speakers.c.author_id).where(
        speakers.c.conversation_id == conversations.c.id,
        speakers.c.author_id != bindparam("author"),
        exists(
            select(turns.c.id)
            .where(
                turns.c.author_id == speakers.c.author_id,
                turns.c.conversation_id == speakers.c.conversation_id,
                turns.c.position >= conversations.c.reset_position,
            )
            # From two levels below, SQLAlchemy would take all conversations there are.
            .correlate(conversations, speakers)
        ),
    )
)
_ADVANCE = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation"))
    .values(
        next_position=bindparam("next"),
        labelled=or_(conversations.c.labelled, bindparam("several") == true(), _SOMEBODY_ELSE_SPOKE),
    )
    .returning(conversations.c.labelled)
)


def receive(connection: Connection, message: IncomingMessage, *, budget: TokenBudget, now: datetime) -> Received:
    """Store the question and take up what is next. Raises AlreadyStored."""
    place, question_id = receiving.store(connection, message, now=now)
    taken = _take_up(connection, place, budget=budget, now=now, just_stored=question_id)
    return Received(stored=True, taken_up=taken)


def take_up(connection: Connection, key: ConversationKey, *, budget: TokenBudget, now: datetime) -> TakenUp | None:
    place = places.find(connection, key)
    return _take_up(connection, place, budget=budget, now=now) if place else None


def _take_up(
    connection: Connection, place: Place, *, budget: TokenBudget, now: datetime, just_stored: int | None = None
) -> TakenUp | None:
    rows = connection.execute(_OPEN, {"conversation_id": place.conversation.id}).all()
    if not rows:
        return None
    budget = replace(budget, rate=place.conversation.token_rate)
    if rows[0].state == TurnState.ANSWERING:
        return _take_up_again(connection, place, rows[0].answered_by, budget=budget)

    questions = _neighbours(connection, rows, budget)
    first, after = place.next_position, place.next_position + len(questions)
    attempt = max(row.attempts for row in questions) + 1
    tries = max(row.attempts - row.restarts for row in questions) + 1
    answer_id = _open_answer(connection, place, position=after, attempt=attempt, tries=tries, now=now)
    told = [row.id for row in questions if row.id != just_stored]  # the others may have had a notice
    connection.execute(
        _PLACE,
        [
            {
                "turn": row.id,
                "place": position,
                "answer": answer_id,
                "attempt": attempt,
                "restarted": attempt - tries,
            }
            for position, row in enumerate(questions, first)
        ],
    )
    place = _advance(connection, place, after + 1, questions)
    asked = tuple(as_turn(row, position) for position, row in enumerate(questions, first))
    taken = _with_window(connection, place, asked, budget, answer_id=answer_id, attempt=attempt, tries=tries)
    return replace(taken, parts=notices.hand_over(connection, told, answer_id)) if told else taken


def _neighbours(connection: Connection, rows: Sequence[TurnRow], budget: TokenBudget) -> list[TurnRow]:
    """The first waiting question and those right behind it, as far as one author simply goes on writing.

    Each stands behind the quotes that it brought along. As many as fit into their share, but one at least.
    """
    tokens = int(budget.for_turns * SHARE_OF_NEIGHBOURS)
    first = rows[0]
    alike = [first]
    if first.kind == Kind.MESSAGE:
        alike = list(
            takewhile(
                lambda row: (row.state, row.kind, row.author_id) == (first.state, first.kind, first.author_id),
                rows,
            )
        )
    brought = quotes.brought_by(connection, alike)
    questions: list[TurnRow] = []
    for row in alike:
        with_quotes = [*brought.get(row.id, ()), row]
        tokens -= sum(_tokens(each, budget.most_of_a_quote) for each in with_quotes)
        if questions and tokens < 0:
            break
        questions += with_quotes
    return questions


def _tokens(row: TurnRow, most_of_a_quote: int) -> int:
    tokens = turn_tokens(PastTurn(Role.USER, row.text, row.label), labelled=True)
    return min(tokens, most_of_a_quote) if row.kind == Kind.QUOTE else tokens


def _open_answer(
    connection: Connection, place: Place, *, position: int, attempt: int, tries: int, now: datetime
) -> int:
    values = {
        "conversation_id": place.conversation.id,
        "role": Role.ASSISTANT,
        "kind": Kind.ANSWER,
        "position": position,
        "state": TurnState.DRAFTING,
        "raw_text": "",
        "text": "",
        "sent_at": now,
        "attempts": attempt,
        "restarts": attempt - tries,
    }
    return int(connection.execute(_DRAFT, values).scalar_one())


def _advance(connection: Connection, place: Place, next_position: int, questions: Sequence[TurnRow]) -> Place:
    labelled = connection.execute(
        _ADVANCE,
        {
            "conversation": place.conversation.id,
            "next": next_position,
            "several": len({row.author_id for row in questions}) > 1,
            "author": questions[-1].author_id,
        },
    ).scalar_one()
    return replace(place, conversation=replace(place.conversation, labelled=labelled), next_position=next_position)


def _take_up_again(connection: Connection, place: Place, answer_id: int, *, budget: TokenBudget) -> TakenUp:
    """What a crash or a fault left half done."""
    answer = connection.execute(select(turns).where(turns.c.id == answer_id)).one()
    mine = (turns.c.answered_by == answer_id) & (turns.c.state == TurnState.ANSWERING)
    questions = connection.execute(select(turns).where(mine).order_by(turns.c.position)).all()
    attempt = answer.attempts + 1
    connection.execute(update(turns).where(mine | (turns.c.id == answer_id)).values(attempts=attempt))
    is_its_own = parts.c.n < notices.BEHIND_ALL_PARTS  # the cleanup looks for the others, which reply elsewhere
    left = connection.execute(
        select(parts)
        .where(parts.c.turn_id == answer_id, parts.c.state != PartState.DELETED, is_its_own)
        .order_by(parts.c.n)
    )
    asked = tuple(as_turn(row, row.position) for row in questions)
    tries = attempt - answer.restarts
    return replace(
        _with_window(connection, place, asked, budget, answer_id=answer_id, attempt=attempt, tries=tries),
        parts=tuple(map(as_part, left)),
        written=answer.raw_text if answer.state == TurnState.WRITTEN else None,
        written_kind=Kind(answer.kind),
        # It stood before, if it has a text and is being drafted.
        previous=Previous(answer.text, answer.raw_text, answer.outcome, answer.call_id)
        if answer.raw_text and answer.state == TurnState.DRAFTING
        else None,
        payer_id=answer.payer_id,
    )


def _with_window(
    connection: Connection,
    place: Place,
    asked: tuple[Turn, ...],
    budget: TokenBudget,
    *,
    answer_id: int,
    attempt: int,
    tries: int,
) -> TakenUp:
    """What is *asked*, behind what the prompt holds before it."""
    window = read_window(connection, place, asked, budget)
    return TakenUp(
        conversation=place.conversation,
        history=window.history,
        history_tokens=window.tokens,
        summary=window.summary,
        summarised=window.summarised,
        left_out=window.left_out,
        questions=asked,
        answer_id=answer_id,
        attempt=attempt,
        tries=tries,
        missed_answer=_answer_was_missed(connection, place, before=asked[0].position or 0),
    )


def _answer_was_missed(connection: Connection, place: Place, *, before: int) -> bool:
    """Whether the answer before could not be shown to the one person who could have seen it."""
    if not place.conversation.key.private_to:
        return False  # who is in the channel sees what becomes of answers there
    row = connection.execute(
        _ANSWER_BEFORE,
        {"conversation_id": place.conversation.id, "since": place.reset_position, "before": before},
    ).one_or_none()
    # What filters refused was said to be refused.
    return row is not None and row.state == TurnState.UNDELIVERABLE and row.outcome != TextRefused.code
