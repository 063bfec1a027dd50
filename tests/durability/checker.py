"""Judges a run from the loopback Discord's record, what the model was asked, and the database alone.

It shares no code with the bot: what the bot's own code believes is what is in question.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bot.playground.loopback import Channel, LoopbackDiscord, Message
from tests.durability.tables import tables

Row = Mapping[str, Any]

_TURNS = (
    "SELECT t.id, c.channel_id, t.role, t.kind, t.position, t.state, t.message_id, t.answered_by, t.outcome "
    "FROM turns t JOIN conversations c ON c.id = t.conversation_id WHERE c.private_to = 0"
)
_PARTS = "SELECT turn_id, n, channel_id, message_id, state FROM parts"
_CALLS = "SELECT turn_id FROM model_calls WHERE turn_id IS NOT NULL"
_SMALL_PRINT = re.compile(r"(?m)^-# .*$")  # what the bot says below an answer
_UNFINISHED = ("waiting", "answering", "drafting", "written")


@dataclass(frozen=True, kw_only=True)
class Violation:
    invariant: str  # "lost", "doubled", "disorder", "wrong text", "leaked", "ping", "cost", "damage", "unfinished"
    what: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """*answer_to* gives the model's whole answer to a question's text; *canaries* a word of each conversation's.

    *sentences* are plain ones that the bot may say to a question, once, in the place of its answer or before it.
    *forgiven* are questions that nothing needs to answer, since people deleted what did, and messages of the bot
    that need no row.
    """

    discord: LoopbackDiscord
    prompts: Sequence[Mapping[str, Any]]  # the bodies of the requests to the model
    database_url: str
    channels: Sequence[Channel]
    answer_to: Callable[[str], str]
    canaries: Mapping[int, str]
    sentences: Collection[str] = ()
    forgiven: Collection[int] = ()  # ids of messages


async def check(run: Run) -> list[Violation]:
    turns, parts, calls, damage = await tables(run.database_url, _TURNS, _PARTS, _CALLS)
    paid = {row["turn_id"] for row in calls}
    return [
        *(Violation(invariant="damage", what=str(row)) for row in damage),
        *(violation for channel in run.channels for violation in _in_channel(run, channel, turns, parts)),
        *_order(
            turns, {question for channel in run.channels for question in _by_question(_told(run, channel, parts))}
        ),
        *_leaks(run),
        *_pings(run.discord),
        *_cost(turns, paid),
        *(
            Violation(invariant="unfinished", what=f"turn {turn['id']} is {turn['state']}")
            for turn in turns
            if turn["state"] in _UNFINISHED
        ),
    ]


def _in_channel(run: Run, channel: Channel, turns: Sequence[Row], parts: Sequence[Row]) -> Iterator[Violation]:
    standing, told = run.discord.messages(channel), _told(run, channel, parts)
    ours = [message for message in standing if message.author is run.discord.bot_user and message not in told]
    asked = [message for message in standing if message.author is not run.discord.bot_user]
    replies, sentences = _by_question(ours), _by_question(told)
    for question, group in _answered_together(asked, replies, _joined(turns, parts, ours)):
        if len(sentences.get(question.id, [])) > 1:
            yield Violation(invariant="doubled", what=f"{channel.name}: {question.content!r} is told of twice")
        if not group and question.id in sentences:
            continue
        if not group and question.id not in run.forgiven:
            yield Violation(invariant="lost", what=f"{channel.name}: nothing answers {question.content!r}")
        if len(group) > 1:
            yield Violation(invariant="doubled", what=f"{channel.name}: {len(group)} answer {question.content!r}")
    yield from _messages_and_rows(run, channel, ours, turns, parts)
    yield from _texts(run, channel, ours, asked, turns, parts)


def _told(run: Run, channel: Channel, parts: Sequence[Row]) -> list[Message]:
    """The plain sentences of ours, which no row knows."""
    rows = {part["message_id"] for part in parts}
    return [
        message
        for message in run.discord.messages(channel)
        if message.author is run.discord.bot_user and message.content in run.sentences and message.id not in rows
    ]


def _by_question(messages: Sequence[Message]) -> Mapping[int, list[Message]]:
    replies: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        if message.reference is not None:
            replies[message.reference.message_id].append(message)
    return replies


def _answered_together(
    asked: Sequence[Message], replies: Mapping[int, list[Message]], joined: Mapping[int, list[Message]]
) -> Iterator[tuple[Message, list[Message]]]:
    """Each question with the messages that reply to it, or begin the answer to it and its neighbours."""
    for question in asked:
        yield question, replies.get(question.id) or joined.get(question.id, [])


def _joined(turns: Sequence[Row], parts: Sequence[Row], ours: Sequence[Message]) -> Mapping[int, list[Message]]:
    """The message that begins the answer to each question, as the rows have it; it need not reply to that one."""
    there = {message.id: message for message in ours}
    begin = {part["turn_id"]: part["message_id"] for part in parts if part["n"] == 0 and part["state"] == "posted"}
    return {
        turn["message_id"]: [there[begin[turn["answered_by"]]]]
        for turn in turns
        if turn["role"] == "user" and begin.get(turn["answered_by"]) in there
    }


def _messages_and_rows(
    run: Run, channel: Channel, ours: Sequence[Message], turns: Sequence[Row], parts: Sequence[Row]
) -> Iterator[Violation]:
    known = {part["message_id"]: part for part in parts if part["message_id"] is not None}
    for message in ours:
        if message.id not in known and message.id not in run.forgiven:
            yield Violation(invariant="doubled", what=f"{channel.name}: no row for {message.content[:40]!r}")
        if message.id in known and known[message.id]["state"] != "posted":
            yield Violation(invariant="unfinished", what=f"{channel.name}: {message.content[:40]!r} was to go")
    there = {message.id for message in ours}
    standing = {turn["id"] for turn in turns if turn["state"] == "standing"}
    for part in parts:
        is_here = part["turn_id"] in standing and part["channel_id"] == channel.id and part["state"] == "posted"
        if is_here and part["message_id"] not in there:
            yield Violation(invariant="lost", what=f"{channel.name}: part {part['n']} is not there")


def _texts(
    run: Run,
    channel: Channel,
    ours: Sequence[Message],
    asked: Sequence[Message],
    turns: Sequence[Row],
    parts: Sequence[Row],
) -> Iterator[Violation]:
    shown = {message.id: message.content for message in ours}
    texts = {message.id: message.content for message in asked}
    for turn in turns:
        if turn["channel_id"] != channel.id or turn["kind"] != "answer" or turn["state"] != "standing":
            continue
        mine = sorted((part for part in parts if part["turn_id"] == turn["id"]), key=lambda part: part["n"])
        words = " ".join(shown.get(part["message_id"], "") for part in mine if part["state"] == "posted")
        words = _SMALL_PRINT.sub("", words)
        newest = max(
            (each["message_id"] for each in turns if each["answered_by"] == turn["id"] and each["role"] == "user"),
            default=None,
        )
        said = run.answer_to(texts[newest]) if newest in texts else None
        if said is not None and turn["outcome"] == "complete" and words.split() != said.split():
            yield Violation(invariant="wrong text", what=f"{channel.name}: {words[:60]!r} is not what was said")


def _order(turns: Sequence[Row], told: Collection[int]) -> Iterator[Violation]:
    """Places are given in the order of Discord's ids; who was *told* that nothing was stored comes when it is."""
    channels: dict[int, list[Row]] = defaultdict(list)
    for turn in turns:
        is_question = turn["role"] == "user" and turn["kind"] != "quote"
        if is_question and turn["position"] is not None and turn["message_id"] not in told:
            channels[turn["channel_id"]].append(turn)
    for questions in channels.values():
        questions.sort(key=lambda turn: turn["position"])
        for one, next_ in pairwise(questions):
            if one["message_id"] > next_["message_id"]:
                yield Violation(invariant="disorder", what=f"{next_['message_id']} after {one['message_id']}")


def _leaks(run: Run) -> Iterator[Violation]:
    for prompt in run.prompts:
        text = " ".join(str(message["content"]) for message in prompt["messages"])
        found = {channel for channel, canary in run.canaries.items() if re.search(rf"\b{canary}\b", text)}
        if len(found) > 1:
            yield Violation(invariant="leaked", what=f"one prompt holds words of {len(found)} conversations")


def _pings(discord: LoopbackDiscord) -> Iterator[Violation]:
    for request in discord.requests:
        body = request.body if isinstance(request.body, dict) else {}
        if "content" in body and (body.get("allowed_mentions") or {}).get("parse") != []:
            yield Violation(invariant="ping", what=f"{request.method} {request.route} may ping anybody")


def _cost(turns: Sequence[Row], paid: set[int]) -> Iterator[Violation]:
    for turn in turns:
        if turn["kind"] == "answer" and turn["state"] == "standing" and turn["id"] not in paid:
            yield Violation(invariant="cost", what=f"nobody knows what answer {turn['id']} cost")
