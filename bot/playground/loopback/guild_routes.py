"""REST: a guild that the bot is in, its channels, and the bot as a member of it."""

from bot.playground.loopback import payloads
from bot.playground.loopback.refusals import Refusal
from bot.playground.loopback.routes import Answer, Call, Route
from bot.playground.loopback.world import Guild, World


class GuildRoutes:
    def __init__(self, world: World) -> None:
        self._world = world

    def all(self) -> list[Route]:
        guild = "/guilds/{guild_id}"
        return [
            Route(method="GET", path=guild, act=self._get_guild),
            Route(method="GET", path=f"{guild}/channels", act=self._get_channels),
            Route(method="GET", path=f"{guild}/members/{{user_id}}", act=self._get_member),
        ]

    def _get_guild(self, call: Call) -> Answer:
        guild = self._guild(call)
        counts = call.query.get("with_counts") in ("1", "true", "True")
        return Answer(body=payloads.fetched_guild(guild, self._world, counts=counts))

    def _get_channels(self, call: Call) -> Answer:
        """All of them, also those that the bot can't see; threads are none of them."""
        guild = self._guild(call)
        inside = [each for each in self._world.channels.values() if each.guild is guild and not each.is_thread]
        return Answer(body=[payloads.channel(each, self._world) for each in inside])

    def _get_member(self, call: Call) -> Answer:
        guild = self._guild(call)
        user = (self._world.users | {self._world.bot.id: self._world.bot}).get(call.id("user_id"))
        if user is None:
            raise Refusal(10013)
        return Answer(body=payloads.member(user, guild))

    def _guild(self, call: Call) -> Guild:
        """Raises 10004, also where the bot is not."""
        guild = self._world.guilds.get(call.id("guild_id"))
        if guild is None or not guild.has_bot:
            raise Refusal(10004)
        return guild
