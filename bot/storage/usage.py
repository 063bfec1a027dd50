"""What was used of the models, summed up by the database."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, null, or_, select

from bot.core.completions import Purpose
from bot.core.messages import Outcome
from bot.core.spending import CALLED_OFF
from bot.core.usage import SUMMARIES, By, Used
from bot.storage.calls import counts_at, counts_since
from bot.storage.schema import model_calls

_ANSWERS = (Outcome.COMPLETE, Outcome.LENGTH, Outcome.STOPPED)
_IS_ANSWER = and_(
    model_calls.c.purpose == Purpose.ANSWER,
    or_(
        model_calls.c.outcome.in_(_ANSWERS),
        model_calls.c.outcome.startswith(f"{Outcome.CUT_OFF}:", autoescape=True),
    ),
)
_COLUMNS = {
    By.PERSON: case((model_calls.c.purpose == Purpose.SUMMARY, literal(SUMMARIES)), else_=model_calls.c.author_id),
    By.CHANNEL: model_calls.c.channel_id,
    By.SERVER: model_calls.c.guild_id,
    By.MODEL: model_calls.c.model,
}


def usage(
    connection: Connection,
    by: By | None,
    *,
    since: datetime,
    guild_id: int | None = None,
    person: int | None = None,
) -> list[Used]:
    calls = model_calls.c
    of = _of(by, connection.dialect.name)
    sums = select(
        of.label("of"),
        func.count().label("requests"),
        func.count(case((_IS_ANSWER, 1))).label("answers"),
        func.coalesce(func.sum(calls.input_tokens), 0).label("input_tokens"),
        func.coalesce(func.sum(calls.cached_tokens), 0).label("cached_tokens"),
        func.coalesce(func.sum(calls.output_tokens), 0).label("output_tokens"),
        func.sum(calls.cost_nanodollars).label("cost_nanodollars"),
        (func.count() - func.count(calls.cost_nanodollars)).label("unknown"),
    ).where(counts_since(since), calls.outcome != CALLED_OFF)
    if guild_id is not None:
        sums = sums.where(calls.guild_id == guild_id)
    if person is not None:
        sums = sums.where(calls.author_id == person)
    if by is not None:
        sums = sums.group_by(of)
    used = [_used(row) for row in connection.execute(sums).mappings()]
    return sorted(used, key=lambda each: str(each.of)) if by is By.DAY else sorted(used, key=_size, reverse=True)


def _of(by: By | None, dialect: str) -> ColumnElement[Any]:
    if by is None:
        return null()
    if by is not By.DAY:
        return _COLUMNS[by]
    if dialect == "sqlite":  # which keeps moments as text, in UTC
        return func.date(counts_at)
    return func.to_char(func.timezone("UTC", counts_at), "YYYY-MM-DD")


def _used(row: Any) -> Used:
    # PostgreSQL's sums of whole numbers are decimals.
    cost = row["cost_nanodollars"]
    return Used(
        of=row["of"],
        cost_nanodollars=None if cost is None else int(cost),
        **{name: int(row[name]) for name in row if name not in ("of", "cost_nanodollars")},
    )


def _size(used: Used) -> tuple[int, int]:
    return used.cost_nanodollars or 0, used.input_tokens + used.output_tokens
