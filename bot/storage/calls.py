"""The record of model calls: what each was, what it cost, and which answer it brought; no text."""

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, exists, func, literal, null, select

from bot.core.budgets import Amount, Scope
from bot.core.completions import ModelCall, Past, Usage
from bot.core.errors import DatabaseUnavailable
from bot.core.messages import NOBODY, Kind, PartState, Role, TurnState
from bot.core.spending import BEGUN
from bot.core.token_bounds import Report
from bot.core.why import Made
from bot.storage.columns import Number
from bot.storage.schema import conversations, model_calls, parts, turns
from bot.storage.upsert import inserts

ROWS_LOOKED_THROUGH = 1_000  # for what models reported last

# The answer may be gone by now; what it cost stays.
_FORGOTTEN = exists().where(turns.c.id == bindparam("answer_id"), turns.c.payer_id == NOBODY)
# An end that is there stays, but that of a text which was taken for lost and is stored after all.
_MAY_END_OTHERWISE = (BEGUN, DatabaseUnavailable.code)
# What an end changes. Not whose it was: they may have had themselves forgotten since it began.
_AT_THE_END = (
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "first_token_at",
    "ended_at",
    "outcome",
    "cost_nanodollars",
    "counted_tokens",
    "counted_nanodollars",
)
_RECORD = {
    dialect: statement.values(
        turn_id=select(turns.c.id).where(turns.c.id == bindparam("answer_id")).scalar_subquery(),
        author_id=case((_FORGOTTEN, null()), else_=bindparam("payer", type_=Number)),
    )
    .on_conflict_do_update(
        index_elements=[model_calls.c.request_id],
        set_={name: statement.excluded[name] for name in _AT_THE_END}
        | {"turn_id": func.coalesce(model_calls.c.turn_id, statement.excluded.turn_id)},  # late ones name none
        where=model_calls.c.outcome.in_(_MAY_END_OTHERWISE),
    )
    .returning(model_calls.c.id)
    for dialect, statement in inserts(model_calls).items()
}
_REPORTS = (
    select(
        model_calls.c.model,
        model_calls.c.purpose,
        model_calls.c.turns_sent,
        model_calls.c.turns_summarised,
        model_calls.c.turns_left_out,
        model_calls.c.estimated_tokens,
        model_calls.c.input_tokens,
        model_calls.c.cached_tokens,
    )
    .where(
        model_calls.c.id > select(func.max(model_calls.c.id)).scalar_subquery() - bindparam("rows", type_=Number),
        model_calls.c.input_tokens > 0,
        model_calls.c.estimated_tokens > 0,
    )
    .order_by(model_calls.c.id)
)
_ROW = select(model_calls.c.id).where(model_calls.c.request_id == bindparam("request"))
_asked = turns.alias()
# Whoever asked it: neighbours that are answered together are of one author.
_ASKER = (
    select(_asked.c.author_id)
    .where(_asked.c.answered_by == turns.c.id, _asked.c.kind != Kind.QUOTE)
    .limit(1)
    .scalar_subquery()
)
_MADE = (
    select(
        turns.c.kind,
        turns.c.state,
        turns.c.outcome.label("ended"),
        conversations.c.private_to,
        _ASKER.label("asker"),
        model_calls,
    )
    .select_from(parts)
    .join(turns, parts.c.turn_id == turns.c.id)
    .join(conversations, turns.c.conversation_id == conversations.c.id)
    .outerjoin(model_calls, model_calls.c.id == turns.c.call_id)
    .where(
        parts.c.message_id == bindparam("message_id"),
        parts.c.channel_id == bindparam("channel_id"),
        parts.c.state == PartState.POSTED,
        turns.c.role == Role.ASSISTANT,  # a question has parts, too: notices for one who waits
    )
)
counts_at = func.coalesce(model_calls.c.reserved_at, model_calls.c.started_at)
_IDS = {
    Scope.PERSON: model_calls.c.author_id,
    Scope.CHANNEL: model_calls.c.channel_id,
    Scope.SERVER: model_calls.c.guild_id,
    Scope.TOTAL: literal(0),
}


def record(connection: Connection, call: ModelCall) -> int:
    """Append it, or let what was begun be ended; its row's id."""
    row: int | None = connection.execute(_RECORD[connection.dialect.name], _values(call)).scalar_one_or_none()
    return connection.execute(_ROW, {"request": call.request_id}).scalar_one() if row is None else row


def counts_since(moment: datetime) -> ColumnElement[bool]:
    """Whether a request counts to the day, month or more that began then."""
    started = model_calls.c.started_at >= moment  # what was reserved then started later: the index finds these
    return and_(started, counts_at >= moment)


def counted(connection: Connection, scope: Scope, *, since: datetime) -> dict[int, Amount]:
    """What budgets count since then, or what was used where there were none, by id; 0 for all together."""
    calls, id_ = model_calls.c, _IDS[scope]
    tokens = func.coalesce(
        calls.counted_tokens, func.coalesce(calls.input_tokens, 0) + func.coalesce(calls.output_tokens, 0)
    )
    nanodollars = func.coalesce(calls.counted_nanodollars, calls.cost_nanodollars, 0)
    sums = select(id_, func.sum(tokens), func.sum(nanodollars)).where(counts_since(since))
    grouped = sums if scope is Scope.TOTAL else sums.where(id_.is_not(None)).group_by(id_)
    return {
        row[0]: Amount(tokens=int(row[1] or 0), nanodollars=int(row[2] or 0))
        for row in connection.execute(grouped)
    }


def reports(connection: Connection) -> list[Report]:
    """Of the last requests of which the provider counted the prompt, the newest last."""
    return [
        Report(
            model=row.model,
            purpose=row.purpose,
            past=Past(
                turns_sent=row.turns_sent,
                turns_summarised=row.turns_summarised,
                turns_left_out=row.turns_left_out,
            ),
            estimated=row.estimated_tokens,
            counted=row.input_tokens or 0,
        )
        for row in connection.execute(_REPORTS, {"rows": ROWS_LOOKED_THROUGH})
    ]


def made(connection: Connection, message_id: int, *, channel_id: int) -> Made | None:
    """How the answer came about that this message shows a part of."""
    where = {"message_id": message_id, "channel_id": channel_id}
    row = connection.execute(_MADE, where).one_or_none()
    if row is None:
        return None
    return Made(
        asker=row.asker,
        private_to=row.private_to,
        kind=Kind(row.kind),
        state=TurnState(row.state),
        outcome=row.ended,
        call=None if row.id is None else _call(row),
    )


def _call(row: Row[*tuple[Any, ...]]) -> ModelCall:
    known = row._asdict()
    known["answer_id"] = row.turn_id
    for name, kind in (("usage", Usage), ("past", Past)):
        known[name] = kind(**{each.name: known[each.name] for each in fields(kind)})
    return ModelCall(**{each.name: known[each.name] for each in fields(ModelCall)})


def _values(call: ModelCall) -> dict[str, Any]:
    values = asdict(call)
    values |= values.pop("usage") | values.pop("past")
    values["payer"] = values.pop("author_id")
    return values
