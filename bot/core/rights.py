"""What people may know, and have erased, of what is stored of them: the values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.core.messages import Erased


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What is stored of a person."""

    messages: int = 0  # of theirs, those that others' questions brought along included
    answers: int = 0  # to them
    records: int = 0  # of what a request to the model cost, with their id

    @property
    def is_nothing(self) -> bool:
        return not (self.messages or self.answers or self.records)


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """A person was forgotten: what was theirs until then, and what the deletion reached."""

    share: Share
    erased: Erased


@dataclass(frozen=True, kw_only=True, slots=True)
class Servers:
    """Some servers, or all but them and DMs as well."""

    ids: frozenset[int]
    all_but: bool = False

    def hold(self, server: int | None) -> bool:
        return (server in self.ids) != self.all_but


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How many days messages and answers are kept: 0 is until somebody deletes them. DMs are in no server."""

    days: int = 0
    by_server: Mapping[int, int] = field(default_factory=dict)

    def days_in(self, server: int | None) -> int:
        return self.days if server is None else self.by_server.get(server, self.days)

    @property
    def terms(self) -> dict[int, Servers]:
        """Each number of days after which something is erased, and where it holds."""
        apart = {server: days for server, days in self.by_server.items() if days != self.days}
        terms = {self.days: Servers(ids=frozenset(apart), all_but=True)}
        for days in set(apart.values()):
            terms[days] = Servers(ids=frozenset(server for server, its_days in apart.items() if its_days == days))
        return {days: where for days, where in terms.items() if days}


@dataclass(frozen=True, kw_only=True, slots=True)
class Expired:
    """What was too old and is erased."""

    questions: int
    answers: int
    go_on_after: int | None  # the id after which more may be; None: that was all
    unfinished: int | None = None  # the lowest id that must wait, since it is not done with


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the operator decided about people's data."""

    provider: str  # the host that prompts are sent to
    retention: Retention = Retention()
    url: str | None = None  # the operator's own words about it
