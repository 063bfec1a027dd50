"""What was used, for the operator: read from the database beside the bot, or without one."""

from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from bot.core.errors import StartupRefused
from bot.core.usage import By, Used
from bot.storage.database import read_url, refuse_absent
from bot.storage.looking import look_into_postgresql, look_into_sqlite
from bot.storage.migrate import standing
from bot.storage.postgresql import where
from bot.storage.sqlite import path_of
from bot.storage.usage import usage


async def read_usage(database_url: str, by: By, *, since: datetime) -> list[Used]:
    """Raises StartupRefused."""
    url = read_url(database_url)
    work = partial(_read, by=by, since=since)
    if url.drivername == "postgresql":
        return await look_into_postgresql(url, partial(work, place=where(url)))
    refuse_absent(url)
    path = path_of(url)
    return look_into_sqlite(path, partial(work, place=str(path)))


def _read(connection: Connection, *, by: By, since: datetime, place: str) -> list[Used]:
    """Raises StartupRefused."""
    if standing(connection) != "current":
        raise StartupRefused(f"{place} is of an older version of the bot, or empty. Start the bot once, then ask.")
    return usage(connection, by, since=since)
