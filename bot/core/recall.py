"""Finds the turns of a conversation that say something, newest first, and cuts out the words around it."""

import asyncio
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from bot.core.archive import Archive, ArchivedTurn, newest_first
from bot.core.folding import find, fold
from bot.core.messages import ConversationKey, Kind, TurnState

MOST_HITS = 10
MOST_TURNS_READ = 50_000  # for one search: some seconds, in pieces of milliseconds
SHARE_BEFORE = 3  # a third of what surrounds a hit comes before it

_JOINER = "\u200d"
_SKIN = ("\U0001f3fb", "\U0001f3fc", "\U0001f3fd", "\U0001f3fe", "\U0001f3ff")
_BLANK = re.compile(r"\s+")
_SAID = (TurnState.ANSWERED, TurnState.STANDING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    turn: ArchivedTurn
    where: slice


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """*more*: there are older ones. *given_up*: there may be, beyond MOST_TURNS_READ."""

    hits: tuple[Hit, ...] = ()
    more: bool = False
    given_up: bool = False


class Snippet(NamedTuple):
    before: str
    hit: str
    after: str


async def recall(archive: Archive, key: ConversationKey, words: str, *, reader: int) -> Found:
    """Where the reader can see that *words* were said: one after the other, in any case, within a word as well."""
    wanted, hits, read = fold(words), list[Hit](), 0
    if not wanted:
        return Found()
    async for page in newest_first(archive, key):
        some = page[: MOST_TURNS_READ - read]
        hits += await asyncio.to_thread(_hits, some, wanted, reader=reader, most=MOST_HITS + 1 - len(hits))
        read += len(page)
        if len(hits) > MOST_HITS:
            return Found(hits=tuple(hits[:MOST_HITS]), more=True)
        if read > MOST_TURNS_READ:
            return Found(hits=tuple(hits), given_up=True)
    return Found(hits=tuple(hits))


def _hits(page: Iterable[ArchivedTurn], wanted: str, *, reader: int, most: int) -> list[Hit]:
    said = (turn for turn in page if turn.kind is not Kind.NOTICE and turn.state in _SAID)
    shown = (turn.as_shown_to(reader) for turn in said)
    found = (Hit(turn=turn, where=where) for turn in shown if (where := find(turn.text, wanted)) is not None)
    return list(islice(found, most))


def snippet(hit: Hit, *, width: int) -> Snippet:
    """The hit and what surrounds it, on one line of at most so many characters; "…" is where it was cut."""
    text, where = hit.turn.text, hit.where
    before, words, after = (
        _BLANK.sub(" ", part) for part in (text[: where.start], text[where], text[where.stop :])
    )
    before, after = before.lstrip(), after.rstrip()
    words = _head(words, width)
    room = width - len(words)
    left = max(room // SHARE_BEFORE, room - len(after))
    before = _tail(before, left)
    return Snippet(before, words, _head(after, room - len(before)))


def _head(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    end = max(0, most - 1)
    while end and _belong_together(text, end):
        end -= 1
    return text[:end].rstrip() + "…" if most else ""


def _tail(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    start = len(text) - max(0, most - 1)
    while start < len(text) and _belong_together(text, start):
        start += 1
    return "…" + text[start:].lstrip() if most else ""


def _belong_together(text: str, at: int) -> bool:
    """The characters before and at *at* are read as one."""
    return _JOINER in text[at - 1 : at + 1] or unicodedata.category(text[at]).startswith("M") or text[at] in _SKIN
