"""What became of a part whose request nobody saw the end of: it is looked for among our own messages.

Discord knows a nonce again for some minutes at most, and not at all after that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.core.messages import Part
from bot.discord.outbound import MESSAGES_IN_A_PAGE, Outbox

NONCE_SECONDS = 120.0  # how long a nonce surely finds its message: Discord says "a few minutes"
MOST_PAGES = 5
ALIKE_CHARACTERS = 40  # a part that has grown since its row was written begins as it did


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """*certain*: all was seen in which the part could be; without *message_id*, it is not there then."""

    message_id: int | None
    certain: bool


class PartSearch:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def look_for(self, part: Part, *, question_id: int, behind: int, known: frozenset[int]) -> Sought:
        """Look behind the message *behind*: the question, or the part before.

        *known* are the messages there that are something else already. Raises BotError.
        """
        if not self._outbox.may_read_history(part.channel_id):
            return Sought(message_id=None, certain=False)  # Discord would say that there is nothing
        messages, complete = await self._read(part.channel_id, behind)
        ours = [
            message
            for message in messages
            if int(message["author"]["id"]) == self._outbox.bot_id and int(message["id"]) not in known
        ]
        found = next(_matches(part, ours, messages, question_id), None)
        return Sought(message_id=found, certain=complete or found is not None)

    async def _read(self, channel_id: int, behind: int) -> tuple[list[dict[str, Any]], bool]:
        """The messages behind that one, oldest first, and whether that is all of them."""
        messages: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            page = await self._outbox.read_messages(channel_id, after=behind)
            messages += reversed(page)
            if len(page) < MESSAGES_IN_A_PAGE:
                return messages, True
            behind = int(page[0]["id"])
        return messages, False


def nonce_holds(part: Part, *, now: datetime) -> bool:
    """Discord still knows the nonce, if there was a request with it."""
    return part.first_tried_at is None or now - part.first_tried_at <= timedelta(seconds=NONCE_SECONDS)


def _matches(
    part: Part, ours: list[dict[str, Any]], all_there: list[dict[str, Any]], question_id: int
) -> Iterator[int]:
    """The likeliest first."""
    alike = [message for message in ours if _begins_alike(message["content"], part.text)]
    answers = [message for message in ours if part.n == 0 and _answers(message, question_id)]
    yield from (int(message["id"]) for message in answers if message in alike)
    yield from (int(message["id"]) for message in alike if not _is_a_reply(message))
    yield from (int(message["id"]) for message in answers)
    if part.n > 0 and all_there and all_there[0] in ours and not _is_a_reply(all_there[0]):
        yield int(all_there[0]["id"])  # right below the part before, and nothing else of ours


def _answers(message: dict[str, Any], question_id: int) -> bool:
    reference = message.get("message_reference") or {}
    interaction = message.get("interaction_metadata") or {}
    return str(question_id) in (reference.get("message_id"), interaction.get("id"))


def _is_a_reply(message: dict[str, Any]) -> bool:
    return bool(message.get("message_reference") or message.get("interaction_metadata"))


def _begins_alike(shown: str, text: str) -> bool:
    beginning = text.strip()[:ALIKE_CHARACTERS]
    return bool(beginning) and shown.strip().startswith(beginning)
