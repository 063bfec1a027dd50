"""The record of model calls: what each was, and what it cost; no text."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, literal, select, update

from bot.core.budgets import Amount, Scope
from bot.core.completions import ModelCall
from bot.storage.schema import model_calls, turns

# The answer may be gone by now; what it cost stays.
_INSERT = (
    insert(model_calls)
    .values(turn_id=select(turns.c.id).where(turns.c.id == bindparam("answer_id")).scalar_subquery())
    .returning(model_calls.c.id)
)
_ENDED = update(model_calls).where(model_calls.c.id == bindparam("record_id"))
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
_IDS = {
    Scope.PERSON: model_calls.c.author_id,
    Scope.CHANNEL: model_calls.c.channel_id,
    Scope.SERVER: model_calls.c.guild_id,
    Scope.TOTAL: literal(0),
}


def record(connection: Connection, call: ModelCall) -> int:
    """Append it, or let what was begun be ended; its row's id."""
    values = _values(call)
    if call.record_id is None:
        row: int = connection.execute(_INSERT, values).scalar_one()
        return row
    connection.execute(_ENDED, {"record_id": call.record_id} | {name: values[name] for name in _AT_THE_END})
    return call.record_id


def counted(connection: Connection, scope: Scope, *, since: datetime) -> dict[int, Amount]:
    """What budgets count since then, or what was used where there were none, by id; 0 for all together."""
    calls, id_ = model_calls.c, _IDS[scope]
    tokens = func.coalesce(
        calls.counted_tokens, func.coalesce(calls.input_tokens, 0) + func.coalesce(calls.output_tokens, 0)
    )
    nanodollars = func.coalesce(calls.counted_nanodollars, calls.cost_nanodollars, 0)
    sums = select(id_, func.sum(tokens), func.sum(nanodollars)).where(calls.started_at >= since)
    grouped = sums if scope is Scope.TOTAL else sums.where(id_.is_not(None)).group_by(id_)
    return {
        row[0]: Amount(tokens=int(row[1] or 0), nanodollars=int(row[2] or 0))
        for row in connection.execute(grouped)
    }


def _values(call: ModelCall) -> dict[str, Any]:
    values = asdict(call)
    values |= values.pop("usage") | values.pop("past")
    del values["record_id"]
    return values
