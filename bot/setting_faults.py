"""What is said of a setting that is refused: its fault in words, and its cure."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.setting_rules import DISCORD_API

_COPY_ID = "To see ids, switch on Developer Mode in Discord (Advanced), right-click the {0}, Copy {0} ID."
_WHOSE_BUDGET = {
    "person": "each person",
    "channel": "each channel",
    "server": "each server",
    "total": "all together",
}
CURES = {
    "discord_token": "On https://discord.com/developers/applications choose your application, Bot, Reset Token, "
    "and put the token into .env.",
    "discord_api_url": f"Leave it out for Discord itself ({DISCORD_API}); otherwise an https address, "
    "or http on this machine.",
    "message_content": "auto asks Discord whether the message content intent is granted; on requires it; "
    "off does without.",
    "answer_within_minutes": "How old a message may be to be answered after the bot was away, such as 60.",
    "chat_channels": f"Ids separated by commas. {_COPY_ID.format('Channel')}",
    **{
        f"{rule}_{plural}": f"Ids separated by commas. {_COPY_ID.format(one)}"
        for rule in ("allowed", "blocked")
        for plural, one in (
            ("users", "User"),
            ("roles", "Role"),
            ("channels", "Channel"),
            ("categories", "Category"),
        )
    },
    "direct_messages": "on answers direct messages, off does not.",
    "openai_api_key": "Create one at https://platform.openai.com/api-keys, or set OPENAI_BASE_URL to a server "
    "that needs none.",
    "openai_base_url": "For example http://127.0.0.1:11434/v1, or leave it out for OpenAI itself.",
    "openai_model": "The model's name as its provider spells it, such as gpt-5.4; commas between several.",
    "model_prices": "Dollars per million tokens read, read from the cache, and written: "
    "gpt-5.4=2.50/0.25/15,my-model=0/0.",
    **{
        f"budget_{scope}_per_{period}": f"What {whose} may use in a {period}: dollars such as $0.50, or "
        "tokens such as 200000; 0 or nothing for no bound."
        for scope, whose in _WHOSE_BUDGET.items()
        for period in ("day", "month")
    },
    "max_waiting_per_person": "How many messages of one person may wait, such as 10; 0 for any number.",
    "max_waiting_per_channel": "How many messages of one channel may wait, such as 50; 0 for any number.",
    "max_waiting": "How many messages may wait in all, such as 1000; 0 for any number.",
    "messages_per_minute_per_person": "How many messages a person may write in a minute, such as 20; 0 for any.",
    "messages_per_minute_per_channel": "How many messages a channel may bring in a minute, such as 60; 0 for any.",
    "model_concurrency": "How many answers are generated at once, such as 8.",
    "model_attempts": "How often the models are asked before the bot gives up, such as 3.",
    "first_token_seconds": "How long to wait for the first word, such as 60.",
    "stall_seconds": "How long to wait for the next word, such as 30.",
    "answer_seconds": "How long an answer may take in all, such as 300.",
    "system_prompt": "A few sentences that tell the model how to behave, or a larger HISTORY_TOKENS.",
    "history_tokens": "How much of the conversation the model reads, such as 8000.",
    "summaries": "on has what leaves the model's view summarised; off lets it go.",
    "summary_model": "A model's name as its provider spells it, such as gpt-5.4-mini, or leave it out.",
    "max_answer_tokens": "How long an answer may be, the model's own thinking included, such as 4000.",
    "database_url": "sqlite:///data/bot.db, or postgresql://… with user:password@host/database behind it.",
    "retention_days": "How many days messages and answers are kept, such as 30; 0 until somebody deletes them.",
    "retention_days_by_server": "Servers and their days, such as 123456789012345678=7,234567890123456789=0. "
    + _COPY_ID.format("Server"),
    "privacy_url": "An address such as https://example.org/privacy, or leave it out.",
    "answer_buttons": "on shows Stop and Regenerate below answers; off shows neither.",
    "metrics_port": "A free port such as 9464, or leave it out: nothing is served then.",
    "metrics_host": "127.0.0.1 for this machine alone, or the address at which others may ask.",
    "shutdown_grace_seconds": "How long running answers may go on when the bot is stopped, such as 8.",
    "log_level": "INFO is right for most.",
    "log_format": "text for people, json for programs that collect logs.",
}

COMMENT_BEHIND = "has a comment behind its value: here it is allowed on a line of its own only"
_KEY_COPIED = (
    "Copy it once more, whole and alone, from where its provider shows it: https://platform.openai.com/api-keys."
)
_BEGIN_ANEW = "then: cp .env.example .env"
NOT_SET = "is not set"
NO_TEXT = "is not a text file in UTF-8"
_FILE_CURES = {
    NO_TEXT: f"Save it as plain text in UTF-8, or move it away, {_BEGIN_ANEW}",
    f"cannot be read: {os.strerror(errno.EISDIR)}": "Remove it (Docker makes a folder where the file that it is "
    f"to mount is missing), {_BEGIN_ANEW}",
    f"cannot be read: {os.strerror(errno.EACCES)}": "Make it the property of the user that runs the bot (chown).",
}

# Pydantic's names of what was wrong, and the words that go behind the setting's name.
_FAULTS = {
    "missing": NOT_SET,
    "value_error": "{error}",
    "literal_error": "must be one of {expected}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:,g}",
    "int_parsing": "is not a whole number",
    "int_from_float": "is not a whole number",
    "int_parsing_size": "is not a whole number of that size",
    "float_parsing": "is not a number",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingFault:
    """What is wrong where: *place* is a setting's name, one that is none, or a line or the whole of the file."""

    place: str
    fault: str
    cure: str
    about: frozenset[str] = frozenset()  # which settings it may concern, by name; none: all of them

    @property
    def sentence(self) -> str:
        """What is said behind the place."""
        return self.fault if self.fault.endswith("?") else f"{self.fault}."


def fault_in_words(kind: str, limits: Mapping[str, Any]) -> str:
    """*kind*: what Pydantic calls it; *limits*: what the value was to keep to."""
    return _FAULTS.get(kind, "is not acceptable").format_map(limits)


def setting_fault(place: str, fault: str) -> SettingFault:
    """*place* is a field of the settings, or of the file."""
    known = place in CURES
    cure = CURES[place] if known else _FILE_CURES.get(fault, "")
    if place == "openai_api_key" and fault != NOT_SET:
        cure = _KEY_COPIED
    about = frozenset({place.upper()} if known else ())
    return SettingFault(place=place.upper() if known else place, fault=fault, cure=cure, about=about)


def misnamed(name: str, meant: Sequence[str]) -> SettingFault:
    """*meant*: the settings that it may stand for, one at least."""
    if list(meant) == [name.upper()]:
        fault = f"is not a setting; write it in capitals: {meant[0]}"
    else:
        listed = " or ".join([", ".join(meant[:-1])] * (len(meant) > 1) + [meant[-1]])
        fault = f"is not a setting; did you mean {listed}?"
    cure = "Correct the name, or take it out: it changes nothing."
    return SettingFault(place=name, fault=fault, cure=cure, about=frozenset(meant))


def foreign_names(file: Path | None, names: Sequence[str]) -> SettingFault:
    return SettingFault(
        place=str(file),
        fault=f"has names that are no settings of confab: {', '.join(names)}",
        cure="If they are for other programs, there is nothing to do.",
    )


def refusal_lines(faults: Sequence[SettingFault], env_file: Path | None) -> Iterator[str]:
    yield "These settings need your attention:"
    for each in faults:
        yield f"\n  {each.place} {each.sentence}"
        if each.cure:
            yield f"    {each.cure}"
    file = f", then from {env_file.absolute()}" if env_file else ""
    absent = " (there is no such file)" if env_file and not env_file.exists() else ""
    yield f"\nSettings are read from the environment{file}{absent}. .env.example explains each."
    if absent:
        yield "To begin a file: cp .env.example .env"
