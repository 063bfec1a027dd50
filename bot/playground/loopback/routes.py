"""What a REST route is: a method, a path as in Discord's OpenAPI description, and what it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.playground.loopback.refusals import Json, Refusal, invalid
from bot.playground.loopback.world import Upload


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request, read."""

    params: dict[str, str]
    query: dict[str, str]
    body: Any
    files: Sequence[Upload]

    def id(self, name: str) -> int:
        value = self.params[name]
        if not value.isdecimal():
            raise invalid(name, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
        return int(value)

    @property
    def token(self) -> str:
        return self.params.get("webhook_token") or self.params["interaction_token"]

    def fields(self) -> Json:
        if not isinstance(self.body, dict):
            raise Refusal(50109)
        return self.body


@dataclass(frozen=True, kw_only=True)
class Answer:
    """*body* None: no content."""

    status: int = 200
    body: Any = None


NO_CONTENT = Answer(status=204)


@dataclass(frozen=True, kw_only=True)
class Route:
    method: str
    path: str
    act: Callable[[Call], Answer]
    public: bool = False  # needs no token of the bot's
