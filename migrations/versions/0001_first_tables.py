"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A migration keeps saying what it said, so it takes nothing from bot.storage.
RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime(timezone=True)
IS_OPEN = sa.text("state IN ('waiting', 'answering', 'drafting', 'written')")
IS_QUOTE = sa.text("kind = 'quote'")
IS_NO_QUOTE = sa.text("kind <> 'quote'")


def upgrade() -> None:
    _create_conversations()
    _create_speakers()
    _create_turns()
    _create_parts()
    _create_model_calls()
    _create_facts()


def _create_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", RowId, nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("private_to", sa.BigInteger(), nullable=False),
        sa.Column("guild_id", sa.BigInteger()),
        sa.Column("parent_id", sa.BigInteger()),
        sa.Column("labelled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("next_position", sa.BigInteger(), nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("reset_position", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.CheckConstraint(
            "reset_position <= window_start AND window_start <= next_position",
            name=op.f("ck_conversations_positions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("channel_id", "private_to", name=op.f("uq_conversations_channel_id_private_to")),
    )
    op.create_index("ix_conversations_guild_id", "conversations", ["guild_id"])
    op.create_index("ix_conversations_parent_id", "conversations", ["parent_id"])


def _create_speakers() -> None:
    op.create_table(
        "speakers",
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("label_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_speakers_conversation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "author_id", name=op.f("pk_speakers")),
        sa.UniqueConstraint("conversation_id", "label_key", name=op.f("uq_speakers_conversation_id_label_key")),
    )


def _create_turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", RowId, nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger()),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("author_id", sa.BigInteger()),
        sa.Column("label", sa.Text()),
        sa.Column("raw_text", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("message_id", sa.BigInteger()),
        sa.Column("reply_to_id", sa.BigInteger()),
        sa.Column("quoted_by", sa.BigInteger()),
        sa.Column("interaction_id", sa.BigInteger()),
        sa.Column("interaction_token", sa.Text()),
        sa.Column("interaction_expires_at", Moment),
        sa.Column("answered_by", sa.BigInteger()),
        sa.Column("outcome", sa.String(length=32)),
        sa.Column("sent_at", Moment, nullable=False),
        sa.Column("edited_at", Moment),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("prompt_version", sa.String(length=32)),
        sa.CheckConstraint("(kind = 'quote') = (quoted_by IS NOT NULL)", name=op.f("ck_turns_quote")),
        sa.CheckConstraint(
            "(role = 'user' AND kind IN ('message', 'slash', 'quote')"
            " AND state IN ('waiting', 'answering', 'answered', 'failed', 'withdrawn'))"
            " OR (role = 'assistant' AND kind IN ('answer', 'notice')"
            " AND state IN ('drafting', 'written', 'standing', 'undeliverable', 'withdrawn'))",
            name=op.f("ck_turns_role_kind_state"),
        ),
        sa.CheckConstraint(
            "state <> 'withdrawn' OR (text = '' AND raw_text = '')", name=op.f("ck_turns_withdrawn")
        ),
        sa.ForeignKeyConstraint(
            ["answered_by"], ["turns.id"], name=op.f("fk_turns_answered_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_turns_conversation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["quoted_by"], ["turns.id"], name=op.f("fk_turns_quoted_by"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
        sa.UniqueConstraint("conversation_id", "position", name=op.f("uq_turns_conversation_id_position")),
    )
    op.create_index("ix_turns_answered_by", "turns", ["answered_by"])
    op.create_index("ix_turns_author_id", "turns", ["author_id", "conversation_id"])
    op.create_index(
        "ix_turns_open",
        "turns",
        ["conversation_id", "state", "message_id"],
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    )
    op.create_index("ix_turns_quoted_by", "turns", ["quoted_by"])
    op.create_index(
        "ix_turns_quoted_message", "turns", ["message_id"], sqlite_where=IS_QUOTE, postgresql_where=IS_QUOTE
    )
    op.create_index(
        "uq_turns_message_id",
        "turns",
        ["message_id"],
        unique=True,
        sqlite_where=IS_NO_QUOTE,
        postgresql_where=IS_NO_QUOTE,
    )


def _create_parts() -> None:
    op.create_table(
        "parts",
        sa.Column("id", RowId, nullable=False),
        sa.Column("turn_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger()),
        sa.Column("nonce", sa.String(length=32), nullable=False),
        sa.Column("first_tried_at", Moment, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('pending', 'posted', 'deleted')", name=op.f("ck_parts_state")),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_parts_turn_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parts")),
        sa.UniqueConstraint("nonce", name=op.f("uq_parts_nonce")),
        sa.UniqueConstraint("turn_id", "n", name=op.f("uq_parts_turn_id_n")),
    )
    op.create_index("ix_parts_message_id", "parts", ["message_id"])


def _create_model_calls() -> None:
    op.create_table(
        "model_calls",
        sa.Column("id", RowId, nullable=False),
        sa.Column("turn_id", sa.BigInteger()),
        sa.Column("guild_id", sa.BigInteger()),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger()),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.Integer()),
        sa.Column("cached_tokens", sa.Integer()),
        sa.Column("output_tokens", sa.Integer()),
        sa.Column("reasoning_tokens", sa.Integer()),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("first_token_at", Moment),
        sa.Column("ended_at", Moment, nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["turn_id"], ["turns.id"], name=op.f("fk_model_calls_turn_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_calls")),
    )
    op.create_index("ix_model_calls_author_id", "model_calls", ["author_id"])
    op.create_index("ix_model_calls_turn_id", "model_calls", ["turn_id"])


def _create_facts() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("written_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
