"""Remember what of the history each request was sent, and which request an answer's text came from."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# As bot.storage.history counts them; a summary that lost its text is of none.
_COUNTED = """
UPDATE summaries SET turns = (
    SELECT count(*) FROM turns
    WHERE turns.conversation_id = summaries.conversation_id
        AND turns.position >= summaries.since AND turns.position < summaries.before AND turns.text <> ''
        AND (turns.state = 'answered' OR (turns.kind = 'answer' AND turns.state IN ('standing', 'written')))
)
WHERE text <> ''
"""


def upgrade() -> None:
    op.add_column("model_calls", sa.Column("turns_sent", sa.Integer()))
    op.add_column("model_calls", sa.Column("turns_summarised", sa.Integer()))
    op.add_column("model_calls", sa.Column("turns_left_out", sa.Integer()))
    op.add_column("turns", sa.Column("call_id", sa.BigInteger()))
    op.add_column("summaries", sa.Column("turns", sa.Integer(), nullable=False, server_default="0"))
    op.execute(_COUNTED)
    op.add_column("conversations", sa.Column("turns_before", sa.Integer(), server_default="0"))
    op.execute("UPDATE conversations SET turns_before = NULL WHERE window_start > reset_position")
