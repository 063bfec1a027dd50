"""The registered application commands, and what a person may enter into them."""

import re
from collections.abc import Sequence
from typing import Any

from bot.playground.loopback.permissions import Permission
from bot.playground.loopback.refusals import Json, Refusal, invalid
from bot.playground.loopback.snowflakes import Snowflakes

NAME = re.compile(r"^[-_'\w]{1,32}$")
MOST_NAME_CHARACTERS = 32  # in the menu of a message or a person, of any kind
CHAT_INPUT, MESSAGE = 1, 3
SUBCOMMAND, SUBCOMMAND_GROUP = 1, 2
MOST_COMMANDS = {CHAT_INPUT: 100, 2: 15, MESSAGE: 15, 4: 1}
PYTHON_TYPES: dict[int, type | tuple[type, ...]] = {3: str, 4: int, 5: bool, 10: (int, float)}
IN_GUILDS, IN_BOT_DMS = 0, 1


class Commands:
    """By guild; 0 are the global ones."""

    def __init__(self, application_id: int, snowflakes: Snowflakes) -> None:
        self._application_id = application_id
        self._snowflakes = snowflakes
        self._registered: dict[int, list[Json]] = {}

    def registered(self, guild_id: int = 0) -> list[Json]:
        return self._registered.get(guild_id, [])

    def replace(self, bodies: Sequence[Json], guild_id: int = 0) -> list[Json]:
        """Register these and no others. A command that keeps its name and type keeps its id."""
        known = {_key(command): command for command in self.registered(guild_id)}
        for number, body in enumerate(bodies):
            _check(body, str(number))
        for kind, most in MOST_COMMANDS.items():
            if sum(body.get("type", CHAT_INPUT) == kind for body in bodies) > most:
                raise Refusal(30034)
        if len({_key(body) for body in bodies}) != len(bodies):
            raise invalid(
                str(len(bodies) - 1),
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            )
        commands = [self._command(body, known.get(_key(body)), guild_id) for body in bodies]
        self._registered[guild_id] = commands
        return commands

    def upsert(self, body: Json, guild_id: int = 0) -> tuple[Json, bool]:
        """The command, and whether its name is new."""
        _check(body, "0")
        others = [command for command in self.registered(guild_id) if _key(command) != _key(body)]
        known = next((each for each in self.registered(guild_id) if _key(each) == _key(body)), None)
        command = self._command(body, known, guild_id)
        self._registered[guild_id] = [*others, command]
        return command, known is None

    def delete(self, command_id: int, guild_id: int = 0) -> None:
        left = [command for command in self.registered(guild_id) if command["id"] != str(command_id)]
        if len(left) == len(self.registered(guild_id)):
            raise Refusal(10063)
        self._registered[guild_id] = left

    def find(self, name: str, guild_id: int, *, kind: int = CHAT_INPUT) -> Json:
        """The command that a person would find under this name. Raises LookupError."""
        for command in (*self.registered(guild_id), *self.registered()):
            if _key(command) == (name, kind):
                return command
        raise LookupError(f"{name} is not registered")

    def _command(self, body: Json, known: Json | None, guild_id: int) -> Json:
        permissions = body.get("default_member_permissions")
        command: Json = {
            "id": known["id"] if known else str(self._snowflakes.make()),
            "application_id": str(self._application_id),
            "version": str(self._snowflakes.make()),
            "type": body.get("type") or CHAT_INPUT,
            "name": body["name"],
            "name_localizations": body.get("name_localizations"),
            "description": body.get("description") or "",
            "description_localizations": body.get("description_localizations"),
            "default_member_permissions": None if permissions is None else str(permissions),
            "dm_permission": body.get("dm_permission") is not False,
            "contexts": body.get("contexts"),
            "integration_types": body.get("integration_types") or [0],
            "nsfw": body.get("nsfw") or False,
        }
        if body.get("options"):
            command["options"] = body["options"]
        return command if not guild_id else {**command, "guild_id": str(guild_id)}


def require_usable(command: Json, *, context: int, may: Permission) -> None:
    """Raises PermissionError where a person's client would not even offer the command."""
    contexts = command["contexts"]
    if contexts is not None and context not in contexts:
        raise PermissionError(f"/{command['name']} is not offered here")
    if context == IN_BOT_DMS and contexts is None and not command["dm_permission"]:
        raise PermissionError(f"/{command['name']} is not offered in DMs")
    needed = command["default_member_permissions"]
    if context == IN_GUILDS and needed is not None:
        wanted = int(needed)
        if wanted == 0 or int(may) & wanted != wanted:
            raise PermissionError(f"/{command['name']} needs permissions that this person does not have")


def entered(command: Json, path: Sequence[str], values: Json) -> list[Json]:
    """The interaction's options: *path* names subcommands. Raises ValueError as a client would not send it."""
    options: list[Json] = command.get("options", [])
    if not path:
        return _values(command["name"], options, values)
    inner = next(
        (each for each in options if each["name"] == path[0] and each["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP)),
        None,
    )
    if inner is None:
        raise ValueError(f"/{command['name']} has no subcommand {path[0]}")
    return [{"name": path[0], "type": inner["type"], "options": entered(inner, path[1:], values)}]


def _values(command: str, options: Sequence[Json], values: Json) -> list[Json]:
    if any(option["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP) for option in options):
        raise ValueError(f"/{command} needs a subcommand")
    known = {option["name"]: option for option in options}
    if unknown := set(values) - set(known):
        raise ValueError(f"/{command} has no option {', '.join(sorted(unknown))}")
    for name, option in known.items():
        if option.get("required") and name not in values:
            raise ValueError(f"/{command} requires {name}")
    return [_value(known[name], value) for name, value in values.items()]


def _value(option: Json, value: Any) -> Json:
    name = option["name"]
    if not isinstance(value, PYTHON_TYPES.get(option["type"], str)):
        raise ValueError(f"{name}: not of type {option['type']}")  # noqa: TRY004 -- one error for wrong input
    choices = option.get("choices")
    if choices and value not in [choice["value"] for choice in choices]:
        raise ValueError(f"{name}: not one of its choices")
    if isinstance(value, str):
        shortest, longest = option.get("min_length") or 0, option.get("max_length") or 6000
        if not shortest <= len(value) <= longest:
            raise ValueError(f"{name}: not between {shortest} and {longest} characters")
    return {"name": name, "type": option["type"], "value": value}


def _key(command: Json) -> tuple[str, int]:
    return command["name"], command.get("type") or CHAT_INPUT


def _check(body: Json, where: str) -> None:
    name = body.get("name", "")
    chat_input = (body.get("type") or CHAT_INPUT) == CHAT_INPUT
    if chat_input and (not NAME.match(name) or name != name.lower()):
        raise invalid(f"{where}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if chat_input and not 1 <= len(body.get("description") or "") <= 100:  # noqa: PLR2004 -- Discord's limit
        raise invalid(f"{where}.description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    if not chat_input and not 1 <= len(name) <= MOST_NAME_CHARACTERS:
        raise invalid(f"{where}.name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length.")
    if not chat_input and (body.get("description") or body.get("options")):
        raise invalid(where, "APPLICATION_COMMAND_MENU_ONLY_NAME", "Such a command has a name and nothing more")
    if len(body.get("options") or ()) > 25:  # noqa: PLR2004 -- Discord's limit
        raise invalid(f"{where}.options", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
