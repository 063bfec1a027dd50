"""What `doctor` finds of the database. It changes nothing, owns nothing, and may look while the bot runs."""

import asyncio

from bot.core.errors import BotError, StartupRefused
from bot.core.findings import Finding, refused, wrong
from bot.storage.database import read_url
from bot.storage.postgresql_checkup import check_postgresql
from bot.storage.sqlite_checkup import check_sqlite


async def check_database(database_url: str) -> list[Finding]:
    try:
        url = read_url(database_url)
        if url.drivername == "sqlite":
            return await asyncio.to_thread(check_sqlite, url)
        return await check_postgresql(url)
    except StartupRefused as refusal:
        return [refused("database", "DATABASE_URL", refusal)]
    except BotError as error:
        return [wrong("database", "DATABASE_URL", str(error), "Check the database's own log.")]
