"""What a database driver raises, in our own words: never with a parameter, for it may be somebody's message."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError

from bot.core.errors import BotError, DatabaseUnavailable

# Not the database's condition but a fault of ours: waiting and trying again would not help.
_OUR_FAULT = (IntegrityError, DataError, NotSupportedError, ProgrammingError)


@contextmanager
def own_words() -> Iterator[None]:
    """Turn drivers' exceptions into DatabaseUnavailable, or BotError where the statement is at fault."""
    try:
        yield
    except _OUR_FAULT as error:
        # Without its cause: PostgreSQL repeats the row, and asyncpg the parameter, in what they raise.
        raise BotError(f"{fault_name(error)} from: {error.statement}") from None
    except DBAPIError as error:
        raise DatabaseUnavailable(fault_name(error)) from error
    except OSError as error:  # the network's, time-outs included
        raise DatabaseUnavailable(f"{type(error).__name__} while talking to the database") from error


def fault_name(error: DBAPIError) -> str:
    """`OperationalError (SQLITE_FULL)`, or with PostgreSQL's five-letter code."""
    name = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    return f"{type(error).__name__} ({name})" if name else type(error).__name__
