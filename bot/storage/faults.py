"""What a database driver raises, in our own words: never with a parameter, for it may be somebody's message."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError

from bot.core.errors import BotError, DatabaseUnavailable

NOT_ALLOWED = "42501"  # PostgreSQL's "insufficient privilege", which asyncpg counts as a faulty statement
DATA_EXCEPTION = "22"  # the beginning of PostgreSQL's codes for values that cannot be
_OUR_FAULT = (IntegrityError, DataError, NotSupportedError, ProgrammingError)

_UNREACHABLE = "the server cannot be reached. Check that it runs: the bot goes on by itself when it does."
_DAMAGED = "the database's file is damaged. Stop the bot, check the disk and restore a backup."

# What is wrong, and what whoever runs the bot can do. SQLite's names, without what it adds to them; PostgreSQL's
# codes, whole or by their class.
_CURES = {
    "SQLITE_FULL": "the disk that holds the database is full. Make room: the bot goes on by itself.",
    "SQLITE_BUSY": "another program has the database's file locked. Close it: the bot goes on by itself.",
    "SQLITE_IOERR": "the disk refused to read or write the database's file. Look at the system's log, at quotas "
    "and limits: the bot goes on by itself when the disk does.",
    "SQLITE_READONLY": "the database's file cannot be written any more. Check whose it is and whether its disk is "
    "mounted read-only, then restart the bot.",
    "SQLITE_CANTOPEN": "the database's file cannot be opened any more. Check that its folder is there and belongs "
    "to the user who runs the bot, then restart the bot.",
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
    "25006": "the server takes no changes. Name the primary server in DATABASE_URL, or make this one take them.",
    NOT_ALLOWED: "the user may not do that any more. Make the user the owner of the database and its tables.",
    "28": "the server refused the user. Check name and password in DATABASE_URL, then restart the bot.",
    "3D": "the database is not there any more. Restore a backup of it.",
    "53100": "the server's disk is full. Make room: the bot goes on by itself.",
    "53300": "the server has no connection left. Close other programs' or raise max_connections: the bot goes on "
    "by itself.",
    "55000": "the server lets nobody into the database. See who closed it: the bot goes on when it is open.",
    "57P": "the server is being stopped or started. The bot goes on by itself when it runs.",
    "58": "the server's disk failed. Look at the server's log.",
    "XX": "the server found damage. Look at its log, and restore a backup.",
}
MOVED = (
    "the database's file was moved, replaced or deleted while the bot has it open. Put it back: the bot goes on "
    "by itself. To restore a backup, stop the bot first."
)


@contextmanager
def own_words() -> Iterator[None]:
    """Turn drivers' exceptions into DatabaseUnavailable, or BotError where the statement is at fault."""
    try:
        yield
    except DBAPIError as error:
        if is_our_fault(error):
            # Without its cause: PostgreSQL repeats the row, and asyncpg the parameter, in what they raise.
            raise BotError(f"{_name(error)} from: {error.statement}") from None
        raise DatabaseUnavailable(_told(_name(error), _cure(error))) from error
    except OSError as error:  # the network's, time-outs included
        raise DatabaseUnavailable(_told(type(error).__name__, _UNREACHABLE)) from error


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


def _told(name: str, cure: str | None) -> str:
    return f"{name}: {cure}" if cure else name


def _cure(error: DBAPIError) -> str | None:
    code = _code(error) or ""
    primary = "_".join(code.split("_")[:2])  # SQLITE_IOERR of SQLITE_IOERR_WRITE
    found = (_CURES[each] for each in (primary, code[:3], code[:2]) if each in _CURES)
    return next(found, _UNREACHABLE if error.connection_invalidated else None)


def _code(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
