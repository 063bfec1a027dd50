"""What the bot may do in each channel of each of its servers, by the library's own rules.

Discord tells a bot of every channel of its servers, also of those that it can't see.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

import discord
from discord.abc import GuildChannel

from bot.core.access import AccessRules, Location
from bot.core.findings import Finding, State, ok, warning, wrong
from bot.core.legible import legible
from bot.core.ports import Clock
from bot.discord.refusals import REQUEST_ERRORS, is_discords, translate

# Three requests each. Somebody with more servers than these sees the rest in the log.
MOST_SERVERS = 100
SECONDS_BETWEEN_SERVERS = 0.25  # a bot that runs beside has the same 50 requests a second

_PEOPLE_TALK_IN = (
    discord.TextChannel,
    discord.ForumChannel,
    discord.VoiceChannel,
    discord.StageChannel,
)
_NEEDED = ("send_messages", "send_messages_in_threads", "read_message_history")
_CHECK = "permissions"
_GRANT = "Allow it for the bot's role: Edit Channel, Permissions."
_GRANT_OR_LEAVE = "Allow it for the bot's role (Edit Channel, Permissions), unless this is on purpose."
_CHOOSE = "Take it out of CHAT_CHANNELS, or change the lists of channels and categories."
_CHAT_CHANNELS = "Correct CHAT_CHANNELS: right-click the channel in Discord, Copy Channel ID."


@dataclass(kw_only=True)
class _Walk:
    client: discord.Client
    chat_channels: frozenset[int]
    access: AccessRules
    examined: set[int] = field(default_factory=set)  # servers
    met: dict[int, int | None] = field(default_factory=dict)  # channels, and the category of each


async def check_permissions(
    client: discord.Client, *, chat_channels: frozenset[int], access: AccessRules, clock: Clock
) -> AsyncIterator[Finding]:
    """*client* has logged in and need not be connected."""
    walk = _Walk(client=client, chat_channels=chat_channels, access=access)
    try:
        servers = [server.id async for server in client.fetch_guilds(limit=None, with_counts=False)]
    except REQUEST_ERRORS as error:
        yield _unknown("servers", error)
        return
    if not servers:
        yield warning(_CHECK, "servers", "the bot is on none", "Open the link above and invite it to one.")
    for server_id in servers[:MOST_SERVERS]:
        if walk.examined:
            await clock.sleep(SECONDS_BETWEEN_SERVERS)
        for finding in await _check_server(walk, server_id):
            yield finding
    for channel_id in sorted(chat_channels - walk.met.keys()):
        for finding in await _look_for(walk, channel_id):
            yield finding
    if left := set(servers) - walk.examined:
        yield ok(_CHECK, "servers", f"{len(left)} more were not looked at")


async def _check_server(walk: _Walk, server_id: int) -> list[Finding]:
    walk.examined.add(server_id)
    try:
        server = await walk.client.fetch_guild(server_id, with_counts=False)
        channels = await server.fetch_channels()
        me = await server.fetch_member(walk.client.user.id if walk.client.user else 0)
    except REQUEST_ERRORS as error:
        return [_unknown(f"server {server_id}", error)]
    walk.met |= {channel.id: channel.category_id for channel in channels}
    name = _name(server.name)
    if me.is_timed_out():
        until = f"{me.timed_out_until:%Y-%m-%d %H:%M} UTC"
        return [
            wrong(_CHECK, name, f"the bot is timed out until {until}", "Right-click it there, Remove Timeout.")
        ]
    return [
        *_check_channels(name, channels, me, walk.chat_channels),
        *_categories(name, channels, walk.chat_channels),
        *_left_out(name, channels, walk),
    ]


def _check_channels(
    name: str, channels: Sequence[GuildChannel], me: discord.Member, chat_channels: frozenset[int]
) -> Iterator[Finding]:
    places = [channel for channel in channels if isinstance(channel, _PEOPLE_TALK_IN)]
    allowed = {channel: channel.permissions_for(me) for channel in places}
    visible = [channel for channel in places if allowed[channel].view_channel]
    lacking = [
        finding
        for channel in places
        if (finding := _check_channel(name, channel, allowed[channel], chat_channels)) is not None
    ]
    usable = [channel for channel in visible if allowed[channel].send_messages]
    if places and not usable:
        cure = "Open the link above and invite the bot once more, which gives its role what it needs."
        yield wrong(_CHECK, name, f"the bot can write in none of the {len(places)} channels", cure)
    elif not lacking:
        hidden = len(places) - len(visible)
        yield ok(
            _CHECK,
            name,
            (f"all {len(visible)} channels ok" if len(visible) != 1 else "its one channel ok")
            + (f", {hidden} more hidden from the bot" if hidden else ""),
        )
    yield from sorted(lacking, key=lambda finding: (finding.state is State.WARNING, finding.detail))


def _check_channel(
    name: str, channel: GuildChannel, allowed: discord.Permissions, chat_channels: frozenset[int]
) -> Finding | None:
    """What is missing in one channel; elsewhere than in CHAT_CHANNELS, a channel may be hidden on purpose."""
    subject = f"{name} / #{_name(channel.name)}"
    chosen = channel.id in chat_channels
    if not allowed.view_channel:
        return wrong(_CHECK, subject, "in CHAT_CHANNELS, missing: View Channel", _GRANT) if chosen else None
    missing = [each for each in _NEEDED if not getattr(allowed, each) and _applies(each, channel)]
    if missing:
        detail = f"missing: {_listed(missing)}"
        if chosen:
            return wrong(_CHECK, subject, f"in CHAT_CHANNELS, {detail}", _GRANT)
        return warning(_CHECK, subject, detail, _GRANT_OR_LEAVE)
    if not allowed.attach_files and allowed.send_messages:  # without the second, nobody has the first
        return warning(_CHECK, subject, "missing: Attach Files, which very long answers use", _GRANT_OR_LEAVE)
    return None


def _applies(permission: str, channel: GuildChannel) -> bool:
    if isinstance(channel, discord.ForumChannel):
        return permission != "send_messages"  # which is for beginning posts
    return permission != "send_messages_in_threads" or isinstance(channel, discord.TextChannel)


def _categories(name: str, channels: Sequence[GuildChannel], chat_channels: frozenset[int]) -> Iterator[Finding]:
    for channel in channels:
        if channel.id in chat_channels and not isinstance(channel, _PEOPLE_TALK_IN):
            detail = "is in CHAT_CHANNELS, and is no channel that people write in"
            yield wrong(_CHECK, f"{name} / {_name(channel.name)}", detail, _CHAT_CHANNELS)


def _left_out(name: str, channels: Sequence[GuildChannel], walk: _Walk) -> Iterator[Finding]:
    for channel in channels:
        location = Location(channel_ids=(channel.id,), category_id=channel.category_id)
        if channel.id in walk.chat_channels and isinstance(channel, _PEOPLE_TALK_IN):
            yield from _refused(f"{name} / #{_name(channel.name)}", location, walk)


def _refused(subject: str, location: Location, walk: _Walk) -> list[Finding]:
    """A warning where one setting says to answer everything, and another nothing."""
    refusal = walk.access.refuse_place(location)
    return [warning(_CHECK, subject, f"in CHAT_CHANNELS, and {refusal}", _CHOOSE)] if refusal else []


async def _look_for(walk: _Walk, channel_id: int) -> list[Finding]:
    """One of CHAT_CHANNELS that no server told of: a thread, a channel of a server not looked at, or nothing."""
    subject = f"CHAT_CHANNELS / {channel_id}"
    try:
        channel = await walk.client.fetch_channel(channel_id)
    except REQUEST_ERRORS as error:
        if not isinstance(error, discord.NotFound | discord.Forbidden) or not is_discords(error):
            return [_unknown(subject, error)]
        if isinstance(error, discord.NotFound):
            return [wrong(_CHECK, subject, "there is no such channel", _CHAT_CHANNELS)]
        detail = "the bot can't see this channel, or is not on its server"
        return [wrong(_CHECK, subject, detail, "Invite the bot to that server, and allow its role View Channel.")]
    if isinstance(channel, discord.Thread | GuildChannel) and channel.guild.id not in walk.examined:
        return await _check_server(walk, channel.guild.id)
    if isinstance(channel, discord.Thread):
        above = channel.parent_id
        location = Location(channel_ids=(channel.id, above), category_id=walk.met.get(above))
        fine = ok(_CHECK, subject, "is a thread, with the permissions of the channel above it")
    else:
        location = Location(channel_ids=(channel_id,), direct=True)
        fine = ok(_CHECK, subject, "is a direct conversation, where everything is answered anyway")
    return _refused(subject, location, walk) or [fine]


def _listed(permissions: Sequence[str]) -> str:
    """As Discord's own settings name them."""
    names = [each.replace("_", " ").title().replace(" In ", " in ") for each in permissions]
    return " and ".join(", ".join(names).rsplit(", ", 1))


def _name(text: str) -> str:
    """People choose it: nothing in it may move a terminal's cursor."""
    return " ".join(legible(text).split())


def _unknown(subject: str, error: Exception) -> Finding:
    detail = f"Discord did not tell ({translate(error)})"
    return warning(_CHECK, subject, detail, "Try again in a minute; this need not be the bot's fault.")
