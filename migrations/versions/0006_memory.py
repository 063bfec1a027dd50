"""Remember how many tokens an estimated one turned out to be, and what each request was taken for."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversations", sa.Column("token_rate", sa.Float(), nullable=False, server_default="1"))
    op.add_column("model_calls", sa.Column("estimated_tokens", sa.Integer()))
