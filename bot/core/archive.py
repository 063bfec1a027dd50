"""The stored turns as people look back at them: the values, and what that takes of the store."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from bot.core.completions import Past
from bot.core.messages import LARGEST_ID, ConversationKey, Kind, Role, TurnState
from bot.core.tokens import TokenBudget
from bot.core.why import Made
from bot.core.wording import question_shown

TURNS_IN_A_PAGE = 200  # some milliseconds: whoever asks meanwhile waits no longer for the database

Record = Mapping[str, object]  # a row that is a person's own, by what its columns mean


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedTurn:
    """A turn of a conversation. *message_id*: where it is, or begins, in the channel."""

    position: int
    kind: Kind
    state: TurnState
    text: str
    sent_at: datetime
    author_id: int | None = None
    label: str | None = None
    outcome: str | None = None
    edited_at: datetime | None = None
    message_id: int | None = None

    @property
    def role(self) -> Role:
        return self.kind.role

    def as_shown_to(self, reader: int) -> "ArchivedTurn":
        """Others than its author see of a /chat what the message with its answer shows."""
        if self.kind is not Kind.SLASH or self.author_id == reader:
            return self
        return replace(self, text="" if self.message_id is None else question_shown(self.text))


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What the next prompt of a conversation holds before its question."""

    past: Past = field(default_factory=Past)
    tokens: int = 0  # of all that, with the system prompt
    most_tokens: int = 0  # that a prompt may have
    summary: str | None = None  # empty: something of what it was of has changed, and it is made anew


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnTurns:
    """What a person said, newest first, and the answers to that. A message has its row's id as *id*."""

    messages: tuple[Record, ...] = ()
    answers: tuple[Record, ...] = ()


class Archive(Protocol):
    """What looking back needs of the store. As for TurnStore: one transaction each, DatabaseUnavailable."""

    async def turns(self, key: ConversationKey, *, before: int, most: int) -> list[ArchivedTurn]:
        """A conversation's turns below this position, newest first, whatever was reset since.

        Those that wait have no position yet. Without what questions brought along: whoever reads this may be
        somebody who may not read that where it was said.
        """

    async def memory(self, key: ConversationKey, budget: TokenBudget) -> Memory:
        """Of a conversation whose prompts have this budget, but for its rate."""

    async def made(self, message_id: int, *, channel_id: int) -> Made | None:
        """How the answer came about that this message in that channel shows, or a part of it."""

    async def own_turns(self, person: int, *, before: int, most: int) -> OwnTurns:
        """What is stored of a person everywhere, below this row."""

    async def own_calls(self, person: int, *, before: int, most: int) -> list[Record]:
        """What requests to a model for them cost, below this row, newest first."""

    async def own_names(self, person: int) -> list[Record]:
        """The labels that they have in conversations."""

    async def own_summaries(self, person: int) -> list[Record]:
        """What is summarised of their private conversations and their DM; of others, it is everybody's there."""


async def newest_first(archive: Archive, key: ConversationKey) -> AsyncIterator[list[ArchivedTurn]]:
    """All turns of a conversation, in pages. A page takes too long to be looked through in the event loop."""
    before = LARGEST_ID
    while True:
        page = await archive.turns(key, before=before, most=TURNS_IN_A_PAGE)
        yield page
        if len(page) < TURNS_IN_A_PAGE:
            return
        before = page[-1].position
