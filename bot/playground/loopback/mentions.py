"""Whom a text mentions, and who of them is pinged after `allowed_mentions`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.playground.loopback.permissions import Permission
from bot.playground.loopback.refusals import invalid
from bot.playground.loopback.world import Channel, Role, User, World

CODE = re.compile(r"```.*?```|``.+?``|`[^`]+`", re.DOTALL)
USER = re.compile(r"<@!?(\d+)>")
ROLE = re.compile(r"<@&(\d+)>")
EVERYONE = re.compile(r"@(everyone|here)\b")
MOST_IDS = 100


@dataclass(frozen=True, kw_only=True)
class Mentions:
    users: Sequence[User] = ()
    roles: Sequence[Role] = ()
    everyone: bool = False


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """The object that Discord calls "allowed mentions". *replied_user*: None is Discord's default."""

    users: bool = False
    roles: bool = False
    everyone: bool = False
    user_ids: frozenset[int] = frozenset()
    role_ids: frozenset[int] = frozenset()
    replied_user: bool = False


# What Discord does without the field, in messages, and in answers to interactions.
IN_MESSAGES = Allowed(users=True, roles=True, everyone=True, replied_user=True)
IN_INTERACTIONS = Allowed(users=True, replied_user=True)


def read_allowed(body: dict[str, Any], *, default: Allowed) -> Allowed:
    """The field of a request's body. Raises 50035 for the combinations that Discord refuses."""
    given = body.get("allowed_mentions")
    if given is None:
        return default
    parse = set(given.get("parse") or ())
    ids = {kind: given.get(kind) or () for kind in ("users", "roles")}
    if unknown := parse - {"users", "roles", "everyone"}:
        raise invalid("allowed_mentions.parse", "BASE_TYPE_CHOICES", f"Not a type: {sorted(unknown)}")
    for kind, listed in ids.items():
        if listed and kind in parse:
            raise invalid(
                f"allowed_mentions.{kind}", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", "Mutually exclusive."
            )
        if len(listed) > MOST_IDS:
            raise invalid(f"allowed_mentions.{kind}", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer.")
    return Allowed(
        users="users" in parse,
        roles="roles" in parse,
        everyone="everyone" in parse,
        user_ids=frozenset(map(int, ids["users"])),
        role_ids=frozenset(map(int, ids["roles"])),
        replied_user=bool(given.get("replied_user", False)),
    )


def find(content: str, *, world: World, channel: Channel) -> Mentions:
    """Everybody a text names; what stands in code is not a mention."""
    text = CODE.sub(" ", content)
    guild_roles = {role.id: role for role in channel.guild.roles} if channel.guild else {}
    known = world.users | {world.bot.id: world.bot}
    users = dict.fromkeys(int(found) for found in USER.findall(text))
    roles = dict.fromkeys(int(found) for found in ROLE.findall(text))
    return Mentions(
        users=tuple(known[user] for user in users if user in known),
        roles=tuple(guild_roles[role] for role in roles if role in guild_roles),
        everyone=channel.guild is not None and bool(EVERYONE.search(text)),
    )


def pinged(
    content: str, *, allowed: Allowed, replied_to: User | None, world: World, channel: Channel, may: Permission
) -> Mentions:
    """Who is left of those that *content* names, and the author replied to; *may* is what its writer may."""
    named = find(content, world=world, channel=channel)
    users = [user for user in named.users if allowed.users or user.id in allowed.user_ids]
    if replied_to is not None and allowed.replied_user and replied_to not in users:
        users.append(replied_to)
    may_mention_all = bool(may & Permission.MENTION_EVERYONE)
    return Mentions(
        users=tuple(users),
        roles=tuple(
            role for role in named.roles if may_mention_all and (allowed.roles or role.id in allowed.role_ids)
        ),
        everyone=named.everyone and allowed.everyone and may_mention_all,
    )
