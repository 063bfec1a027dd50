"""Everything that knows SQLAlchemy and Alembic."""
