"""What a Discord message says, in the words that the model reads and people see: names instead of ids."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from bot.core.legible import UNSEEN, legible
from bot.core.speakers import speaker_label

CODE = r"(?P<code>\\`|(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
_MARKUP = re.compile(
    rf"{CODE}"
    r"|<@!?(?P<user>\d{1,20})>"
    r"|<@&(?P<role>\d{1,20})>"
    r"|<#(?P<channel>\d{1,20})>"
    r"|<a?:(?P<emoji>\w{1,32}):\d{1,20}>"
    r"|<t:(?P<time>-?\d{1,17})(?::[a-zA-Z])?>"
    r"|</(?P<command>[-\w ]{1,100}):\d{1,20}>"
    r"|<id:(?P<place>\w{1,20})>",
    re.DOTALL,
)
_PLAIN = {"code": "{}", "emoji": ":{}:", "command": "/{}", "place": "#{}"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES_SHOWN = 3

NameOf = Callable[[int], str | None]  # by id, where it is known
_NAME_LENGTH = 40
_ENDING_LENGTH = 5


def readable(
    content: str,
    *,
    bot_id: int,
    bot_name: str,
    user_name: NameOf,
    role_name: NameOf,
    channel_name: NameOf,
    bot_role_ids: frozenset[int] = frozenset(),
) -> str:
    """*content* with mentions, custom emoji and times made readable, and without characters nobody sees.

    The bot's own mention, or its role's, goes at both ends and is its name in between. Code stays as it is, as
    Discord shows it.
    """
    bot = "|".join([f"<@!?{bot_id}>", *(f"<@&{role_id}>" for role_id in sorted(bot_role_ids))])
    named = {
        "user": ("@", user_name, "someone"),
        "role": ("@", role_name, "a-role"),
        "channel": ("#", channel_name, "a-channel"),
    }

    def read(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        if re.fullmatch(bot, match[0]):
            return speaker_label(bot_name)
        if kind in named:
            sign, name_of, unknown = named[kind]
            name = name_of(int(match[kind]))
            return sign + (speaker_label(name) if name else unknown)
        if kind == "time":
            return _time(int(match["time"]))
        return _PLAIN[kind].format(match[kind])

    return legible(_MARKUP.sub(read, _without_calls(content, bot))).strip()


def _without_calls(content: str, bot: str) -> str:
    """Without the mentions at both ends that only call the bot, and the comma or colon that went with them."""
    gap = rf"[\s{UNSEEN}]*+"
    content = re.sub(rf"\A(?:{gap}(?:{bot})(?:[,:;!.]+(?=\s|\Z))?)+", "", content)
    ending = rf"(?<![\s,])(?:[\s,]*+(?:{bot})[\s,{UNSEEN}]*+)+(?P<mark>[.!?…][\s.!?…{UNSEEN}]*)?\Z"
    return re.sub(ending, lambda match: match["mark"] or "", content)


def _time(seconds: int) -> str:
    try:
        return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"
    except OverflowError:
        return "some time"


def unread_note(
    *,
    has_text: bool,
    attachments: Sequence[str] = (),
    stickers: Sequence[str] = (),
    voice: bool = False,
    poll: bool = False,
) -> str | None:
    """One sentence for people that names what came along and the bot can't read, or None.

    *attachments* and *stickers* are names; a voice message is not among the attachments. *has_text*: there are
    words to answer, too.
    """
    seen = [
        *(["pictures or files"] if attachments else []),
        *(["stickers"] if stickers else []),
        *(["polls"] if poll else []),
    ]
    cannot = [*(["listen to voice messages"] if voice else []), *([f"look at {_either(seen)}"] if seen else [])]
    if not cannot:
        return None
    ending = "so I only read your words." if has_text else "so please tell me in words."
    return f"I can't {_either(cannot)} yet{_named([*attachments, *stickers])}, {ending}"


def _either(things: Sequence[str]) -> str:
    return " or ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)


def _named(names: Sequence[str]) -> str:
    """Up to three of *names* as code, in which Discord reads neither mentions nor markdown."""
    if not names:
        return ""
    shown = [f"`{_short(name)}`" for name in names[:_NAMES_SHOWN]]
    more = [f"{len(names) - _NAMES_SHOWN} more"] if len(names) > _NAMES_SHOWN else []
    *first, last = [*shown, *more]
    return f" ({', '.join(first)} and {last})" if first else f" ({last})"


def _short(name: str) -> str:
    name = " ".join(legible(name).replace("`", "'").split()) or "unnamed"
    if len(name) <= _NAME_LENGTH:
        return name
    stem, dot, ending = name.rpartition(".")
    kept = f"…{dot}{ending}" if stem and len(ending) <= _ENDING_LENGTH else "…"
    return name[: _NAME_LENGTH - len(kept)].rstrip() + kept
