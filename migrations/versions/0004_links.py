"""Remember which channel a linked message is in, and which is above it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in ("linked_channel_id", "linked_parent_id"):
        op.add_column("turns", sa.Column(column, sa.BigInteger()))
        some = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_turns_{column}", "turns", [column], sqlite_where=some, postgresql_where=some)
