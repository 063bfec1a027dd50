"""The buttons below an answer, by the question that it answers."""

import re

from bot.discord.payloads import Button

STOP, AGAIN = "stop", "again"
_CUSTOM_ID = re.compile(rf"({STOP}|{AGAIN}):(\d{{1,19}})")


def stop_button(question_id: int) -> Button:
    return Button(label="Stop", custom_id=f"{STOP}:{question_id}")


def again_button(question_id: int) -> Button:
    return Button(label="Regenerate", custom_id=f"{AGAIN}:{question_id}")


def read_custom_id(custom_id: str) -> tuple[str, int] | None:
    """What is to be done, and for which question; None for what is no button of ours."""
    read = _CUSTOM_ID.fullmatch(custom_id)
    return (read[1], int(read[2])) if read else None
