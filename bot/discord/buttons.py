"""The buttons of ours: below an answer, by the question that it answers; to be forgotten, by the person."""

import re

import discord

from bot.core.messages import LARGEST_ID
from bot.discord.payloads import Button

STOP, AGAIN = "stop", "again"
FORGET_HERE, FORGET_EVERYWHERE = "forget-here", "forget-everywhere"
_CUSTOM_ID = re.compile(rf"({STOP}|{AGAIN}|{FORGET_HERE}|{FORGET_EVERYWHERE}):([0-9]{{1,19}})")


def stop_button(question_id: int) -> Button:
    return Button(label="Stop", custom_id=f"{STOP}:{question_id}")


def is_stop(button: Button | None) -> bool:
    return button is not None and button.custom_id.startswith(f"{STOP}:")


def again_button(question_id: int) -> Button:
    return Button(label="Regenerate", custom_id=f"{AGAIN}:{question_id}")


def forget_button(person: int, *, everywhere: bool) -> Button:
    action = FORGET_EVERYWHERE if everywhere else FORGET_HERE
    return Button(label="Forget it", custom_id=f"{action}:{person}")


def read_custom_id(custom_id: str) -> tuple[str, int] | None:
    """What is to be done, and for which question or person; None for what is no button of ours."""
    read = _CUSTOM_ID.fullmatch(custom_id)
    if read is None or int(read[2]) > LARGEST_ID:
        return None
    return read[1], int(read[2])


def button_below(message: discord.Message) -> Button | None:
    """What Discord says is below a message of ours."""
    for row in message.components:
        for shown in row.children if isinstance(row, discord.ActionRow) else ():
            if isinstance(shown, discord.Button) and shown.custom_id:
                return Button(label=shown.label or "", custom_id=shown.custom_id)
    return None
