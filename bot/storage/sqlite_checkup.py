"""An SQLite file, looked at from outside: SQLite opens it for reading only, and never moves its WAL."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Connection, text

from bot.core.errors import StartupRefused
from bot.core.findings import Finding, ok, refused, warning, wrong
from bot.storage.looking import look_into_sqlite
from bot.storage.migrate import Standing, standing
from bot.storage.sqlite import damaged, lock_of, not_writable, path_of, refuse_old_sqlite

TOO_LITTLE_BYTES = 100 * 2**20
LITTLE_BYTES = 2**30

_STANDINGS: dict[Standing, str] = {
    "none": "empty; the next start makes its tables",
    "outdated": "of an older version; the next start brings it up to date",
    "current": "sound, with the newest tables",
}


def check_sqlite(url: URL) -> list[Finding]:
    """Raises StartupRefused where the address itself is at fault."""
    refuse_old_sqlite()
    path = path_of(url)
    try:
        return [_check_file(path), *_check_disk(path)]
    except StartupRefused as fault:
        return [refused("database", str(path), fault), *_check_disk(path)]


def _check_file(path: Path) -> Finding:
    """Raises StartupRefused."""
    _try_to_write(path)
    if not path.exists():
        return ok("database", str(path), "not there yet; the first start makes it")
    in_use = _is_in_use(path)
    found = look_into_sqlite(path, partial(_look_inside, path=path, in_use=in_use), in_use=in_use)
    return ok("database", str(path), "in use by a running bot" if in_use else _STANDINGS[found])


def _try_to_write(path: Path) -> None:
    """Raises StartupRefused, as the bot's start would."""
    try:
        with tempfile.TemporaryFile(dir=_existing(path.parent)) as file:
            file.write(b"confab")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return  # which is the disk's finding
        raise StartupRefused(not_writable(path)) from error
    if any(each.exists() and not os.access(each, os.W_OK) for each in (path, lock_of(path))):
        raise StartupRefused(not_writable(path))


def _is_in_use(path: Path) -> bool:
    """Whether a bot holds the lock. A shared lock is taken for a moment, which the bot's own start waits out."""
    try:
        with lock_of(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _look_inside(connection: Connection, *, path: Path, in_use: bool) -> Standing:
    """Raises StartupRefused for tables that are not ours or of a newer version, and for damage.

    The whole file is read, unless a bot uses it: its WAL would grow meanwhile.
    """
    found = standing(connection)
    if not in_use and connection.scalar(text("PRAGMA quick_check(1)")) != "ok":
        raise StartupRefused(damaged(path))
    return found


def _check_disk(path: Path) -> Iterator[Finding]:
    folder = _existing(path.parent)
    free = shutil.disk_usage(folder).free
    detail = f"{_size(free)} free"
    cure = "Make room, or move the database: without any, the bot can take on no question."
    if free < TOO_LITTLE_BYTES:
        yield wrong("disk", str(folder), detail, cure)
    elif free < LITTLE_BYTES:
        yield warning("disk", str(folder), detail, cure)
    else:
        yield ok("disk", str(folder), detail)


def _existing(folder: Path) -> Path:
    """The folder, or what there is of its path: the bot makes the rest."""
    try:
        folder.stat()
    except OSError:
        return _existing(folder.parent)
    return folder


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= LITTLE_BYTES else f"{count / 2**20:.0f} MiB"
