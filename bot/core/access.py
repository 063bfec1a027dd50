"""Whom the bot answers, and where: lists of ids that allow or block. A block always wins."""

from dataclasses import dataclass

from bot.core.errors import AccessRefused, DirectMessagesOff, PersonRefused, PlaceRefused
from bot.core.ports import Clock

AN_HOUR = 3600.0

NO_IDS: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """Where somebody writes, by every id that names it. A DM is in no category."""

    channel_ids: tuple[int, ...]  # the channel's and, of a thread, its parent's
    category_id: int | None = None
    direct: bool = False
    complete: bool = True  # False: Discord has not told yet what is above the channel


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """Who writes, and where. In a DM nobody has roles."""

    user_id: int
    role_ids: frozenset[int]
    location: Location


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessRules:
    """An allow list that is not empty admits only what it names: one for people, one for channels of servers."""

    allowed_users: frozenset[int] = NO_IDS
    blocked_users: frozenset[int] = NO_IDS
    allowed_roles: frozenset[int] = NO_IDS
    blocked_roles: frozenset[int] = NO_IDS
    allowed_channels: frozenset[int] = NO_IDS
    blocked_channels: frozenset[int] = NO_IDS
    allowed_categories: frozenset[int] = NO_IDS
    blocked_categories: frozenset[int] = NO_IDS
    direct_messages: bool = True

    @property
    def heed_roles(self) -> bool:
        return bool(self.allowed_roles or self.blocked_roles)

    def refuse(self, asker: Asker) -> AccessRefused | None:
        """Why the person is not answered there, or None."""
        return self.refuse_person(asker.user_id, asker.role_ids) or self.refuse_place(asker.location)

    def refuse_person(self, user_id: int, role_ids: frozenset[int]) -> AccessRefused | None:
        if user_id in self.blocked_users or self.blocked_roles & role_ids:
            return PersonRefused("blocked")
        if not self.allowed_users and not self.allowed_roles:
            return None
        named = user_id in self.allowed_users or self.allowed_roles & role_ids
        return None if named else PersonRefused("not among the ones allowed")

    def refuse_place(self, location: Location) -> AccessRefused | None:
        if not self.blocked_channels.isdisjoint(location.channel_ids):
            return PlaceRefused("blocked")
        if location.direct:
            return None if self.direct_messages else DirectMessagesOff("DIRECT_MESSAGES is off")
        if location.category_id in self.blocked_categories:
            return PlaceRefused("blocked")
        if not location.complete and (self.blocked_channels or self.blocked_categories):
            return PlaceRefused("perhaps blocked: what is above it is not known yet")
        if not self.allowed_channels and not self.allowed_categories:
            return None
        named = not self.allowed_channels.isdisjoint(location.channel_ids)
        named = named or location.category_id in self.allowed_categories
        return None if named else PlaceRefused("not among the ones allowed")


class OnceAnHour:
    """What a person is told at most so often."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[int, float] = {}

    def is_due(self, user_id: int) -> bool:
        """Whether they are to be told now; then they count as told."""
        now = self._clock.monotonic()
        self._told = {one: at for one, at in self._told.items() if now - at < AN_HOUR}
        if user_id in self._told:
            return False
        self._told[user_id] = now
        return True
