"""Keep a fingerprint of how a part began whose text is erased before its message is known."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("parts", sa.Column("fingerprint", sa.String(length=32)))
