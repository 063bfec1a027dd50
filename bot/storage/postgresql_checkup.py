"""A PostgreSQL database, looked at in one read-only transaction."""

from functools import partial

from sqlalchemy import URL, Connection, text

from bot.core.errors import StartupRefused
from bot.core.findings import Finding, ok
from bot.storage.looking import look_into_postgresql
from bot.storage.migrate import Standing, standing
from bot.storage.postgresql import OWNER_LOCK, check_encoding, where

# pg_locks shows the upper and the lower half of the number apart.
_LOCK_HOLDERS = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = :upper AND objid = :lower"
).bindparams(upper=OWNER_LOCK >> 32, lower=OWNER_LOCK & 0xFFFFFFFF)
_MAY_CREATE = text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
_STANDINGS: dict[Standing, str] = {
    "none": "empty; the next start makes the tables",
    "outdated": "its tables are of an older version; the next start brings them up to date",
    "current": "with the newest tables",
}


async def check_postgresql(url: URL) -> list[Finding]:
    """Raises StartupRefused."""
    return [ok("database", where(url), await look_into_postgresql(url, partial(_look_inside, url=url)))]


def _look_inside(connection: Connection, url: URL) -> str:
    """Raises StartupRefused."""
    check_encoding(connection, url)
    version = f"version {connection.scalar(text('SHOW server_version'))}"
    found = standing(connection)
    if found != "current" and not connection.scalar(_MAY_CREATE):
        raise StartupRefused(
            f"{where(url)} lets this user create no tables there. Make the user the owner of the database."
        )
    in_use = ", in use by a running bot" if connection.scalar(_LOCK_HOLDERS) else ""
    return f"{version}, {_STANDINGS[found]}{in_use}"
