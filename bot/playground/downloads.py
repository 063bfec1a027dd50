"""Files that came with messages, written to a folder once they are seen: a terminal has no button to save them."""

import os
import re
from itertools import count
from pathlib import Path

from bot.playground.loopback.world import Attachment, Upload

_NOT_IN_NAMES = re.compile(r"[^\w.-]|^\.+")


class Downloads:
    """No file that is there is ever overwritten. *folder* is made when the first one comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outcomes: dict[int, str] = {}

    def outcome(self, attachment: Attachment) -> str:
        """The path of the file, written at the first call; or why there is none."""
        if attachment.id not in self._outcomes:
            try:
                self._outcomes[attachment.id] = str(self._write(attachment.upload))
            except OSError as error:
                self._outcomes[attachment.id] = f"not written, {os.strerror(error.errno or 0)}"
        return self._outcomes[attachment.id]

    def _write(self, upload: Upload) -> Path:
        """One of the same name that holds the same is as good: an edit of a message brings its file again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = Path(_NOT_IN_NAMES.sub("_", upload.filename) or "file")
        for number in count(1):
            path = self._folder / (name if number == 1 else f"{name.stem}-{number}{name.suffix}")
            try:
                _create(path, upload.data)
            except FileExistsError:
                if path.is_file() and path.read_bytes() == upload.data:
                    break
            else:
                break
        return path


def _create(path: Path, data: bytes) -> None:
    """Readable for nobody else, as the memory that it may come from; whole or not at all."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            file.write(data)
            file.flush()
        except OSError:
            path.unlink()
            raise
