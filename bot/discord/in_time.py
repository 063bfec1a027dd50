"""The response to a /chat holds text while it can still be edited: "thinking…" ends a minute before."""

import logging

from bot.core.errors import BotError, ResponseExpires
from bot.core.messages import Address, ConversationKey
from bot.discord.commands.doors import Doors
from bot.discord.place import SECONDS_LEFT_TO_BEGIN

log = logging.getLogger(__name__)


async def end_thinking(key: ConversationKey, address: Address, doors: Doors, *, shown: int | None = None) -> None:
    """For a question by command: to be run beside its answer, from its being asked or from the bot's start on.

    *shown*: the message in which an earlier run of the bot began the answer, be it the response or not.
    """
    interaction = address.interaction
    if interaction is None:
        raise RuntimeError("a command has an interaction")
    left = (interaction.expires_at - doors.clock.now()).total_seconds()
    await doors.clock.sleep(max(left - SECONDS_LEFT_TO_BEGIN, 0.0))
    try:
        if not address.private:
            if shown is None or not await doors.outbox.is_original(interaction, shown):
                await doors.outbox.settle_original(interaction)
        elif not doors.intake.end_in_time(address.message_id, key):
            await doors.outbox.settle_original(interaction, ResponseExpires.user_message)
    except BotError as error:
        log.debug("interaction=%d keeps its response: %s", interaction.id, error)


async def end_thinking_left_over(doors: Doors) -> None:
    """End "thinking…" in time for the questions that an earlier run of the bot left open."""
    for command in await doors.intake.open_commands():
        question = command.question
        doors.keep(end_thinking(question.key, question.address, doors, shown=command.shown))
