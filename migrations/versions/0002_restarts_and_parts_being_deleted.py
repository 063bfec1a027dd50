"""Count restarts, remember parts that are being deleted, and forget names that nobody reads."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IS_DELETING = sa.text("state = 'deleting'")


def upgrade() -> None:
    op.add_column("turns", sa.Column("restarts", sa.Integer(), nullable=False, server_default="0"))
    op.drop_column("speakers", "name")
    with op.batch_alter_table("parts") as parts:
        parts.drop_constraint(op.f("ck_parts_state"), type_="check")
        parts.create_check_constraint(
            op.f("ck_parts_state"), "state IN ('pending', 'posted', 'deleting', 'deleted')"
        )
    op.create_index(
        "ix_parts_deleting", "parts", ["turn_id"], sqlite_where=IS_DELETING, postgresql_where=IS_DELETING
    )
