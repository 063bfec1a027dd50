"""How the loopback Discord is furnished: more people, guilds, channels, and what the bot may do there."""

from bot.core.ports import Clock
from bot.playground.loopback import permissions
from bot.playground.loopback.events import Events
from bot.playground.loopback.snowflakes import Snowflakes
from bot.playground.loopback.world import Channel, ChannelType, Guild, Overwrite, Role, User, World


class Furnishing:
    """A part of LoopbackDiscord, which has the attributes. What is added appears in sessions under way."""

    world: World
    clock: Clock
    _events: Events
    _snowflakes: Snowflakes

    @property
    def guild(self) -> Guild:
        """The first guild: "Playground", in the default world."""
        return next(iter(self.world.guilds.values()))

    def user(self, name: str) -> User:
        return next(user for user in self.world.users.values() if user.name == name)

    def channel(self, name: str) -> Channel:
        """The channel or thread of this name, "#general" or "general"."""
        wanted = name.removeprefix("#")
        return next(each for each in self.world.channels.values() if each.name == wanted and each.guild)

    def add_user(
        self,
        name: str,
        *,
        display_name: str | None = None,
        bot: bool = False,
        id: int | None = None,  # noqa: A002 -- Discord's word for it
    ) -> User:
        user = User(id=id or self._snowflakes.make(), name=name, display_name=display_name, bot=bot)
        self.world.users[user.id] = user
        return user

    def add_guild(self, name: str, *, owner: User | None = None) -> Guild:
        guild = Guild(
            id=self._snowflakes.make(),
            name=name,
            owner=owner or self.guild.owner,
            joined_at=self.clock.now(),
        )
        guild.roles.append(Role(id=guild.id, name="@everyone"))
        self.world.guilds[guild.id] = guild
        self._events.guild_arrived(guild)
        return guild

    def add_role(self, guild: Guild, name: str) -> Role:
        """A role that can be mentioned. Sessions learn of it when they begin."""
        role = Role(id=self._snowflakes.make(), name=name)
        guild.roles.append(role)
        return role

    def give_role(self, guild: Guild, user: User, role: Role) -> None:
        """Nobody is told: an app without the members intent hears only of its own roles."""
        guild.member_roles.setdefault(user.id, []).append(role)

    def add_channel(
        self,
        guild: Guild,
        name: str,
        *,
        type: int = 0,  # noqa: A002 -- Discord's word for it
        parent: Channel | None = None,
    ) -> Channel:
        channel = Channel(
            id=self._snowflakes.make(),
            name=name,
            type=type,
            guild=guild,
            parent=parent,
            created_at=self.clock.now(),
        )
        self.world.channels[channel.id] = channel
        self._events.channel_created(channel)
        return channel

    def add_thread(
        self, channel: Channel, name: str, *, private: bool = False, bot_is_member: bool = True
    ) -> Channel:
        """A thread, or a forum's post. Who is not a member of a private one does not know of it."""
        thread = Channel(
            id=self._snowflakes.make(),
            name=name,
            type=ChannelType.PRIVATE_THREAD if private else ChannelType.PUBLIC_THREAD,
            guild=channel.guild,
            parent=channel,
            owner=channel.guild.owner if channel.guild else None,
            bot_is_member=bot_is_member,
            created_at=self.clock.now(),
        )
        self.world.channels[thread.id] = thread
        self._events.channel_created(thread)
        return thread

    def open_dm(self, user: User) -> Channel:
        return self.world.dm(user, at=self.clock.now())

    def set_permissions(self, channel: Channel, **choices: bool) -> None:
        """What the bot may do in a channel: `send_messages=False`, …; in a DM, that denies it all messages."""
        if channel.is_thread:
            raise ValueError("a thread has the permissions of the channel it belongs to")
        allow, deny = permissions.named(choices)
        channel.allow = (channel.allow | allow) & ~deny
        channel.deny = (channel.deny | deny) & ~allow
        if channel.guild is not None:
            self._events.channel_changed(channel)

    def overwrite(self, channel: Channel, of: Role | User, **choices: bool) -> None:
        """What a role, or a person other than the bot, may do in a channel."""
        allow, deny = permissions.named(choices)
        channel.overwrites[of.id] = Overwrite(of=of, allow=allow, deny=deny)
        self._events.channel_changed(channel)

    def set_member_permissions(self, guild: Guild, user: User, **choices: bool) -> None:
        """What a person may do in a guild, over or under what everyone may."""
        allow, deny = permissions.named(choices)
        may = self.world.member_permissions(guild, user)
        guild.member_permissions[user.id] = (may | allow) & ~deny
