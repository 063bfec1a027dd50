"""Users, guilds, channels and the application as JSON, exactly as Discord writes them."""

from datetime import UTC, datetime

from bot.playground.loopback.permissions import EVERYONE
from bot.playground.loopback.refusals import Json
from bot.playground.loopback.world import Channel, ChannelType, Guild, Overwrite, Role, User, World

MESSAGE_CONTENT_LIMITED_FLAG = 1 << 19


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def user(who: User) -> Json:
    payload: Json = {
        "id": str(who.id),
        "username": who.name,
        "global_name": who.display_name,
        "discriminator": "0",
        "avatar": None,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }
    return {**payload, "bot": True} if who.bot else payload


def own_user(who: User) -> Json:
    return {**user(who), "mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}


def bare_member(who: User, guild: Guild) -> Json:
    """A member without its user, as in messages."""
    return {
        "roles": [str(each.id) for each in guild.member_roles.get(who.id, [])],
        "nick": None,
        "avatar": None,
        "banner": None,
        "joined_at": timestamp(guild.joined_at),
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }


def member(who: User, guild: Guild) -> Json:
    return {**bare_member(who, guild), "user": user(who)}


def role(of: Role, *, everyone: bool) -> Json:
    return {
        "id": str(of.id),
        "name": of.name,
        "description": None,
        "permissions": str(int(EVERYONE)) if everyone else "0",
        "position": 0 if everyone else 1,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": not everyone,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def channel(of: Channel, world: World, *, in_guild: bool = False) -> Json:
    """A channel of any kind; *in_guild* leaves out the guild's id, as inside of GUILD_CREATE."""
    if of.type == ChannelType.DM:
        return _dm(of)
    payload = _thread(of, world) if of.is_thread else _guild_channel(of, world)
    if of.guild is not None and not in_guild:
        payload["guild_id"] = str(of.guild.id)
    return payload


def _dm(of: Channel) -> Json:
    return {
        "id": str(of.id),
        "type": of.type,
        "flags": 0,
        "last_message_id": _id(of.last_message_id),
        "recipients": [user(of.recipient)] if of.recipient else [],
    }


def _guild_channel(of: Channel, world: World) -> Json:
    payload: Json = {
        "id": str(of.id),
        "type": of.type,
        "name": of.name,
        "position": 0,
        "flags": 0,
        "parent_id": _id(of.parent.id if of.parent else None),
        "permission_overwrites": _overwrites(of, world),
    }
    if of.type == ChannelType.CATEGORY:
        return payload
    payload |= {
        "topic": None,
        "nsfw": False,
        "rate_limit_per_user": 0,
        "last_message_id": _id(of.last_message_id),
    }
    if of.type == ChannelType.VOICE:
        payload |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    if of.type in (ChannelType.FORUM, ChannelType.MEDIA):
        payload |= {
            "available_tags": [],
            "default_reaction_emoji": None,
            "default_sort_order": None,
            "default_forum_layout": 0,
        }
    return payload


def _overwrites(of: Channel, world: World) -> list[Json]:
    own = Overwrite(of=world.bot, allow=of.allow, deny=of.deny)
    return [
        {
            "id": str(each.of.id),
            "type": 0 if isinstance(each.of, Role) else 1,
            "allow": str(int(each.allow)),
            "deny": str(int(each.deny)),
        }
        for each in (own, *of.overwrites.values())
        if each.allow or each.deny
    ]


def _thread(of: Channel, world: World) -> Json:
    count = len(of.messages)
    payload: Json = {
        "id": str(of.id),
        "type": of.type,
        "name": of.name,
        "flags": 0,
        "parent_id": _id(of.parent.id if of.parent else None),
        "owner_id": str((of.owner or world.bot).id),
        "last_message_id": _id(of.last_message_id),
        "rate_limit_per_user": 0,
        "message_count": count,
        "total_message_sent": count,
        "member_count": 1,
        "thread_metadata": {
            "archived": of.archived,
            "locked": of.locked,
            "archive_timestamp": timestamp(of.created_at),
            "create_timestamp": timestamp(of.created_at),
            "auto_archive_duration": 1440,
        },
    }
    if of.type == ChannelType.PRIVATE_THREAD:
        payload["thread_metadata"]["invitable"] = True
        if of.bot_is_member:
            payload["member"] = {
                "id": str(of.id),
                "user_id": str(world.bot.id),
                "join_timestamp": timestamp(of.created_at),
                "flags": 0,
            }
    return payload


def guild(of: Guild, world: World) -> Json:
    """GUILD_CREATE's object; its members are those an app without the members intent gets: itself."""
    inside = [place for place in world.channels.values() if place.guild is of]
    return {
        "id": str(of.id),
        "name": of.name,
        "owner_id": str(of.owner.id),
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "banner": None,
        "description": None,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw": False,
        "nsfw_level": 0,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "preferred_locale": "en-US",
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "safety_alerts_channel_id": None,
        "application_id": None,
        "vanity_url_code": None,
        "max_members": 500_000,
        "max_video_channel_users": 25,
        "features": [],
        "emojis": [],
        "stickers": [],
        "roles": [role(each, everyone=each.id == of.id) for each in of.roles],
        "joined_at": timestamp(of.joined_at),
        "large": False,
        "unavailable": False,
        "member_count": len(world.users) + 1,
        "members": [member(world.bot, of)],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "channels": [channel(each, world, in_guild=True) for each in inside if not each.is_thread],
        "threads": [
            channel(each, world, in_guild=True)
            for each in inside
            if each.is_thread and not each.archived and world.permissions(each)
        ],
    }


# What GUILD_CREATE tells beyond `GET /guilds/{guild.id}`.
_TOLD_BY_THE_GATEWAY = (
    "joined_at",
    "large",
    "unavailable",
    "member_count",
    "members",
    "presences",
    "voice_states",
    "stage_instances",
    "guild_scheduled_events",
    "soundboard_sounds",
    "channels",
    "threads",
)


def fetched_guild(of: Guild, world: World, *, counts: bool) -> Json:
    """`GET /guilds/{guild.id}`."""
    payload = {name: value for name, value in guild(of, world).items() if name not in _TOLD_BY_THE_GATEWAY}
    payload |= {
        "home_header": None,
        "widget_enabled": False,
        "widget_channel_id": None,
        "max_presences": None,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "incidents_data": None,
    }
    if counts:
        members = len(world.users) + 1
        payload |= {"approximate_member_count": members, "approximate_presence_count": members}
    return payload


def own_guild(of: Guild) -> Json:
    """One of `GET /users/@me/guilds`."""
    return {
        "id": str(of.id),
        "name": of.name,
        "icon": None,
        "banner": None,
        "owner": False,
        "permissions": str(int(EVERYONE)),
        "features": [],
    }


def application_flags(world: World) -> int:
    """Either flag means the same for a bot: it may ask for the intent. An unverified app has the second."""
    return MESSAGE_CONTENT_LIMITED_FLAG if world.message_content_granted else 0


def application(world: World, owner: User) -> Json:
    flags = application_flags(world)
    return {
        "id": str(world.application_id),
        "name": world.bot.name,
        "icon": None,
        "description": "",
        "type": None,
        "bot": user(world.bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "integration_types_config": {"0": {}, "1": {}},
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": user(owner),
        "approximate_guild_count": len(world.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "event_webhooks_url": None,
        "event_webhooks_status": 1,
        "event_webhooks_types": [],
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
    }


def _id(snowflake: int | None) -> str | None:
    return None if snowflake is None else str(snowflake)
