"""Brings the tables to the newest revision, all of it or nothing, or says why it cannot."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, inspect, select, table, text
from sqlalchemy import column as column_of
from sqlalchemy.exc import DBAPIError

import bot
from bot.core.errors import StartupRefused
from bot.storage.faults import is_our_fault
from bot.storage.schema import HEAD, VERSION_TABLE, metadata

if TYPE_CHECKING:
    from alembic.config import Config

Standing = Literal["none", "outdated", "current"]

# Beside the package and not the working directory: the bot may be started from anywhere.
MIGRATIONS = Path(bot.__file__).resolve().parent.parent / "migrations"
MIGRATION_LOCK = 0x636F6E6661620001  # "confab", 1: PostgreSQL's advisory locks are numbers


def stored_revision(connection: Connection) -> str | None:
    """The revision that the tables have; None where there are none yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(column_of("version_num")).select_from(table(VERSION_TABLE)))


def migrate(connection: Connection, *, migrations: Path = MIGRATIONS, head: str = HEAD) -> None:
    """Bring the tables up to date within the connection's transaction. Raises StartupRefused."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    revision = stored_revision(connection)
    if revision != head:
        _refuse_foreign_tables(connection, revision)
        _upgrade(connection, revision, migrations)


def standing(connection: Connection, *, migrations: Path = MIGRATIONS, head: str = HEAD) -> Standing:
    """How the tables stand. Changes nothing; raises StartupRefused where `migrate` would refuse them."""
    revision = stored_revision(connection)
    if revision == head:
        return "current"
    _refuse_foreign_tables(connection, revision)
    _refuse_newer(revision, _config(migrations))
    return "none" if revision is None else "outdated"


def _refuse_foreign_tables(connection: Connection, revision: str | None) -> None:
    foreign = set(inspect(connection).get_table_names()) & set(metadata.tables) if revision is None else None
    if foreign:
        raise StartupRefused(
            f"The database holds another program's tables ({', '.join(sorted(foreign))}). "
            "Give the bot a database of its own in DATABASE_URL."
        )


def _upgrade(connection: Connection, revision: str | None, migrations: Path) -> None:
    # Imported here: a start with the newest tables needs no Alembic, and importing it takes a while.
    from alembic import command  # noqa: PLC0415

    config = _config(migrations)
    config.attributes["connection"] = connection
    _refuse_newer(revision, config)
    try:
        command.upgrade(config, "head")
        _check_references(connection)
    except DBAPIError as error:
        if not is_our_fault(error):
            raise
        raise StartupRefused(
            f"The database could not be brought up to date ({type(error).__name__}), and was left as it was. "
            "The log says where it stopped; the version of the bot that ran before still works with it."
        ) from error


def _config(migrations: Path) -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _refuse_newer(revision: str | None, config: "Config") -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StartupRefused(
            f"The database was written by a newer version of the bot (its revision {revision} is unknown here). "
            "Update the bot, or restore the backup made before the update."
        )


def _check_references(connection: Connection) -> None:
    """SQLite's foreign keys are off during a migration, see bot.storage.sqlite."""
    if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first():
        raise StartupRefused(
            "Bringing the database up to date would break its references; it was left as it was. "
            "Please report this; the version of the bot that ran before still works with it."
        )
