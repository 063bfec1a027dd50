"""A conversation as Markdown or JSON, and what is stored of a person as JSON: the newest that fit into a file."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from bot.core.archive import TURNS_IN_A_PAGE, Archive, ArchivedTurn, OwnTurns, Record, newest_first
from bot.core.messages import LARGEST_ID, ConversationKey, Outcome, Role, TurnState
from bot.core.wording import counted

MOST_BYTES = 10 * 2**20  # in memory at a time, whatever larger file Discord would take
HEAD_BYTES = 2_048  # more than what is around the entries
BETWEEN_BYTES = 2  # two of them

_PLAIN = (TurnState.ANSWERED, TurnState.STANDING, Outcome.COMPLETE, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Title:
    """What an exported conversation is called by, and its bot."""

    place: str
    bot: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """*count*: how many turns or records are in it. Not *complete*: the newest that fitted."""

    name: str
    text: str
    count: int
    complete: bool


class _Room:
    """How many bytes are left; the first entry that does not fit ends it."""

    def __init__(self, most_bytes: int) -> None:
        self._left = min(most_bytes, MOST_BYTES) - HEAD_BYTES

    @property
    def over(self) -> bool:
        return self._left < 0

    def takes(self, entry: str) -> bool:
        self._left -= len(entry.encode(errors="replace")) + BETWEEN_BYTES
        return not self.over


async def export_conversation(
    archive: Archive, key: ConversationKey, title: Title, *, reader: int, as_json: bool, most_bytes: int
) -> Export:
    """Its turns in their order, as *reader* may see them, without what questions brought along."""
    entry: Callable[[ArchivedTurn, Title], str] = _as_json if as_json else _as_markdown
    entries, room = list[str](), _Room(most_bytes)

    def take(page: list[ArchivedTurn]) -> None:
        for turn in page:
            if turn.state is TurnState.WRITTEN or (turn.role is Role.ASSISTANT and not turn.text):
                continue  # it is being written, or on its way: nobody knows yet that Discord takes it
            if not room.takes(text := entry(turn.as_shown_to(reader), title)):
                return
            entries.append(text)

    async for page in newest_first(archive, key):
        await asyncio.to_thread(take, page)
        if room.over:
            break
    return await asyncio.to_thread(_conversation, entries[::-1], title, as_json=as_json, complete=not room.over)


def _conversation(entries: list[str], title: Title, *, as_json: bool, complete: bool) -> Export:
    if as_json:
        head = {"conversation": title.place, "exported_at": _stamp(title.at), "complete": complete}
        text = _json_file(head, {"turns": entries})
    else:
        left_out = "" if complete else " Older ones did not fit into the file."
        text = f"# {title.place}\n\n{counted(len(entries), 'message')}, {_clock(title.at)}.{left_out}\n" + "".join(
            entries
        )
    name = "conversation.json" if as_json else "conversation.md"
    return Export(name=name, text=text, count=len(entries), complete=complete)


async def export_own(archive: Archive, person: int, *, at: datetime, most_bytes: int) -> Export:
    """A person's messages, the answers, what is summarised of these alone, their names, and what it cost."""
    room = _Room(most_bytes)
    names = await asyncio.to_thread(_taken, await archive.own_names(person), room)
    summaries = await asyncio.to_thread(_taken, await archive.own_summaries(person), room)
    messages, answers = await _own_turns(archive, person, room)
    calls = await _own_calls(archive, person, room)
    head = {"person": str(person), "exported_at": _stamp(at), "complete": not room.over}
    lists = {
        "messages": messages,
        "answers": answers,
        "names": names,
        "summaries": summaries,
        "model_calls": calls,
    }
    return Export(
        name="my-data.json",
        text=await asyncio.to_thread(_json_file, head, lists),
        count=sum(map(len, lists.values())),
        complete=not room.over,
    )


async def _own_turns(archive: Archive, person: int, room: _Room) -> tuple[list[str], list[str]]:
    messages, answers, before = list[str](), dict[object, str](), LARGEST_ID

    def take(page: OwnTurns) -> None:
        to_them = {answer["id"]: answer for answer in page.answers}
        for message in page.messages:
            if room.takes(entry := _dump(message)):
                messages.append(entry)
            answer = to_them.get(message["answered_by"])
            if answer and answer["id"] not in answers and room.takes(entry := _dump(answer)):
                answers[answer["id"]] = entry

    while True:
        page = await archive.own_turns(person, before=before, most=TURNS_IN_A_PAGE)
        await asyncio.to_thread(take, page)
        if room.over or len(page.messages) < TURNS_IN_A_PAGE:
            return messages, [*answers.values()]
        before = _id(page.messages[-1])


async def _own_calls(archive: Archive, person: int, room: _Room) -> list[str]:
    calls, before = list[str](), LARGEST_ID
    while not room.over:
        page = await archive.own_calls(person, before=before, most=TURNS_IN_A_PAGE)
        calls += await asyncio.to_thread(_taken, page, room)
        if len(page) < TURNS_IN_A_PAGE:
            break
        before = _id(page[-1])
    return calls


def _taken(records: Iterable[Record], room: _Room) -> list[str]:
    return [entry for record in records if room.takes(entry := _dump(record))]


def _id(record: Record) -> int:
    return int(str(record["id"]))


def _as_markdown(turn: ArchivedTurn, title: Title) -> str:
    """Everything that was said stands behind a `>`: no line of it can pass for a speaker's.

    Nor can a person pass for the bot: no label has a colon.
    """
    speaker = _speaker(turn, title)
    who = f"Bot: {speaker}" if turn.role is Role.ASSISTANT else speaker
    how = "".join(f" · {word}" for word in (turn.state, turn.outcome) if word not in _PLAIN)
    said = "\n".join(f"> {line}".rstrip() for line in _said(turn, nothing="(no words)").splitlines())
    return f"\n**{who}** · {_clock(turn.sent_at)}{how}\n\n{said}\n"


def _as_json(turn: ArchivedTurn, title: Title) -> str:
    return _dump(
        {
            "sent_at": turn.sent_at,
            "speaker": _speaker(turn, title),
            "author_id": turn.author_id,
            "kind": turn.kind,
            "state": turn.state,
            "outcome": turn.outcome,
            "edited_at": turn.edited_at,
            "message_id": turn.message_id,
            "text": _said(turn),
        }
    )


def _said(turn: ArchivedTurn, *, nothing: str = "") -> str:
    """What a server's filters refused was never seen, and is not to be."""
    return (turn.text if turn.state is not TurnState.UNDELIVERABLE else "") or nothing


def _speaker(turn: ArchivedTurn, title: Title) -> str:
    return title.bot if turn.role is Role.ASSISTANT else turn.label or "Someone"


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _json_file(head: Record, lists: dict[str, list[str]]) -> str:
    """One entry a line."""
    return "".join(_pieces(head, lists))


def _pieces(head: Record, lists: dict[str, list[str]]) -> Iterator[str]:
    yield _dump(head).removesuffix("}")
    for name, entries in lists.items():
        yield f',\n"{name}": [\n'
        yield ",\n".join(entries)
        yield "\n]"
    yield "\n}\n"


def _dump(record: Record) -> str:
    """Discord's ids are too long for the numbers of many JSON readers, so they are written as words."""
    return json.dumps({name: _value(name, value) for name, value in record.items()}, ensure_ascii=False)


def _value(name: str, value: object) -> object:
    if isinstance(value, datetime):
        return _stamp(value)
    if name.endswith("_ids") and isinstance(value, list):
        return [str(each) for each in value]
    return str(value) if name.endswith("_id") and isinstance(value, int) else value
