"""The tables, as the newest migration leaves them."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    false,
    literal_column,
    text,
)

from bot.core.messages import PartState
from bot.storage.columns import AnyText, Number, RowId, UtcDateTime, Word

HEAD = "0011"  # the newest revision in migrations/versions; a test holds it
VERSION_TABLE = "confab_version"  # not Alembic's usual name: a shared PostgreSQL may hold another program's

# SQLite uses a partial index only where the query repeats the index's condition word for word.
IS_OPEN = text("state IN ('waiting', 'answering', 'drafting', 'written')")
IS_QUOTE = text("kind = 'quote'")
IS_NO_QUOTE = text("kind <> 'quote'")
IS_LINKED = text("linked_channel_id IS NOT NULL")
IS_IN_LINKED_THREAD = text("linked_parent_id IS NOT NULL")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", RowId, nullable=False),
    Column("channel_id", Number, nullable=False),
    Column("private_to", Number, nullable=False),  # 0: everyone in the channel
    Column("guild_id", Number),
    Column("parent_id", Number),
    Column("labelled", Boolean, nullable=False, server_default=false()),
    Column("next_position", Number, nullable=False),
    Column("window_start", Number, nullable=False),  # the position from which on turns are sent
    Column("turns_before", Integer, server_default="0"),  # how many are history before it; NULL: to be counted
    Column("reset_position", Number, nullable=False),
    Column("token_rate", Float, nullable=False, server_default="1"),
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("channel_id", "private_to"),
    CheckConstraint("reset_position <= window_start AND window_start <= next_position", name="positions"),
    Index("ix_conversations_parent_id", "parent_id"),
    Index("ix_conversations_guild_id", "guild_id"),
)

# Who has spoken since the last reset.
speakers = Table(
    "speakers",
    metadata,
    Column("conversation_id", Number, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("author_id", Number, nullable=False),
    Column("label", AnyText, nullable=False),
    Column("label_key", AnyText, nullable=False),
    PrimaryKeyConstraint("conversation_id", "author_id"),
    UniqueConstraint("conversation_id", "label_key"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", RowId, nullable=False),
    Column("conversation_id", Number, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("role", Word, nullable=False),
    Column("kind", Word, nullable=False),
    Column("position", Number),
    Column("state", Word, nullable=False),
    Column("author_id", Number),
    Column("label", AnyText),
    Column("raw_text", AnyText, nullable=False),
    Column("text", AnyText, nullable=False),
    Column("note", AnyText),
    Column("message_id", Number),  # of the message or the interaction
    Column("reply_to_id", Number),
    Column("quoted_by", Number, ForeignKey("turns.id", ondelete="CASCADE")),  # the question that brought a quote
    Column("interaction_id", Number),
    Column("interaction_token", AnyText),
    Column("interaction_expires_at", UtcDateTime),
    Column("answered_by", Number, ForeignKey("turns.id", ondelete="SET NULL")),
    Column("outcome", Word),
    Column("call_id", Number),  # of an answer: the row of model_calls that brought its text
    Column("sent_at", UtcDateTime, nullable=False),
    Column("edited_at", UtcDateTime),
    Column("attempts", Integer, nullable=False),  # how often it was taken up
    Column("restarts", Integer, nullable=False, server_default="0"),  # of these, by no failure: see ask_again
    Column("linked_channel_id", Number),  # of a quote that a link brought: where its message is
    Column("linked_parent_id", Number),  # the channel above, if that is a thread
    Column("payer_id", Number),  # of an unfinished answer: see TakenUp.payer_id
    PrimaryKeyConstraint("id"),
    UniqueConstraint("conversation_id", "position"),
    CheckConstraint(
        "(role = 'user' AND kind IN ('message', 'slash', 'quote')"
        " AND state IN ('waiting', 'answering', 'answered', 'failed', 'withdrawn'))"
        " OR (role = 'assistant' AND kind IN ('answer', 'notice')"
        " AND state IN ('drafting', 'written', 'standing', 'undeliverable', 'withdrawn'))",
        name="role_kind_state",
    ),
    CheckConstraint("(kind = 'quote') = (quoted_by IS NOT NULL)", name="quote"),
    CheckConstraint("state <> 'withdrawn' OR (text = '' AND raw_text = '')", name="withdrawn"),
    Index(
        "uq_turns_message_id",
        "message_id",
        unique=True,
        sqlite_where=IS_NO_QUOTE,
        postgresql_where=IS_NO_QUOTE,
    ),
    Index("ix_turns_quoted_message", "message_id", sqlite_where=IS_QUOTE, postgresql_where=IS_QUOTE),
    Index(
        "ix_turns_open",
        "conversation_id",
        "state",
        "message_id",
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    ),
    Index("ix_turns_quoted_by", "quoted_by"),
    Index("ix_turns_answered_by", "answered_by"),
    Index("ix_turns_author_id", "author_id", "conversation_id"),
    Index("ix_turns_linked_channel_id", "linked_channel_id", sqlite_where=IS_LINKED, postgresql_where=IS_LINKED),
    Index(
        "ix_turns_linked_parent_id",
        "linked_parent_id",
        sqlite_where=IS_IN_LINKED_THREAD,
        postgresql_where=IS_IN_LINKED_THREAD,
    ),
)

# Of turns that left the window or will leave it: at most one that the prompts show, and one that is ready.
summaries = Table(
    "summaries",
    metadata,
    Column("id", RowId, nullable=False),
    Column("conversation_id", Number, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("since", Number, nullable=False),  # it covers the positions from this one
    Column("before", Number, nullable=False),  # to before this one
    Column("turns", Integer, nullable=False, server_default="0"),  # so many
    Column("shown", Boolean, nullable=False),
    Column("text", AnyText, nullable=False),  # empty: what it covered was changed, and it is to be made anew
    Column("model", AnyText, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("conversation_id", "shown"),
    CheckConstraint("since < before", name="covers"),
)

# Of an answer; a notice for one who waits is the question's.
parts = Table(
    "parts",
    metadata,
    Column("id", RowId, nullable=False),
    Column("turn_id", Number, ForeignKey("turns.id", ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("channel_id", Number, nullable=False),
    Column("message_id", Number),
    Column("nonce", Word, nullable=False),
    Column("first_tried_at", UtcDateTime, nullable=False),
    Column("state", Word, nullable=False),
    Column("text", AnyText, nullable=False),
    Column("fingerprint", Word),  # of a text that was erased before its message was known
    PrimaryKeyConstraint("id"),
    UniqueConstraint("turn_id", "n"),
    UniqueConstraint("nonce"),
    CheckConstraint("state IN ('pending', 'posted', 'deleting', 'deleted')", name="state"),
    Index("ix_parts_message_id", "message_id"),
)
IS_DELETING = parts.c.state == literal_column(f"'{PartState.DELETING}'")  # as the index has it, word for word
Index("ix_parts_deleting", parts.c.turn_id, sqlite_where=IS_DELETING, postgresql_where=IS_DELETING)

# What it cost is known even when the text is gone: no text here, and no row is ever deleted.
model_calls = Table(
    "model_calls",
    metadata,
    Column("id", RowId, nullable=False),
    Column("request_id", Word),  # given before the request is made; NULL: it was made before there were such
    Column("turn_id", Number, ForeignKey("turns.id", ondelete="SET NULL")),
    Column("guild_id", Number),
    Column("channel_id", Number, nullable=False),
    Column("author_id", Number),
    Column("purpose", Word, nullable=False),
    Column("model", AnyText, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("input_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("output_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("estimated_tokens", Integer),
    Column("turns_sent", Integer),  # of those before the question: see bot.core.completions.Past
    Column("turns_summarised", Integer),
    Column("turns_left_out", Integer),
    Column("cost_nanodollars", Number),  # at the prices of that time; NULL: unknown
    Column("counted_tokens", Integer),  # in the budgets: at first what was reserved; NULL: there were none
    Column("counted_nanodollars", Number),
    Column("reserved_at", UtcDateTime),  # it counts to that day and month; NULL: to those in which it started
    Column("started_at", UtcDateTime, nullable=False),
    Column("first_token_at", UtcDateTime),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("outcome", Word, nullable=False),
    PrimaryKeyConstraint("id"),
    Index("uq_model_calls_request_id", "request_id", unique=True),
    Index("ix_model_calls_turn_id", "turn_id"),
    Index("ix_model_calls_author_id", "author_id"),
    Index("ix_model_calls_started_at", "started_at"),
    Index("ix_model_calls_guild_id_started_at", "guild_id", "started_at"),
)

# Until when everything that happened was handled; servers of which that is not true have a row of their own.
watermarks = Table(
    "watermarks",
    metadata,
    Column("guild_id", Number, nullable=False),  # or one of bot.core.handled's numbers
    Column("handled_until", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("guild_id"),
)

facts = Table(
    "facts",
    metadata,
    Column("name", AnyText, nullable=False),
    Column("value", AnyText, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("name"),
)
