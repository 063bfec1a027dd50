"""What a line typed in the playground asks for."""

import re
from collections.abc import Collection
from dataclasses import dataclass

_SPOKEN_BY = re.compile(r"@(\w+)(?:\s+(.*))?", re.DOTALL)
_CHANNEL = re.compile(r"#([\w-]+)")
STOP, AGAIN = "Stop", "Regenerate"  # as the bot labels its buttons
_LABELS = {"stop": STOP, "again": AGAIN}
WHY = "Why this answer?"  # as the bot's command in a message's menu is called
_COMMAND = re.compile(r"/([\w-]+)(?:\s+(.*))?", re.DOTALL)

HELP = """\
Type a message, and it is posted in this channel. What else there is:
  /chat hello      ask with a slash command
  /chat private:True hello   the same, seen by nobody else: a conversation of its own
  /reset           start the conversation anew
  /export          the conversation as a file, in data/playground/
  /history, /recall, /usage, /privacy, /forget-me   what the README says of them
  /stop            press Stop, below an answer that is being written
  /again           press Regenerate, below the last answer
  /why             choose "Why this answer?" in the menu of the bot's last answer
  /press Forget it   press any other button of the bot's, by what is on it
  @ada hello       a second person says hello; @ben, or whoever you name, a third
  #random          go to the other channel; there the bot answers only if mentioned: @confab hello
  #general         come back
  /edit new text   edit your last message here
  /delete          delete your last message here
  /help            this
  /quit            leave; so do Ctrl-C and Ctrl-D
Page Up and Page Down scroll. Start again later: the bot remembers."""


@dataclass(frozen=True, kw_only=True)
class Say:
    """Post a message. *speaker* is a name, or None for you."""

    text: str
    speaker: str | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """Use one of the bot's slash commands."""

    command: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Switch:
    channel: str


@dataclass(frozen=True, kw_only=True)
class Edit:
    text: str


@dataclass(frozen=True, kw_only=True)
class Delete:
    pass


@dataclass(frozen=True, kw_only=True)
class Press:
    """Press the newest button of this label."""

    label: str


@dataclass(frozen=True, kw_only=True)
class Choose:
    """Choose a command in the menu of the bot's last answer."""

    command: str


@dataclass(frozen=True, kw_only=True)
class Help:
    pass


@dataclass(frozen=True, kw_only=True)
class Quit:
    pass


Line = Say | Call | Switch | Edit | Delete | Press | Choose | Help | Quit
_ALONE: dict[str, Line] = {
    "delete": Delete(),
    "why": Choose(command=WHY),
    "help": Help(),
    "quit": Quit(),
    "exit": Quit(),
}


def read_line(line: str, *, addressed: Collection[str]) -> Line | None:
    """What to do for *line*, None for a blank one.

    Who is named at its beginning speaks, but for those *addressed*, who are spoken to.
    """
    line = line.strip()
    if not line:
        return None
    if spoken := _SPOKEN_BY.fullmatch(line):
        speaker, text = spoken.groups(default="")
        if speaker.casefold() not in addressed:
            return Say(speaker=speaker.casefold(), text=text)
    if channel := _CHANNEL.fullmatch(line):
        return Switch(channel=channel[1].casefold())
    if command := _COMMAND.fullmatch(line):
        name, text = command.groups(default="")
        return _read_command(name.casefold(), text)
    return Say(text=line)


def _read_command(name: str, text: str) -> Line:
    match name:
        case "edit":
            return Edit(text=text)
        case "stop" | "again" | "press":
            return Press(label=text if name == "press" else _LABELS[name])
        case _:
            return _ALONE.get(name) or Call(command=name, text=text)
