"""Bots with one law broken each, for the checker to convict."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from bot.core.completions import Finished, FinishReason, Usage
from bot.core.errors import ModelError
from bot.core.intake import Intake
from bot.discord import answer_parts, outbound, payloads, replies, responses
from bot.discord.missed_ranges import MissedRanges
from bot.discord.part_search import PartSearch, Sought
from bot.llm.chat_model import OpenAIChatModel
from bot.storage import calls, history, questions
from bot.storage.schema import turns
from bot.storage.sqlite import SqliteFile
from bot.storage.turns import SqlTurnStore


def random_nonce() -> None:
    """A part's nonce is another one at each attempt, and it is not looked for."""
    no_looking()
    post = answer_parts.AnswerParts._post

    async def posted(self: Any, part: Any, content: Any, **how: Any) -> int:
        return await post(self, replace(part, nonce=secrets.token_hex(12)), content, **how)

    answer_parts.AnswerParts._post = posted  # type: ignore[method-assign]


def post_before_store() -> None:
    """A part's row is written once it is known to be posted."""
    pending: dict[tuple[int, int], Any] = {}
    add, posted = SqlTurnStore.add_part, SqlTurnStore.part_posted

    async def later(_self: SqlTurnStore, answer_id: int, *, attempt: int, part: Any) -> None:
        pending[answer_id, part.n] = (attempt, part)

    async def now(self: SqlTurnStore, answer_id: int, *, n: int, message_id: int) -> None:
        if (answer_id, n) in pending:
            attempt, part = pending.pop((answer_id, n))
            await add(self, answer_id, attempt=attempt, part=part)
        await posted(self, answer_id, n=n, message_id=message_id)

    SqlTurnStore.add_part = later  # type: ignore[method-assign]
    SqlTurnStore.part_posted = now  # type: ignore[method-assign]
    answer_parts.nonce = replies.nonce = lambda **_: secrets.token_hex(12)  # type: ignore[assignment]


def no_looking() -> None:
    """A part that may have been posted is not looked for."""

    async def never(_self: PartSearch, *_args: Any, **_kwargs: Any) -> Sought:
        return Sought(message_id=None, certain=True)

    PartSearch.look_for = never  # type: ignore[method-assign]


def history_of_all_channels() -> None:
    """The history is not asked for one conversation alone."""
    history._NEWEST = (
        select(turns.c.kind, turns.c.text, turns.c.label, turns.c.position)
        .where(turns.c.text != "", turns.c.state.in_(["answered", "standing"]))
        .order_by(turns.c.id.desc())
        .limit(history.TURNS_PER_READ)
    )


def no_catch_up() -> None:
    """What was said while the bot was away stays unread."""

    async def nothing(_self: MissedRanges, *_range: Any, **_how: Any) -> None:
        return

    MissedRanges.take = nothing  # type: ignore[method-assign]


def intake_forgets() -> None:
    """The same message told of again is another question."""
    prepare = SqliteFile._prepare

    def prepared(self: SqliteFile) -> None:
        prepare(self)
        with self._engine.begin() as connection:
            connection.exec_driver_sql("DROP INDEX IF EXISTS uq_turns_message_id")

    SqliteFile._prepare = prepared  # type: ignore[method-assign]
    Intake.take = Intake._take  # type: ignore[method-assign]


def newest_first() -> None:
    """Of the questions that wait, the newest is taken up."""
    questions._OPEN = questions._OPEN.order_by(None).order_by(turns.c.state, turns.c.message_id.desc())


def truncated_is_complete() -> None:
    """A stream that ends early is an answer."""
    stream = OpenAIChatModel.stream

    async def trusting(self: OpenAIChatModel, prompt: Any) -> Any:
        try:
            async for item in stream(self, prompt):
                yield item
        except ModelError:
            yield Finished(reason=FinishReason.STOP, usage=Usage())

    OpenAIChatModel.stream = trusting  # type: ignore[method-assign]


def pings_everybody() -> None:
    """Messages go out without `allowed_mentions`."""
    for name in ("new_message", "edited_message"):
        make = getattr(payloads, name)

        def without(*args: Any, make: Callable[..., Any] = make, **how: Any) -> Any:
            body = make(*args, **how)
            body.json.pop("allowed_mentions", None)
            return body

        setattr(outbound, name, without)
        setattr(responses, name, without)


def cost_forgotten() -> None:
    """What a call cost is not recorded with its answer."""
    calls.record = lambda *_args, **_kwargs: None


MUTANTS: dict[str, Callable[[], None]] = {
    "random nonce": random_nonce,
    "post before store": post_before_store,
    "no looking for parts": no_looking,
    "history of all channels": history_of_all_channels,
    "no catch-up": no_catch_up,
    "intake forgets": intake_forgets,
    "newest first": newest_first,
    "truncated is complete": truncated_is_complete,
    "pings everybody": pings_everybody,
    "cost forgotten": cost_forgotten,
}
