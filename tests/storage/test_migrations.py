"""Migrations lead to the schema, all of it or nothing, and once."""

import asyncio
import shutil
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from bot.core.budgets import Amount, Scope
from bot.core.errors import StartupRefused
from bot.core.messages import ConversationKey
from bot.core.tokens import TokenBudget
from bot.storage.database import open_database
from bot.storage.migrate import MIGRATIONS, migrate, stored_revision
from bot.storage.schema import HEAD, VERSION_TABLE, metadata
from bot.storage.turns import open_store
from tests.storage.test_opening import refusal

ROOT = Path(__file__).parents[2]

FAILING = '''
"""Fails halfway."""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "HEAD"


def upgrade():
    op.create_table("debris", sa.Column("id", sa.Integer))
    op.execute("INSERT INTO facts (name, value, written_at) VALUES ('debris', '', '2026-01-01 00:00:00')")
    op.execute("SELECT * FROM no_such_table")
'''


# In the tables of the first revision: an answer, and the first of its parts in the channel.
HALF_DELIVERED = """
INSERT INTO conversations (id, channel_id, private_to, next_position, window_start, reset_position, created_at)
    VALUES (1, 7, 0, 3, 1, 1, '2026-01-01');
INSERT INTO speakers (conversation_id, author_id, name, label, label_key) VALUES (1, 5, 'Ada', 'Ada', 'ada');
INSERT INTO turns (id, conversation_id, role, kind, position, state, raw_text, text, sent_at, attempts)
    VALUES (2, 1, 'assistant', 'answer', 2, 'written', 'Hello!', 'Hello!', '2026-01-01', 1);
INSERT INTO turns (id, conversation_id, role, kind, position, state, author_id, label, raw_text, text,
    message_id, answered_by, sent_at, attempts)
    VALUES (1, 1, 'user', 'message', 1, 'answering', 5, 'Ada', 'Hi', 'Hi', 70, 2, '2026-01-01', 1);
INSERT INTO parts (turn_id, attempt, n, channel_id, message_id, nonce, first_tried_at, state, text)
    VALUES (2, 1, 0, 7, 71, 'abc', '2026-01-01', 'posted', 'Hel')
"""


# Before the seventh revision: a summary of the first exchange; a failed one; one in the window; a question.
SUMMED_UP = """
INSERT INTO conversations (id, channel_id, private_to, next_position, window_start, reset_position, created_at)
    VALUES (1, 7, 0, 7, 5, 1, '2026-01-01');
INSERT INTO turns (conversation_id, role, kind, position, state, raw_text, text, message_id, sent_at, attempts)
    VALUES (1, 'user', 'message', 1, 'answered', 'one', 'one', 61, '2026-01-01', 1),
        (1, 'assistant', 'answer', 2, 'standing', 'I', 'I', NULL, '2026-01-01', 1),
        (1, 'user', 'message', 3, 'answered', 'two', 'two', 63, '2026-01-01', 1),
        (1, 'assistant', 'notice', 4, 'standing', 'busy', 'busy', NULL, '2026-01-01', 1),
        (1, 'user', 'message', 5, 'answered', 'three', 'three', 65, '2026-01-01', 1),
        (1, 'assistant', 'answer', 6, 'standing', 'III', 'III', NULL, '2026-01-01', 1),
        (1, 'user', 'message', NULL, 'waiting', 'four', 'four', 67, '2026-01-01', 0);
INSERT INTO summaries (conversation_id, since, before, shown, text, model, made_at)
    VALUES (1, 1, 3, true, 'They spoke.', 'small', '2026-01-01')
"""


# Before the eleventh revision: two requests that are alike.
PAID = """
INSERT INTO model_calls (channel_id, guild_id, author_id, purpose, model, attempt, input_tokens, output_tokens,
    started_at, ended_at, outcome)
    VALUES (7, 5, 1, 'answer', 'gpt-test', 1, 12, 3, '2026-01-01 12:00:00', '2026-01-01', 'complete'),
        (7, 5, 1, 'answer', 'gpt-test', 1, 12, 3, '2026-01-01 12:00:00', '2026-01-01', 'complete')
"""


def driver_url(url):
    return url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")


def test_the_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_the_migrations_equal_the_schema(empty_url):
    def differences(connection):
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with open_database(empty_url) as database:
        assert await database.run(differences) == []
        assert await database.run(stored_revision) == HEAD


async def test_the_migrations_equal_the_schema_to_the_letter(tmp_path):
    """Alembic compares neither checks nor the conditions of indexes; SQLite keeps the words of both."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        wanted = _clauses(connection)
    engine.dispose()

    async with open_database(f"sqlite:///{tmp_path}/bot.db") as database:
        migrated = await database.run(_clauses)

    assert migrated.pop(VERSION_TABLE)
    assert migrated == wanted
    assert sum("CHECK" in clause for clauses in wanted.values() for clause in clauses) == 6


def _clauses(connection):
    """Each table's and index's statement, taken apart.

    The order of constraints says nothing, nor do the quotes around the name of a table that was made anew.
    """
    found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {
        name: sorted(clause.rstrip(" )") for clause in " ".join(sql.replace('"', "").split()).split(", "))
        for name, sql in found
    }


async def test_a_start_with_the_newest_tables_needs_no_alembic(database_url):
    program = (
        "import asyncio, sys\n"
        "from bot.storage.turns import open_store\n"
        "async def main():\n"
        "    async with open_store(sys.argv[1]) as store:\n"
        "        await store.unfinished()\n"
        "asyncio.run(main())\n"
        "print('alembic' in sys.modules)\n"
    )

    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, database_url, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )

    assert await child.communicate() == (b"False\n", None)


async def test_a_database_newer_than_the_program_is_refused(database_url):
    async with open_database(database_url) as database:
        await database.run(lambda c: c.execute(text("UPDATE confab_version SET version_num = '9999'")).rowcount)

    try:
        assert "newer version of the bot" in await refusal(database_url)
    finally:
        await _put_back(database_url)


async def _put_back(url):
    engine = create_async_engine(driver_url(url))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE confab_version SET version_num = :head"), {"head": HEAD})
    await engine.dispose()


async def _at_revision(head, url, tmp_path, *, statements):
    """A database that an older program left, with what *statements* put into it."""
    older = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, older)
    for each in (older / "versions").glob("*.py"):
        if each.name[: len(head)] > head:
            each.unlink()

    def begin(connection):
        migrate(connection, migrations=older, head=head)
        for statement in statements.split(";"):
            connection.execute(text(statement))

    engine = create_async_engine(driver_url(url))
    async with engine.begin() as connection:
        await connection.run_sync(begin)
    await engine.dispose()


async def test_turns_of_the_first_revision_are_taken_along(empty_url, tmp_path):
    await _at_revision("0001", empty_url, tmp_path, statements=HALF_DELIVERED)

    async with open_store(empty_url) as store:
        taken = await store.take_up(ConversationKey(channel_id=7), budget=TokenBudget(history_tokens=1000))

    assert (taken.written, taken.question.text, taken.question.label) == ("Hello!", "Hi", "Ada")
    assert [(part.message_id, part.nonce) for part in taken.parts] == [(71, "abc")]


async def test_what_left_the_window_before_it_was_counted_is_counted(empty_url, tmp_path):
    await _at_revision("0006", empty_url, tmp_path, statements=SUMMED_UP)

    async with open_store(empty_url) as store:
        taken = await store.take_up(ConversationKey(channel_id=7), budget=TokenBudget(history_tokens=1000))

    assert [turn.text for turn in taken.history] == ["three", "III"]
    assert (taken.summary, taken.summarised, taken.left_out) == ("They spoke.", 2, 1)


async def test_requests_of_before_they_had_an_id_stay_and_count(empty_url, tmp_path):
    await _at_revision("0010", empty_url, tmp_path, statements=PAID)

    async with open_store(empty_url) as store:
        counted = await store.counted(Scope.PERSON, since=datetime(2026, 1, 1, tzinfo=UTC))

    assert counted == {1: Amount(tokens=30, nanodollars=0)}


async def test_another_programs_tables_are_left_alone(empty_url):
    engine = create_async_engine(driver_url(empty_url))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE turns (of_a_screw integer)"))

    assert "another program's tables (turns)" in await refusal(empty_url)

    async with engine.connect() as connection:
        assert await connection.run_sync(lambda c: inspect(c).get_table_names()) == ["turns"]
    await engine.dispose()


async def test_a_failed_migration_leaves_no_debris(database_url, tmp_path):
    migrations = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, migrations)
    (migrations / "versions" / "9999_failing.py").write_text(FAILING.replace("HEAD", HEAD))

    async with open_database(database_url) as database:
        with pytest.raises(StartupRefused, match="was left as it was"):
            await database.run(partial(migrate, migrations=migrations, head="9999"))

        assert await database.run(stored_revision) == HEAD
        assert "debris" not in await database.run(lambda connection: inspect(connection).get_table_names())
        assert await database.run(lambda c: c.scalar(text("SELECT count(*) FROM facts"))) == 0


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
async def test_several_starts_at_once_migrate_once(empty_url):
    engine = create_async_engine(empty_url.replace("postgresql:", "postgresql+asyncpg:"))

    async def start():
        async with engine.begin() as connection:
            await connection.run_sync(migrate)

    await asyncio.gather(*(start() for _ in range(4)))

    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT version_num FROM confab_version"))).all() == [(HEAD,)]
    await engine.dispose()


async def test_migrations_are_found_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async with open_database("sqlite:///bot.db") as database:
        assert await database.run(stored_revision) == HEAD
