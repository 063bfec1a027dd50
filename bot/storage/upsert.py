"""Insert, or if it is there already …: spelled alike by both databases, and yet not by standard SQL."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite


def inserts(table: Table) -> dict[str, sqlite.Insert | postgresql.Insert]:
    """The start of an INSERT for each dialect by its name."""
    return {"sqlite": sqlite.insert(table), "postgresql": postgresql.insert(table)}
