"""Let the record of model calls have one row of each request, and one day that it counts to."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_calls", sa.Column("request_id", sa.String(length=32)))
    op.add_column("model_calls", sa.Column("reserved_at", sa.DateTime(timezone=True)))
    op.create_index("uq_model_calls_request_id", "model_calls", ["request_id"], unique=True)
