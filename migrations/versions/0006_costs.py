"""Remember what each request to a model cost, and what budgets count of it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_calls", sa.Column("cost_nanodollars", sa.BigInteger()))
    op.add_column("model_calls", sa.Column("counted_tokens", sa.Integer()))
    op.add_column("model_calls", sa.Column("counted_nanodollars", sa.BigInteger()))
    op.create_index("ix_model_calls_started_at", "model_calls", ["started_at"])
    op.create_index("ix_model_calls_guild_id_started_at", "model_calls", ["guild_id", "started_at"])
