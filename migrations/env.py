"""Runs the migrations on the connection that bot.storage.migrate hands over, within its transaction."""

from alembic import context

from bot.storage.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
