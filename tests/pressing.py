"""What tests of the buttons below answers do and look at."""

import asyncio

from tests.model_server import Answer, Gate

LONG = "The sky is blue because air scatters short waves of light far more than long ones."


def labels(message):
    return [button["label"] for row in message.components for button in row["components"]]


async def with_button(stage, message, label="Regenerate"):
    await stage.discord.until(lambda: labels(message) == [label])


async def pressed(stage, message, label, *, by=None):
    """Press the button, and wait until Discord has an answer to that."""
    press = await stage.discord.press(message, by or stage.you, label)
    await stage.discord.until(lambda: press.acknowledged)
    return press


async def whispered(stage, press):
    """What whoever pressed was told, unseen by others."""
    told = await stage.discord.until(lambda: press.original or (press.followups and press.followups[0]))
    assert told.is_ephemeral
    return told.content


async def draft(stage, text="Why?", *, author=None):
    """An answer of which some words are shown, and the gate of the rest."""
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate), Answer(text="And now?"))
    asking = asyncio.create_task(stage.ask(text, author=author))
    gate.let_out(10)
    message = await asking
    await with_button(stage, message, "Stop")
    return message, gate


def answers(stage):
    """The bot's messages, oldest first."""
    return [each for each in stage.discord.messages(stage.general) if each.author.bot]
