"""Commands are registered with Discord when they have changed, and only then."""

import hashlib
import json
import logging
from typing import Any

import discord
from discord import app_commands
from discord.http import Route

from bot.core.errors import DatabaseUnavailable
from bot.core.ports import Clock, TurnStore
from bot.discord.refusals import REQUEST_ERRORS, translate

log = logging.getLogger(__name__)

REGISTRATION_SECONDS = 60.0


async def register_commands(
    tree: app_commands.CommandTree[Any], *, application_id: int, store: TurnStore, clock: Clock
) -> None:
    """Best effort: without it the bot serves mentions, and the commands that Discord knows already."""
    fact = f"commands:{application_id}@{Route.BASE}"
    wanted = payload_hash(tree)
    try:
        if await store.read_fact(fact) == wanted:
            log.debug("the commands are registered already")
            return
        async with clock.deadline(REGISTRATION_SECONDS):
            await tree.sync()
        await store.write_fact(fact, wanted)
    except DatabaseUnavailable as error:
        log.warning("the commands' registration is not known: %s", error)
    except (*REQUEST_ERRORS, discord.app_commands.AppCommandError) as error:
        log.warning("the commands were not registered: %s; the next start tries again", translate(error))
    else:
        log.info("registered %d commands", len(tree.get_commands()))


def payload_hash(tree: app_commands.CommandTree[Any]) -> str:
    """The same for the same commands, in whichever order they were added."""
    payload = sorted((command.to_dict(tree) for command in tree.get_commands()), key=lambda one: str(one["name"]))
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
