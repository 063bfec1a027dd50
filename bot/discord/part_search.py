"""What became of a part whose request nobody saw the end of: it is looked for among our own messages.

Discord knows a nonce again for some minutes at most, and not at all after that.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.core.fingerprints import CHARACTERS, bears
from bot.core.messages import Part, SurplusPart
from bot.discord.nonce import nonce
from bot.discord.outbound import MESSAGES_IN_A_PAGE, Outbox

NONCE_SECONDS = 120.0  # how long a nonce surely finds its message: Discord says "a few minutes"
MOST_PAGES = 5

PLACEHOLDER = "…"  # what a part says that is posted only so that its nonce finds it

_Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """*certain*: all was seen in which the part could be; without *message_id*, it is not there then."""

    message_id: int | None
    certain: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A channel's messages, oldest first, and whether that is all that were to be read."""

    messages: list[_Json]
    complete: bool

    def sought(self, matches: Iterator[int]) -> Sought:
        found = next(matches, None)
        return Sought(message_id=found, certain=self.complete or found is not None)


class PartSearch:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def can_look(self, channel_id: int) -> bool:
        """Where it can't, Discord says that there is nothing."""
        return self._outbox.may_read_history(channel_id)

    async def look_for(
        self, part: Part, *, question_ids: Collection[int], behind: int, known: Collection[int]
    ) -> Sought:
        """Look behind the message *behind*: the first question, or the part before.

        *known* are the messages there that are something else already. Raises BotError.
        """
        if not self.can_look(part.channel_id):
            return Sought(message_id=None, certain=False)
        seen = await self.read(part.channel_id, behind=behind)
        return seen.sought(_matches(part, self._ours(seen, known), seen, question_ids))

    async def read(self, channel_id: int, *, behind: int) -> Seen:
        messages: list[_Json] = []
        for _ in range(MOST_PAGES):
            page = await self._outbox.read_messages(channel_id, after=behind)
            messages += reversed(page)
            if len(page) < MESSAGES_IN_A_PAGE:
                return Seen(messages=messages, complete=True)
            behind = int(page[0]["id"])
        return Seen(messages=messages, complete=False)

    def find_surplus(self, surplus: SurplusPart, seen: Seen, *, known: Collection[int]) -> Sought:
        """A part that must go, in what was read.

        One whose text was erased could be confused with a part that is on its way there: see `posting_in`.
        """
        ours = self._ours(seen, known)
        mine = [message for message in ours if self._is_for(surplus, _replies_to(message))]
        return seen.sought(_surplus_matches(surplus, mine, ours, seen))

    async def ask_by_nonce(self, part: Part) -> int:
        """The nonce of a part that must go finds its message, or posts what is deleted then. Raises BotError."""
        posted = await self._outbox.create(part.channel_id, PLACEHOLDER, nonce=part.nonce, resumed=True)
        return posted.message_id

    def _ours(self, seen: Seen, known: Collection[int]) -> list[_Json]:
        return [
            message
            for message in seen.messages
            if int(message["author"]["id"]) == self._outbox.bot_id and int(message["id"]) not in known
        ]

    def _is_for(self, surplus: SurplusPart, question_id: int | None) -> bool:
        """Only the question of a part gives its nonce."""
        if question_id is None:
            return False
        parts = (("answer", surplus.attempt, surplus.part.n), ("waiting", 0, 0))
        return surplus.part.nonce in (
            nonce(bot_id=self._outbox.bot_id, question_id=question_id, attempt=attempt, n=n, purpose=purpose)
            for purpose, attempt, n in parts
        )


def nonce_holds(part: Part, *, now: datetime) -> bool:
    """Discord still knows the nonce, if there was a request with it."""
    return part.first_tried_at is None or now - part.first_tried_at <= timedelta(seconds=NONCE_SECONDS)


def _matches(part: Part, ours: list[_Json], seen: Seen, question_ids: Collection[int]) -> Iterator[int]:
    """The likeliest first."""
    alike = [message for message in ours if _begins_alike(message["content"], part.text)]
    answers = [message for message in ours if part.n == 0 and _replies_to(message) in question_ids]
    yield from (int(message["id"]) for message in answers if message in alike)
    yield from (int(message["id"]) for message in alike if _replies_to(message) is None)
    yield from (int(message["id"]) for message in answers)
    if part.n > 0:
        yield from _right_below(ours, seen)


def _surplus_matches(surplus: SurplusPart, mine: list[_Json], ours: list[_Json], seen: Seen) -> Iterator[int]:
    """*mine* reply to its question: plain sentences do, too, and its answer."""
    text, kept = surplus.part.text, surplus.fingerprint
    # Alone stands also what was to reply to a question that was deleted just then.
    alone = [message for message in ours if _replies_to(message) is None]
    if text:
        yield from (int(message["id"]) for message in mine + alone if _begins_alike(message["content"], text))
        return
    if kept:
        salt = surplus.part.nonce
        yield from (int(message["id"]) for message in mine + alone if bears(message["content"], kept, salt=salt))
    yield from (int(message["id"]) for message in mine)
    if surplus.behind is not None:
        yield from _right_below(ours, seen)


def _right_below(ours: list[_Json], seen: Seen) -> Iterator[int]:
    """Right below the part before, and nothing else of ours."""
    if seen.messages and seen.messages[0] in ours and _replies_to(seen.messages[0]) is None:
        yield int(seen.messages[0]["id"])


def _replies_to(message: _Json) -> int | None:
    """The question, or the command, that a message replies to."""
    reference = message.get("message_reference") or {}
    interaction = message.get("interaction_metadata") or {}
    question_id = reference.get("message_id") or interaction.get("id")
    return None if question_id is None else int(question_id)


def _begins_alike(shown: str, text: str) -> bool:
    beginning = text.strip()[:CHARACTERS]
    return bool(beginning) and shown.strip().startswith(beginning)
