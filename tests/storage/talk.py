"""What store tests say and look at."""

import secrets

from sqlalchemy import text

from bot.core.completions import ModelCall, Usage
from bot.core.messages import ConversationKey, Outcome, Part
from bot.core.quotes import Quote
from bot.core.tokens import TokenBudget
from tests.clock import START

TOKENS = 8_000
HERE = ConversationKey(channel_id=10)  # where tests.fakes.message is written


async def take(store, message, *, tokens=TOKENS):
    """Receive a message in an idle channel."""
    received = await store.receive(message, take_up=True, budget=TokenBudget(history_tokens=tokens))
    return received.taken_up


async def wait(store, *messages):
    """Receive messages while the channel is busy."""
    for message in messages:
        await store.receive(message, take_up=False, budget=TokenBudget(history_tokens=TOKENS))


async def next_turn(store, key=HERE, *, tokens=TOKENS):
    return await store.take_up(key, budget=TokenBudget(history_tokens=tokens))


def part(n=0, *, nonce=None, channel=10, text="words"):
    return Part(n=n, channel_id=channel, nonce=nonce or f"nonce-{n}", text=text)


def quote(text, *, id, author=2, name="Bob"):  # noqa: A002 - reads as the message's id
    return Quote(message_id=id, author_id=author, author_name=name, text=text, raw_text=text)


def call(taken, **more):
    fields = {
        "request_id": secrets.token_hex(16),
        "answer_id": taken.answer_id,
        "channel_id": taken.conversation.key.channel_id,
        "guild_id": taken.conversation.guild_id,
        "author_id": taken.question.author_id,
        "purpose": "answer",
        "model": "gpt-test",
        "attempt": 1,
        "reserved_at": None,
        "started_at": START,
        "first_token_at": None,
        "ended_at": START,
        "outcome": "complete",
        "usage": Usage(input_tokens=12, output_tokens=0),
    }
    return ModelCall(**{**fields, **more})


async def write(store, taken, text, *, outcome=Outcome.COMPLETE):
    await store.write_answer(taken.answer_id, text=text, shown=text, outcome=outcome, call=call(taken))


async def answer(store, taken, text, *, posted=None):
    """Bring an answer to its end; *posted*: the Discord messages that it became."""
    for n, message_id in enumerate(posted or []):
        new = part(n, nonce=f"{taken.question.message_id}-{n}", text=text)
        await store.add_part(taken.answer_id, attempt=taken.attempt, part=new)
        await store.part_posted(taken.answer_id, n=n, message_id=message_id)
    await write(store, taken, text)
    await store.stand(taken.answer_id)


async def exchange(store, message, text, *, posted=None):
    """A whole turn."""
    taken = await take(store, message)
    await answer(store, taken, text, posted=posted)
    return taken


async def history(store, probe, *, tokens=TOKENS):
    """The texts that a further question would be answered with."""
    taken = await take(store, probe, tokens=tokens)
    return [turn.text for turn in taken.history]


async def rows(store, sql, **parameters):
    """What the database itself holds."""
    return await store._database.run(lambda connection: connection.execute(text(sql), parameters).all())


async def state_of(store, message_id):
    (row,) = await rows(
        store,
        "SELECT state, outcome FROM turns WHERE message_id = :id AND kind <> 'quote'",
        id=message_id,
    )
    return tuple(row)
