"""Keep who has an answer written anew, and so pays for it, until it stands."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("payer_id", sa.BigInteger()))
