"""Everything that knows SQLAlchemy and Alembic.

The way in: turns (the ports, a method a transaction) → database (units: whose turn it is) → sqlite or
postgresql (faults: what drivers raise). What the tables are: schema (columns, upsert); migrate brings them
there.

A question: arrivals (many that come in at once) → receiving (its rows) → questions (taken up, alone or
together) → conversations, window → history, with quotes and summaries. Rows become values in rows. Which have no
answer yet: unanswered.

An answer: answers (text and end), answer_parts (its messages in Discord), rewriting (Regenerate: reopened, and
closed again), notices (for those who wait), calls (what it cost) → usage.

What changes or goes: edits, erasure, retention; held (what must not be read before that). What was missed:
missed. What people look back at: archive.

Beside a bot that runs, or without one: looking (reads and changes nothing) → usage_report and checkup
(sqlite_checkup, postgresql_checkup); backup.
"""
