"""What the core asks of the world for a turn. Adapters implement these; tests/fakes.py does too.

What is asked beside that has its port where it is used: archive.py, as_told.py, usage.py, spending.py,
costs.py, budget_notices.py, summarising.py, expiry.py.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from bot.core.completions import Delta, Finished, ModelCall, Prompt
from bot.core.messages import (
    Address,
    ConversationKey,
    Edit,
    Erased,
    IncomingMessage,
    OpenCommand,
    Outcome,
    Part,
    Press,
    Previous,
    Received,
    Remembered,
    Reopened,
    StoredMessage,
    SurplusPart,
    TakenUp,
    Turn,
    WaitingQuestion,
)
from bot.core.quotes import Link, Opened
from bot.core.rights import Forgotten, Share
from bot.core.tokens import TokenBudget


class Deadline(Protocol):
    """A time limit under way; see `Clock.deadline`."""

    def move(self, seconds: float) -> None:
        """Let it end *seconds* from now."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    def sleep(self, seconds: float) -> Awaitable[None]: ...

    def deadline(self, seconds: float) -> AbstractAsyncContextManager[Deadline]:
        """As `asyncio.timeout`: raises TimeoutError out of its block when it ends."""


class StoredMessages(Protocol):
    async def stored_since(self, channel_id: int, *, after: int) -> list[StoredMessage]:
        """What is stored of a channel's messages beyond this id, questions and answers."""


class TurnStore(StoredMessages, Protocol):
    """The stored turns. Every method is one transaction, committed when it returns.

    A call is carried out whole or not at all, also when its caller is cancelled meanwhile. Every method raises
    DatabaseUnavailable when the database cannot be reached or written.
    """

    @property
    def busy(self) -> bool:
        """So much waits to be stored or read that questions had better be stored first, and taken up later."""

    async def receive(self, message: IncomingMessage, *, take_up: bool, budget: TokenBudget) -> Received:
        """Store a question, once per message id, and with *take_up* take up the conversation's next one."""

    async def record_refused(self, message: IncomingMessage) -> None:
        """Remember that a question was refused: of it nothing is stored but its ids."""

    async def take_up(self, key: ConversationKey, *, budget: TokenBudget) -> TakenUp | None:
        """Take up the waiting question with the lowest Discord id and its neighbours by the same author.

        Questions that were taken up and never finished come first. Positions are given out here, and the window
        moves if turns and question outgrow *budget*, which is every conversation's but for its rate.
        None: nothing waits.
        """

    async def open_link(self, turn_id: int, opened: Opened) -> Turn | None:
        """Store what a quote's link led to; the quote as it is then. None: it was erased meanwhile."""

    async def unfinished(self) -> list[ConversationKey]:
        """The conversations in which a question waits or was left half answered."""

    async def waiting(self) -> list[WaitingQuestion]:
        """The questions that wait, lowest Discord id first."""

    async def open_commands(self) -> list[OpenCommand]:
        """The questions by /chat that are not answered yet."""

    async def remembered(self, key: ConversationKey, *, newest: int) -> Remembered:
        """How many turns are history of this conversation, and the *newest* of them."""

    async def write_answer(
        self,
        answer_id: int,
        *,
        text: str,
        shown: str,
        outcome: Outcome,
        call: ModelCall,
        token_rate: float | None = None,
    ) -> None:
        """Store the answer and the call it came from: *text* for the history, *shown* for the channel.

        *token_rate* is the conversation's from now on. Raises Withdrawn; the call is recorded all the same.
        """

    async def write_notice(self, answer_id: int, *, shown: str, code: str) -> None:
        """Store a plain sentence in the answer's place; *code* says why. Raises Withdrawn."""

    async def reopen(self, press: Press) -> Reopened:
        """Let the answer to the pressed question be written anew, if it is the last of the conversation there.

        It stays as it is until a new text is written in its place, or `restore` gives up on that. Whoever pressed
        pays, and is kept with it for that until it has ended.
        """

    async def restore(self, answer_id: int, previous: Previous) -> None:
        """An answer was not rewritten: let it stand as it was. Raises Withdrawn."""

    async def stand(self, answer_id: int) -> None:
        """Every part has its wanted text: the answer stands, and its questions are answered (or failed).

        Raises Withdrawn.
        """

    async def undeliverable(self, answer_id: int, *, code: str) -> None:
        """Discord will not take it: neither the answer nor its questions are history."""

    async def count_anew(self, answer_id: int) -> None:
        """That it was taken up so often was no fault of this answer: `TakenUp.tries` begins with 1 again."""

    async def begin_anew(self, answer_id: int) -> None:
        """Let an answer of which there is no text be taken up again, which is no failure. Raises Withdrawn."""

    async def withdraw(self, answer_id: int) -> None:
        """Drop an unfinished answer; those of its questions that still exist wait again.

        Its parts that are still there are surplus.
        """

    async def forget_withdrawn(self, answer_ids: Collection[int]) -> None:
        """Let go of those of these that are withdrawn, and of which nothing is in a channel."""

    async def add_notice(self, question_id: int, *, part: Part) -> bool:
        """Record, before its request, that a waiting question gets a notice, by its message id.

        It becomes the answer's first part when the question is taken up. False: it waits no longer, or has one.
        """

    async def notice_posted(self, nonce: str, *, message_id: int) -> None:
        """Record the Discord message that a notice became, be it the answer's by now."""

    async def drop_notice(self, nonce: str) -> bool:
        """A notice was never posted, and is not going to be. False: it is the answer's first part by now."""

    async def add_part(self, answer_id: int, *, attempt: int, part: Part) -> None:
        """Record, before its first request, that a part is about to be posted. Raises Withdrawn."""

    async def part_refused(self, answer_id: int, *, n: int) -> None:
        """Record that a part is not in the channel: its first request was refused."""

    async def part_posted(self, answer_id: int, *, n: int, message_id: int) -> None:
        """Record the Discord message that a part became."""

    async def part_deleting(self, answer_id: int, *, n: int) -> None:
        """Record, before the request, that a part is to be deleted: nobody else does it then."""

    async def part_deleted(self, answer_id: int, *, n: int) -> None:
        """Record that a part is gone."""

    async def surplus(self) -> list[SurplusPart]:
        """The parts that are to be deleted, and those of withdrawn answers that are still there."""

    async def posting_in(self, channel_id: int) -> bool:
        """Whether a part that is to stay may be in that channel already, and its message is not known yet."""

    async def edit(self, edit: Edit) -> tuple[int, ...]:
        """Replace a question's text, note and links, and the text where it is quoted, if it is stored.

        The answers without text in the conversations where that changed something.
        """

    async def erase_messages(self, message_ids: Sequence[int]) -> Erased:
        """Erase the turns that these Discord messages are, and the answers to erased questions."""

    async def erase_channel(self, channel_id: int) -> Erased:
        """Erase a channel's or thread's conversations, and those of the threads below it."""

    async def erase_guild(self, guild_id: int) -> Erased: ...

    async def share_of(self, user_id: int, *, channel_id: int | None = None) -> Share:
        """What is stored of a person, in one channel or everywhere."""

    async def forget_user(self, user_id: int, *, channel_id: int | None = None) -> Forgotten:
        """Erase a person's turns, the answers to them, and their id on model calls, in one channel or everywhere.

        A call for an answer under way that is recorded later is recorded without them, too.
        """

    async def reset(self, key: ConversationKey) -> None:
        """Start the conversation anew: nothing said so far is history any more."""

    async def read_fact(self, name: str) -> str | None:
        """One of the program's own facts, such as the hash of the registered commands."""

    async def write_fact(self, name: str, value: str) -> None: ...


class MissedStore(StoredMessages, Protocol):
    """What catching up needs of the store. As for TurnStore: one transaction each, DatabaseUnavailable."""

    async def record_missed(self, message: IncomingMessage) -> None:
        """Store a question that came too late to be answered; it is not history."""

    async def withdrawn_since(self, channel_id: int, *, after: int) -> list[int]:
        """The channel's questions beyond this id of which nothing is left but their ids: deleted, or refused."""

    async def quoted_since(self, channel_id: int, *, after: int) -> list[int]:
        """The channel's messages beyond this id that questions brought along, in whichever conversation."""

    async def direct_channels(self, *, after: int) -> list[int]:
        """The DMs in which somebody wrote beyond this id."""

    async def recent_threads(self, *, after: int) -> list[tuple[int, int]]:
        """The threads in which somebody wrote to us beyond this id, by server and id, the newest first."""

    async def read_marks(self) -> dict[int, datetime]:
        """Until when everything was handled, by server; see bot.core.handled."""

    async def write_marks(self, marks: Mapping[int, datetime]) -> None:
        """Let these be the marks, and no others."""


class Missed(Protocol):
    """What was said in a channel while nobody listened comes before what is said now."""

    def is_read(self, channel_id: int) -> bool: ...

    async def read(self, channel_id: int) -> None:
        """Return when it is stored, or cannot be had. Raises DatabaseUnavailable: it can later."""


class ChatModel(Protocol):
    @property
    def name(self) -> str:
        """The model's name, as in the record of model calls."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Finished, None]:
        """Ask once; pieces of text, then Finished as the last item. Raises ModelError; never retries."""


class LinkReader(Protocol):
    async def read(
        self, links: Sequence[Link], *, asker_id: int, key: ConversationKey, guild_id: int | None
    ) -> list[Opened]:
        """What each link leads to, as far as the asker may read it and the bot can, within some seconds."""


class Reply(Protocol):
    """One answer on its way into its channel."""

    @property
    def visible(self) -> bool:
        """Words of this answer are in the channel, or on their way there."""

    @property
    def in_time(self) -> bool:
        """An answer that is begun now can still be shown."""

    def start_typing(self) -> None:
        """Show that an answer is coming, best effort, until the first words."""

    def show(self, text: str) -> None:
        """The answer so far. Returns at once; the channel follows as its limits allow, latest text wins."""

    async def finish(self, shown: str, *, can_be_rewritten: bool) -> None:
        """Bring every part to its wanted text, with a button to rewrite it if it can be.

        Raises Undeliverable, DiscordUnavailable, Withdrawn.
        """

    async def say_instead(self, sentence: str) -> bool:
        """Let this sentence stand where the answer would have, if Discord lets it.

        False: Discord takes nothing now, and may later.
        """

    async def whisper_instead(self, sentence: str) -> bool:
        """Let only the asker read this, and nothing stand where the answer would have. False: there is no way.

        True as well where nobody can say whether it is there: then it is told nowhere else.
        """

    async def discard(self) -> None:
        """Delete what is visible of it. What Discord does not delete now is surplus, and tried again later."""

    async def close(self) -> None:
        """Let go of everything that runs for it. Always called, last."""


class Replies(Protocol):
    def open(self, taken: TakenUp) -> Reply: ...

    async def say_waiting(self, question: WaitingQuestion, sentence: str, *, unless: asyncio.Event) -> None:
        """Say, where the answer will stand, that the question waits; not once *unless* is set. Raises BotError."""

    def clean_up(self) -> None:
        """Parts may be there that must go."""

    async def say(self, address: Address, sentence: str, *, attempt: int = 0) -> bool:
        """Say a plain sentence where a question was asked, beside or instead of an answer. Whether that worked.

        For each *attempt* at its answer, it is said once.
        """
