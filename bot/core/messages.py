"""The values that travel between the rooms: frozen, named in the words of the field."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from bot.core.quotes import Link, Quote

DISCORD_EPOCH_MS = 1_420_070_400_000
LARGEST_ID = 2**63 - 1  # that a database holds: positions and the numbers of rows stay far below


def snowflake_time(snowflake: int) -> datetime:
    """When Discord made this id (Discord reference, "Snowflakes"), in UTC."""
    return datetime.fromtimestamp(((snowflake >> 22) + DISCORD_EPOCH_MS) / 1000, tz=UTC)


def snowflake_at(moment: datetime) -> int:
    """The lowest id that Discord can make at that moment."""
    return max(0, int(moment.timestamp() * 1000) - DISCORD_EPOCH_MS) << 22


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Kind(StrEnum):
    """What a turn is. Its role follows from this alone, never from text or names."""

    MESSAGE = "message"  # a person's Discord message
    SLASH = "slash"  # a person's /chat
    QUOTE = "quote"  # a message that somebody's question brought along
    ANSWER = "answer"  # what the model said
    NOTICE = "notice"  # a plain sentence of our own in an answer's place: never history

    @property
    def role(self) -> Role:
        return Role.ASSISTANT if self in (Kind.ANSWER, Kind.NOTICE) else Role.USER


class TurnState(StrEnum):
    WAITING = "waiting"  # question: stored, not taken up
    ANSWERING = "answering"  # question: taken up, its answer does not stand yet
    ANSWERED = "answered"  # question: its answer, or a notice that answers it, stands
    FAILED = "failed"  # question: it has no answer, and mostly a sentence that says why; not history
    DRAFTING = "drafting"  # answer: being generated; what is visible of it is a draft
    WRITTEN = "written"  # answer: its text is stored and on its way to the channel
    STANDING = "standing"  # answer: every part has its wanted text
    UNDELIVERABLE = "undeliverable"  # answer: Discord will not take it; not history
    WITHDRAWN = "withdrawn"  # deleted, be it with its question, or refused: ids remain, no text


class PartState(StrEnum):
    PENDING = "pending"  # its first request goes out, or went out: it may be in the channel
    POSTED = "posted"
    DELETING = "deleting"  # it must go, and is ours to delete
    DELETED = "deleted"


class Outcome(StrEnum):
    """How an answer ended."""

    COMPLETE = "complete"
    CUT_OFF = "cut_off"  # a fault after visible words; what was shown stays
    LENGTH = "length"  # the model reached MAX_ANSWER_TOKENS
    STOPPED = "stopped"  # somebody pressed Stop after visible words; what was shown stays


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversationKey:
    """A channel, thread or DM; or, with *private_to*, what one person and the bot say there unseen."""

    channel_id: int
    private_to: int = 0  # a person's id; 0: everyone in the channel

    def address(self, message_id: int, interaction: "Interaction | None") -> "Address":
        """Where a question of this conversation was asked."""
        return Address(
            channel_id=self.channel_id,
            message_id=message_id,
            interaction=interaction,
            private=bool(self.private_to),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Interaction:
    """What answering a slash command takes. The token is a secret and is good for 15 minutes."""

    id: int
    token: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a question was asked, and so where its answer goes."""

    channel_id: int
    message_id: int
    interaction: Interaction | None
    private: bool = False  # nobody but the asker may see what is said there


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingQuestion:
    """A stored question that nobody has taken up yet."""

    key: ConversationKey
    kind: Kind
    author_id: int
    address: Address


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCommand:
    """A question by /chat that has no answer yet. *shown*: the message in which the answer has begun."""

    question: WaitingQuestion
    shown: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingMessage:
    """A person's message or /chat, as read at the Discord edge.

    *raw_text* is what Discord sent, *text* what the model will read (mentions made names), *note* the one
    sentence that names what could not be read, or None.
    """

    message_id: int  # the message's id, or the interaction's: unique, and the order of turns
    kind: Kind
    key: ConversationKey
    guild_id: int | None
    parent_id: int | None  # of a thread
    author_id: int
    author_name: str
    text: str
    raw_text: str
    note: str | None = None
    reply_to: int | None = None
    quote: Quote | None = None
    links: tuple[Link, ...] = ()
    interaction: Interaction | None = None

    @property
    def address(self) -> Address:
        return self.key.address(self.message_id, self.interaction)


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One stored turn. *label* is the speaker's name as the model reads it, frozen when the turn was stored."""

    id: int
    kind: Kind
    text: str
    position: int | None = None
    author_id: int | None = None
    label: str | None = None
    message_id: int | None = None
    note: str | None = None
    interaction: Interaction | None = None
    link: Link | None = None  # that brought a quote along

    @property
    def role(self) -> Role:
        return self.kind.role

    @property
    def is_unopened(self) -> bool:
        """A link that nobody has followed yet."""
        return self.link is not None and self.author_id is None and self.note is None


class PastTurn(NamedTuple):
    """A stored turn as history: what the model reads of it. A prompt holds hundreds."""

    role: Role
    text: str
    label: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """How many turns are history of a conversation, and the newest of them, oldest first."""

    turns: int = 0
    newest: tuple[PastTurn, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    id: int
    key: ConversationKey
    guild_id: int | None
    labelled: bool  # a second person has spoken: every turn is sent with its speaker's label
    token_rate: float = 1.0  # how many tokens an estimated one turned out to be


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One Discord message of an answer. *message_id* is None until Discord has told it."""

    n: int  # 0 is the first
    channel_id: int
    nonce: str
    text: str
    message_id: int | None = None
    first_tried_at: datetime | None = None  # None: just now


@dataclass(frozen=True, kw_only=True, slots=True)
class SurplusPart:
    """A part that must go from the channel, and did not yet."""

    answer_id: int
    attempt: int  # of the answer, as in the part's nonce
    part: Part
    private: bool  # only its interaction reaches it
    behind: int | None = None  # the message of the part before
    fingerprint: str | None = None  # of its text, if that was erased before its message was known


class Previous(NamedTuple):
    """What an answer was before it is rewritten: its text in the history and in the channel, and how it ended."""

    text: str
    shown: str
    outcome: str
    call_id: int | None = None  # the record of the request that brought the text


NOBODY = 0  # instead of a person's id: they had themselves forgotten


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenUp:
    """A conversation's next turn, taken up: everything that answering it needs."""

    conversation: Conversation
    history: tuple[PastTurn, ...]  # oldest first, whole turns within the token budget
    history_tokens: int  # what they cost together
    questions: tuple[Turn, ...]  # neighbours of one author, oldest first, quotes before what they belong to
    answer_id: int
    attempt: int  # 1 the first time; part of every nonce
    tries: int  # the same, without those that ended because a neighbour was deleted
    parts: tuple[Part, ...] = ()  # what an earlier attempt left in the channel
    written: str | None = None  # the stored text to be shown, if an earlier attempt got that far
    written_kind: Kind = Kind.ANSWER  # what that is
    previous: Previous | None = None  # of an answer that is being rewritten: it stays if that fails
    summary: str | None = None  # of the turns before the window; empty: it has to be made anew
    summarised: int = 0  # turns that it is of
    left_out: int = 0  # turns since the last reset that are in neither
    missed_answer: bool = False  # the answer before could not be shown any more, and its asker does not know why
    payer_id: int | None = None  # who has it written anew, if not whoever asked, or NOBODY

    @property
    def question(self) -> Turn:
        """The newest question: the one that the answer replies to."""
        return self.questions[-1]

    @property
    def payer(self) -> int | None:
        """On whose budget its requests go; None: on nobody's own."""
        return self.question.author_id if self.payer_id is None else self.payer_id or None

    @property
    def address(self) -> Address:
        question = self.question
        return self.conversation.key.address(question.message_id or 0, question.interaction)


class Reopened(StrEnum):
    """What came of asking for an answer to be rewritten."""

    YES = "yes"
    NOT_THEIRS = "not theirs"  # somebody else asked, and this is no moderator
    UNDER_WAY = "under way"  # it is being written already
    NOT_LAST = "not last"  # the conversation went on since
    QUESTION_DELETED = "question deleted"  # and with it the answer, which the channel may still show
    GONE = "gone"  # question or answer is not there any more, or there was no answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Press:
    """Somebody pressed a button below an answer to this question."""

    id: int  # the interaction's
    question_id: int  # the message's, or the interaction's
    person: int
    moderates: bool  # they may manage messages there
    key: ConversationKey
    guild_id: int | None = None

    def may_concern(self, asker: int | None) -> bool:
        """Whether this person may decide about an answer to *asker*."""
        return self.person == asker or self.moderates


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """*stored* is False for a message that was stored before: there is nothing to do."""

    stored: bool
    taken_up: TakenUp | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A message's new wording, and what it links to by then."""

    message_id: int
    text: str
    raw_text: str
    note: str | None
    edited_at: datetime
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredMessage:
    """One of a channel's messages that is a stored turn, or a part of one."""

    message_id: int
    edited_at: datetime | None = None
    nonce: str | None = None  # of a part


@dataclass(frozen=True, kw_only=True, slots=True)
class Erased:
    """What a deletion reached.

    *answers*: ids of unfinished answers that must stop and go; *beside*: of others in the same conversations that
    have no text yet, and whose prompts may hold what is gone.
    """

    turns: int
    answers: tuple[int, ...] = ()
    beside: tuple[int, ...] = ()
