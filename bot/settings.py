"""What the operator may set: the only reader of the environment and of .env.

A value that is refused is never quoted: a secret may have been pasted into the wrong line.
"""

import errno
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from dotenv.parser import parse_stream
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from bot import setting_rules as rules
from bot.core.access import AccessRules
from bot.core.budgets import Limit
from bot.core.costs import ModelPrice
from bot.core.errors import StartupRefused
from bot.core.tokens import system_tokens
from bot.logs import LogFormat

DISCORD_API = "https://discord.com/api/v10"
_ACCESS_LISTS = ("allowed_", "blocked_")
_BOUNDS = ("max_waiting", "messages_per_minute_")
_LIKENESS_OF_A_TYPO = 0.8  # difflib's ratio; OPENAI_KEY for OPENAI_API_KEY has 0.83
_LEAST_QUESTION_TOKENS = 200

_Plain = BeforeValidator(rules.no_secret)
_Seconds = Annotated[float, _Plain, Field(gt=0, le=3600)]
_Bound = Annotated[int, Field(ge=0, le=10_000)]
_Days = Annotated[int, Field(ge=0, le=36_500)]
_Budget = Annotated[Limit | None, _Plain, BeforeValidator(rules.budget)]
_Ids = Annotated[frozenset[int], BeforeValidator(rules.ids)]
_Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Settings(BaseModel):
    """Everything that can be set. A field is read from the variable of its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    discord_token: Annotated[SecretStr, AfterValidator(rules.bot_token)]
    discord_api_url: Annotated[str, _Plain, AfterValidator(rules.discord_server)] = DISCORD_API
    message_content: Annotated[Literal["auto", "on", "off"], BeforeValidator(rules.small_letters)] = "auto"
    answer_within_minutes: Annotated[float, _Plain, Field(gt=0, le=1440)] = 60
    chat_channels: _Ids = frozenset()

    allowed_users: _Ids = frozenset()
    blocked_users: _Ids = frozenset()
    allowed_roles: _Ids = frozenset()
    blocked_roles: _Ids = frozenset()
    allowed_channels: _Ids = frozenset()
    blocked_channels: _Ids = frozenset()
    allowed_categories: _Ids = frozenset()
    blocked_categories: _Ids = frozenset()
    direct_messages: Annotated[Literal["on", "off"], BeforeValidator(rules.small_letters)] = "on"

    openai_api_key: Annotated[SecretStr | None, AfterValidator(rules.api_key)] = None
    openai_base_url: Annotated[str | None, _Plain, AfterValidator(rules.model_server)] = None
    openai_model: Annotated[str, _Plain, AfterValidator(rules.model_names)] = "gpt-5.4"
    model_prices: Annotated[dict[str, ModelPrice], _Plain, BeforeValidator(rules.model_prices)] = {}
    budget_person_per_day: _Budget = None
    budget_person_per_month: _Budget = None
    budget_channel_per_day: _Budget = None
    budget_channel_per_month: _Budget = None
    budget_server_per_day: _Budget = None
    budget_server_per_month: _Budget = None
    budget_total_per_day: _Budget = None
    budget_total_per_month: _Budget = None
    max_waiting_per_person: _Bound = 10
    max_waiting_per_channel: _Bound = 50
    max_waiting: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    messages_per_minute_per_person: _Bound = 20
    messages_per_minute_per_channel: _Bound = 60

    model_concurrency: Annotated[int, Field(ge=1, le=1_000)] = 8
    model_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    first_token_seconds: _Seconds = 60
    stall_seconds: _Seconds = 30
    answer_seconds: _Seconds = 300

    system_prompt: Annotated[str, _Plain, Field(repr=False)] = "You are a friendly assistant!"
    history_tokens: Annotated[int, Field(ge=256, le=2_000_000)] = 8_000
    summaries: Annotated[Literal["on", "off"], BeforeValidator(rules.small_letters)] = "on"
    summary_model: Annotated[str | None, _Plain, AfterValidator(rules.optional_model_names)] = None
    max_answer_tokens: Annotated[int, Field(ge=16, le=200_000)] = 4_000

    database_url: Annotated[SecretStr, AfterValidator(rules.database)] = SecretStr("sqlite:///data/bot.db")
    retention_days: _Days = 0
    retention_days_by_server: Annotated[dict[int, _Days], BeforeValidator(rules.days_by_id)] = {}
    privacy_url: Annotated[str | None, _Plain, AfterValidator(rules.policy_page)] = None
    answer_buttons: Annotated[Literal["on", "off"], BeforeValidator(rules.small_letters)] = "on"
    metrics_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    metrics_host: Annotated[str, _Plain, Field(pattern=r"^\S+$", max_length=255)] = "127.0.0.1"
    shutdown_grace_seconds: Annotated[float, Field(ge=0, le=600)] = 8
    log_level: Annotated[_Level, BeforeValidator(rules.capitals)] = "INFO"
    log_format: Annotated[LogFormat, BeforeValidator(rules.small_letters)] = "text"

    @property
    def openai_models(self) -> list[str]:
        """The one to prefer first."""
        return self.openai_model.split(",")

    @property
    def summary_models(self) -> list[str]:
        """Those that summaries are asked of; none: the ones that answer, or there are no summaries."""
        return self.summary_model.split(",") if self.summary_model and self.summaries == "on" else []

    @property
    def paid_models(self) -> list[str]:
        return list(dict.fromkeys([*self.openai_models, *self.summary_models]))

    @property
    def access(self) -> AccessRules:
        lists = {name: getattr(self, name) for name in type(self).model_fields if name.startswith(_ACCESS_LISTS)}
        return AccessRules(**lists, direct_messages=self.direct_messages == "on")

    def for_everybody(self) -> "Settings":
        """Without bounds and budgets, and without the lists, which name people and channels of Discord itself."""
        changes: dict[str, object] = {"direct_messages": "on"}
        for starts, unbounded in ((_ACCESS_LISTS, frozenset()), ("budget_", None), (_BOUNDS, 0)):
            changes |= dict.fromkeys(
                (name for name in type(self).model_fields if name.startswith(starts)), unbounded
            )
        return self.model_copy(update=changes)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The exact values that no log line may hold."""
        secrets = [self.discord_token.get_secret_value()]
        if self.openai_api_key:
            secrets.append(self.openai_api_key.get_secret_value())
        if password := re.match(r"\w+://[^:/@]*:(.+)@", self.database_url.get_secret_value()):
            secrets += {password[1], unquote(password[1])}
        return tuple(secrets)


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingFault:
    """What is wrong where: *place* is a setting's name, or a line or the whole of the file."""

    place: str
    fault: str
    cure: str


_COPY_ID = "To see ids, switch on Developer Mode in Discord (Advanced), right-click the {0}, Copy {0} ID."
_WHOSE_BUDGET = {
    "person": "each person",
    "channel": "each channel",
    "server": "each server",
    "total": "all together",
}
_CURES = {
    "discord_token": "On https://discord.com/developers/applications choose your application, Bot, Reset Token, "
    "and put the token here.",
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

_BEGIN_ANEW = "then: cp .env.example .env"
_NO_TEXT = "is not a text file in UTF-8"
_FILE_CURES = {
    _NO_TEXT: f"Save it as plain text in UTF-8, or move it away, {_BEGIN_ANEW}",
    f"cannot be read: {os.strerror(errno.EISDIR)}": "Remove it (Docker makes a folder where the file that it is "
    f"to mount is missing), {_BEGIN_ANEW}",
    f"cannot be read: {os.strerror(errno.EACCES)}": "Make it the property of the user that runs the bot (chown).",
}

# Pydantic's names of what was wrong, and the words that go behind the setting's name.
_FAULTS = {
    "missing": "is not set",
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


def load_settings(env_file: Path | None = Path(".env"), environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from *environ*, then *env_file*, then the defaults. Raises StartupRefused with every fault."""
    settings, faults = examine_settings(env_file, environ)
    if faults:
        raise StartupRefused("\n".join(_refusal_lines(faults, env_file)))
    return settings


def examine_settings(
    env_file: Path | None = Path(".env"), environ: Mapping[str, str] = os.environ
) -> tuple[Settings, list[SettingFault]]:
    """The settings as far as they are right, and every fault. What is refused is left at its default."""
    values, faults = _read(env_file, environ)
    if not values.keys() & {"openai_api_key", "openai_base_url"}:
        faults["openai_api_key"] = "is not set"
    try:
        settings = Settings.model_validate(values)
    except ValidationError as invalid:
        faults |= _faults(invalid)
        right = {field: value for field, value in values.items() if field not in faults}
        settings = Settings.model_validate({"discord_token": "", **right})
    else:
        faults |= _faults_between(settings)
    fields = list(Settings.model_fields)
    places = sorted(faults, key=lambda place: place in fields and fields.index(place))
    return settings, [_setting_fault(place, faults[place]) for place in places]


def names_given(env_file: Path | None = Path(".env"), environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """The names of the settings that are given a value, be it right or wrong."""
    return frozenset(name.upper() for name in _read(env_file, environ)[0])


def _read(env_file: Path | None, environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The given values by field, and what is wrong with the file: fault by place."""
    written, faults = _read_file(env_file) if env_file else ({}, {})
    given = {name: _unquoted(value.strip()) for name, value in environ.items()}
    values = {}
    for field in Settings.model_fields:
        if value := given.get(field.upper()) or written.get(field.upper(), ""):
            values[field] = value
    missing = [field.upper() for field in Settings.model_fields if field not in values]
    for name in sorted(written.keys() - {field.upper() for field in Settings.model_fields}):
        if meant := get_close_matches(name.upper(), missing, n=1, cutoff=_LIKENESS_OF_A_TYPO):
            faults[name] = f"is not a setting; did you mean {meant[0]}?"
    return values, faults


def _read_file(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}, {}
    except UnicodeDecodeError:
        return {}, {str(path): _NO_TEXT}
    except OSError as error:
        return {}, {str(path): f"cannot be read: {os.strerror(error.errno or 0)}"}
    values, faults = {}, {}
    for binding in parse_stream(io.StringIO(text)):
        source = binding.original.string
        if binding.error or (binding.key and binding.value is None):
            line = binding.original.line + source[: len(source) - len(source.lstrip())].count("\n")
            faults[f"Line {line} of {path}"] = "is not NAME=value, or lacks a closing quote"
        elif binding.key:
            values[binding.key] = (binding.value or "").strip()
    return values, faults


def _unquoted(value: str) -> str:
    """Without the quotes that `docker run --env-file` leaves in place."""
    inner = value[1:-1]
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" and value[0] not in inner
    return inner.strip() if quoted else value


def _faults(invalid: ValidationError) -> dict[str, str]:
    errors = invalid.errors(include_input=False, include_url=False)
    return {str(error["loc"][0]): _fault(error["type"], error.get("ctx", {})) for error in errors}


def _fault(kind: str, limits: Mapping[str, Any]) -> str:
    return _FAULTS.get(kind, "is not acceptable").format_map(limits)


def _faults_between(settings: Settings) -> dict[str, str]:
    """What is wrong between settings that are right one by one."""
    faults: dict[str, str] = {}
    token = settings.discord_token.get_secret_value()
    if settings.discord_api_url == DISCORD_API and not rules.is_discords_token(token):
        faults |= {"discord_token": "is not a bot token, which has three parts joined by dots"}
    prompt = system_tokens(settings.system_prompt)
    if prompt + _LEAST_QUESTION_TOKENS > settings.history_tokens:
        faults["system_prompt"] = f"is about {prompt} tokens long and leaves no room in HISTORY_TOKENS"
    return faults


def _setting_fault(place: str, fault: str) -> SettingFault:
    known = place in Settings.model_fields
    cure = _CURES[place] if known else _FILE_CURES.get(fault, "")
    return SettingFault(place=place.upper() if known else place, fault=fault, cure=cure)


def _refusal_lines(faults: Sequence[SettingFault], env_file: Path | None) -> Iterator[str]:
    yield "These settings need your attention:"
    for each in faults:
        yield f"\n  {each.place} {each.fault}" + ("" if each.fault.endswith("?") else ".")
        if each.cure:
            yield f"    {each.cure}"
    file = f", then from {env_file.absolute()}" if env_file else ""
    absent = " (there is no such file)" if env_file and not env_file.exists() else ""
    yield f"\nSettings are read from the environment{file}{absent}. .env.example explains each."
    if absent:
        yield "To begin a file: cp .env.example .env"
