"""Reads a database that the bot has left, without the bot's code."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import asyncpg

Rows = list[Mapping[str, Any]]


async def tables(database_url: str, *queries: str) -> list[Rows]:
    """The rows of each query, and last what is damaged."""
    if database_url.startswith("sqlite:///"):
        return _of_sqlite(database_url.removeprefix("sqlite:///"), queries)
    connection = await asyncpg.connect(database_url)
    try:
        return [*[[dict(row) for row in await connection.fetch(query)] for query in queries], []]
    finally:
        await connection.close()


def _of_sqlite(path: str, queries: tuple[str, ...]) -> list[Rows]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        found: list[Rows] = [[dict(row) for row in connection.execute(query)] for query in queries]
        damage = [dict(row) for row in connection.execute("PRAGMA quick_check") if row[0] != "ok"]
    return [*found, damage]
