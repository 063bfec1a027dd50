"""What is typed behind a command, as its options. What is unclear is refused: it might be meant to be private."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.playground.loopback.refusals import Json

_BOOLEAN = 5  # the type of a command's option, as Discord numbers them

Choices = Mapping[str, Any]  # what may be typed, in small letters, to what it means


def entered(command: str, options: Sequence[Json], text: str) -> Json:
    """`private: True` and the like at either end, the rest is the text of the first option that takes one.

    Raises ValueError with a sentence.
    """
    values: Json = {}
    choices = {option["name"]: offered for option in options if (offered := _choices(option))}
    named = rf"(?<![\w-])(?P<name>{'|'.join(choices) or '(?!)'})\s*:\s*(?P<value>\S*)"
    first, last = re.compile(named, re.IGNORECASE), re.compile(rf"{named}\Z", re.IGNORECASE)
    while found := first.match(text) or last.search(text):
        name, value = found["name"].casefold(), found["value"].casefold()
        if value not in choices[name]:
            raise ValueError(f"{name}: takes {' or '.join(choices[name])}.")
        if name in values:
            raise ValueError(f"{name}: is there twice.")
        values[name] = choices[name][value]
        text = (text[: found.start()] + text[found.end() :]).strip()
    if astray := first.search(text):
        raise ValueError(f"{astray['name']}: belongs before the text or behind it: /{command} {astray[0]} …")
    if text:
        free = [option["name"] for option in options if option["name"] not in choices]
        chosen = [option["name"] for option in options if option["type"] != _BOOLEAN]
        if not chosen:
            raise ValueError(f"/{command} takes nothing of the kind behind it.")
        name = (free or chosen)[0]
        values[name] = text.removeprefix(f"{name}:").strip()
    return values


def _choices(option: Json) -> Choices:
    """What there is to choose from; nothing where any text will do."""
    if option["type"] == _BOOLEAN:
        return {"true": True, "false": False}
    return {str(choice["value"]).casefold(): choice["value"] for choice in option.get("choices", ())}
