"""REST: registering application commands, globally or in one guild."""

from bot.playground.loopback.commands import Commands
from bot.playground.loopback.refusals import Refusal
from bot.playground.loopback.routes import NO_CONTENT, Answer, Call, Route
from bot.playground.loopback.world import World


class CommandRoutes:
    def __init__(self, world: World, commands: Commands) -> None:
        self._world = world
        self._commands = commands

    def all(self) -> list[Route]:
        routes: list[Route] = []
        for where in ("", "/guilds/{guild_id}"):
            path = f"/applications/{{application_id}}{where}/commands"
            routes += [
                Route(method="GET", path=path, act=self._get_commands),
                Route(method="PUT", path=path, act=self._replace_commands),
                Route(method="POST", path=path, act=self._upsert_command),
                Route(method="DELETE", path=f"{path}/{{command_id}}", act=self._delete_command),
            ]
        return routes

    def _get_commands(self, call: Call) -> Answer:
        return Answer(body=self._commands.registered(self._command_guild(call)))

    def _replace_commands(self, call: Call) -> Answer:
        guild_id = self._command_guild(call)
        if not isinstance(call.body, list):
            raise Refusal(50109)
        return Answer(body=self._commands.replace(call.body, guild_id))

    def _upsert_command(self, call: Call) -> Answer:
        guild_id = self._command_guild(call)
        command, is_new = self._commands.upsert(call.fields(), guild_id)
        return Answer(status=201 if is_new else 200, body=command)

    def _delete_command(self, call: Call) -> Answer:
        self._commands.delete(call.id("command_id"), self._command_guild(call))
        return NO_CONTENT

    def _command_guild(self, call: Call) -> int:
        if call.id("application_id") != self._world.application_id:
            raise Refusal(20012)
        if "guild_id" not in call.params:
            return 0
        guild = self._world.guilds.get(call.id("guild_id"))
        if guild is None or not guild.has_bot:
            raise Refusal(50001)
        return guild.id
