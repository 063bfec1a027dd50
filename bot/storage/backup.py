"""Copies the SQLite file, also while a bot uses it, into a new file that is whole or not there.

The bot's connection alone may write the file, so this one only reads, from one snapshot.
"""

import errno
import os
import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL

from bot.core.errors import StartupRefused
from bot.storage.database import read_url
from bot.storage.postgresql import where
from bot.storage.sqlite import damaged, lock_of, path_of

PAGES_AT_ONCE = 1_000  # between two pieces Ctrl-C is heard

_BESIDE = ("", "-wal", "-shm", "-journal")  # what SQLite may keep beside a file; the file itself first


@dataclass(frozen=True, kw_only=True, slots=True)
class BackedUp:
    turns: int
    size: int  # bytes


def back_up(database_url: str, target: Path) -> BackedUp:
    """Copy the database into *target*. Raises StartupRefused: then there is nothing that was not there before."""
    url = read_url(database_url)
    if url.drivername == "postgresql":
        raise StartupRefused(_pg_dump(url, target))
    path = path_of(url)
    _refuse_place(path, target)
    try:
        with _draft_of(target) as draft:
            turns = _copy(path, draft)
            _make_plain(draft, path)
            _rename(draft, target)
    except (sqlite3.Error, OSError) as error:
        raise _refusal(error, path, target) from error
    return BackedUp(turns=turns, size=target.stat().st_size)


def _pg_dump(url: URL, target: Path) -> str:
    """Without the password, which the command asks for or finds in ~/.pgpass."""
    safe = URL.create(
        url.drivername, username=url.username, host=url.host, port=url.port, database=url.database, query=url.query
    ).difference_update_query(["password", "sslpassword"])
    address = shlex.quote(safe.render_as_string(hide_password=False))
    return (
        f"{where(url)} is backed up by its own tool, which may run beside the bot: "
        f"pg_dump --format=custom --file={shlex.quote(str(target))} {address}"
    )


def _refuse_place(path: Path, target: Path) -> None:
    """Raises StartupRefused."""
    if target.resolve() in {lock_of(path), *(path.with_name(path.name + suffix) for suffix in _BESIDE)}:
        raise StartupRefused(f"{target} belongs to the database itself. Name another file.")
    if target.exists() or target.is_symlink():
        raise StartupRefused(f"{target} is there already. Name a new file, or move that one away.")
    if not target.parent.is_dir():
        raise StartupRefused(f"There is no folder {target.parent}. Make it, or name a file in another one.")
    if not path.exists():
        raise StartupRefused(f"There is no {path} to back up. Check DATABASE_URL and the folder you are in.")


@contextmanager
def _draft_of(target: Path) -> Iterator[Path]:
    """An empty file beside *target*, readable for nobody else; gone at the end unless it was renamed."""
    draft = target.with_name(target.name + ".tmp")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise StartupRefused(
            f"{draft} is there already: that backup is being written just now, or was cut short. "
            "In the latter case, delete it."
        ) from None
    try:
        yield draft
    finally:
        for suffix in _BESIDE:
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _copy(path: Path, draft: Path) -> int:
    """Copy all pages; how many turns they hold."""
    wal, before = path.with_name(path.name + "-wal"), _version(path)
    if not wal.exists():
        # Nobody has it open. As immutable: else SQLite would leave an empty WAL and its index behind.
        turns = _copy_through(f"file:{quote(str(path))}?immutable=1", draft)
        if not wal.exists() and _version(path) == before:
            return turns
        os.truncate(draft, 0)  # a bot was started meanwhile
    return _copy_through(f"file:{quote(str(path))}?mode=ro", draft)


def _version(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _copy_through(address: str, draft: Path) -> int:
    with (
        closing(sqlite3.connect(address, uri=True, isolation_level=None)) as source,
        closing(sqlite3.connect(draft, isolation_level=None)) as copy,
    ):
        # One snapshot. Without, whatever the bot stores between two pieces would make SQLite begin anew.
        source.execute("BEGIN")
        (turns,) = source.execute("SELECT count(*) FROM turns").fetchone()
        (pages,), (page,) = (source.execute(f"PRAGMA page_{what}").fetchone() for what in ("count", "size"))
        if shutil.disk_usage(draft.parent).free < pages * page:
            raise OSError(errno.ENOSPC, "no room for the copy")  # the bot may need what is left
        for pragma in ("journal_mode = OFF", "synchronous = OFF"):  # it is synced as a whole, and else deleted
            copy.execute(f"PRAGMA {pragma}")
        source.backup(copy, pages=PAGES_AT_ONCE, progress=lambda *_: None)
    return int(turns)


def _make_plain(draft: Path, path: Path) -> None:
    """Check the copy and make it one file, which needs no WAL to be read. Raises StartupRefused."""
    with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StartupRefused(f"{damaged(path)} No backup was written.")


def _rename(draft: Path, target: Path) -> None:
    """Let it have its name when all of it is on the disk."""
    _sync(draft)
    draft.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(error: sqlite3.Error | OSError, path: Path, target: Path) -> StartupRefused:
    """What to tell the operator when copying failed."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
        sentence = f"The disk that holds {target} has no room for a copy. Make room, or name a file elsewhere."
    elif isinstance(error, OSError):
        sentence = f"{target} cannot be written ({error.strerror}). Check that its folder is yours to write in."
    elif code == sqlite3.SQLITE_NOTADB or "no such table" in str(error):
        sentence = f"{path} is not a database of the bot. Check DATABASE_URL."
    elif code == sqlite3.SQLITE_CORRUPT:
        sentence = f"{damaged(path)} No backup was written."
    elif code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        sentence = f"{path} cannot be read. Run this as the user who runs the bot."
    elif code == sqlite3.SQLITE_BUSY:
        sentence = f"Another program has {path} locked. Close it and try again."
    else:
        sentence = f"{path} could not be copied to {target}: {error}. Check the disks."
    return StartupRefused(sentence)
