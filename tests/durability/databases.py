"""New databases for those who go through many of them."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.postgresql import new_database, postgresql_server


class Databases:
    """A PostgreSQL server starts when the first of its databases is wanted, unless *server* is there."""

    def __init__(self, server: Any = None) -> None:
        self._kept = ExitStack()
        self._server = server
        self._made = 0

    @contextmanager
    def new(self, kind: str) -> Iterator[str]:
        """An empty "sqlite" or "postgresql" database; its URL."""
        if kind == "postgresql":
            self._server = self._server or self._kept.enter_context(postgresql_server())
            self._made += 1
            yield new_database(self._server, f"made_{self._made}")
        else:
            with tempfile.TemporaryDirectory() as folder:
                yield f"sqlite:///{folder}/bot.db"

    def close(self) -> None:
        self._kept.close()
