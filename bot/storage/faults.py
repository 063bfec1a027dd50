"""What a database driver raises, in our own words: never with a parameter, for it may be somebody's message."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError

from bot.core.errors import BotError, DatabaseUnavailable

NOT_ALLOWED = "42501"  # PostgreSQL's "insufficient privilege", which asyncpg counts as a faulty statement
DATA_EXCEPTION = "22"  # the beginning of PostgreSQL's codes for values that cannot be
_OUR_FAULT = (IntegrityError, DataError, NotSupportedError, ProgrammingError)


@contextmanager
def own_words() -> Iterator[None]:
    """Turn drivers' exceptions into DatabaseUnavailable, or BotError where the statement is at fault."""
    try:
        yield
    except DBAPIError as error:
        if is_our_fault(error):
            # Without its cause: PostgreSQL repeats the row, and asyncpg the parameter, in what they raise.
            raise BotError(f"{_name(error)} from: {error.statement}") from None
        raise DatabaseUnavailable(_name(error)) from error
    except OSError as error:  # the network's, time-outs included
        raise DatabaseUnavailable(f"{type(error).__name__} while talking to the database") from error


def is_our_fault(error: DBAPIError) -> bool:
    """Whether the statement is at fault, and not the database's condition: trying again would not help."""
    code = _code(error) or ""
    if code == NOT_ALLOWED:
        return False
    return isinstance(error, _OUR_FAULT) or code == "SQLITE_ERROR" or code.startswith(DATA_EXCEPTION)


def _name(error: DBAPIError) -> str:
    """`OperationalError (SQLITE_FULL)`, or with PostgreSQL's code of five characters."""
    code = _code(error)
    return f"{type(error).__name__} ({code})" if code else type(error).__name__


def _code(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
