"""REST: who the bot is, where it is, and where the gateway is."""

from bot.core.ports import Clock
from bot.playground.loopback import payloads
from bot.playground.loopback.gateway import Gateway
from bot.playground.loopback.gateway_line import SESSIONS_A_DAY, GatewayDoor
from bot.playground.loopback.refusals import Refusal
from bot.playground.loopback.routes import Answer, Call, Route
from bot.playground.loopback.world import World

DAY_MILLISECONDS = 86_400_000


class AboutRoutes:
    def __init__(self, world: World, gateway: Gateway, door: GatewayDoor, clock: Clock) -> None:
        self._world = world
        self._gateway = gateway
        self._door = door
        self._clock = clock

    def all(self) -> list[Route]:
        return [
            Route(method="GET", path="/gateway", act=self._get_gateway, public=True),
            Route(method="GET", path="/gateway/bot", act=self._get_bot_gateway),
            Route(method="GET", path="/users/@me", act=self._get_me),
            Route(method="GET", path="/users/@me/guilds", act=self._get_guilds),
            Route(method="POST", path="/users/@me/channels", act=self._open_dm),
            Route(method="GET", path="/users/{user_id}", act=self._get_user),
            Route(method="GET", path="/applications/@me", act=self._get_application),
            Route(method="GET", path="/oauth2/applications/@me", act=self._get_application),
        ]

    def _get_gateway(self, _: Call) -> Answer:
        return Answer(body={"url": self._gateway.address})

    def _get_bot_gateway(self, _: Call) -> Answer:
        limit = {
            "total": SESSIONS_A_DAY,
            "remaining": self._door.sessions_left,
            "reset_after": DAY_MILLISECONDS,
            "max_concurrency": 1,
        }
        return Answer(body={"url": self._gateway.address, "shards": 1, "session_start_limit": limit})

    def _get_me(self, _: Call) -> Answer:
        return Answer(body=payloads.own_user(self._world.bot))

    def _get_guilds(self, _: Call) -> Answer:
        guilds = [guild for guild in self._world.guilds.values() if guild.has_bot]
        return Answer(body=[payloads.own_guild(guild) for guild in guilds])

    def _get_user(self, call: Call) -> Answer:
        users = self._world.users | {self._world.bot.id: self._world.bot}
        user = users.get(call.id("user_id"))
        if user is None:
            raise Refusal(10013)
        return Answer(body=payloads.user(user))

    def _open_dm(self, call: Call) -> Answer:
        user = self._world.users.get(int(call.fields().get("recipient_id") or 0))
        if user is None:
            raise Refusal(10013)
        return Answer(body=payloads.channel(self._world.dm(user, at=self._clock.now()), self._world))

    def _get_application(self, _: Call) -> Answer:
        owner = next(iter(self._world.users.values()))
        return Answer(body=payloads.application(self._world, owner))
