"""Let go of a column that nothing was ever written to."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("turns", "prompt_version")
