"""What the operator may set: the only reader of the environment and of .env.

A value that is refused is never quoted: a secret may have been pasted into the wrong line.
"""

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

from dotenv.parser import parse_stream
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from bot import setting_names
from bot import setting_rules as rules
from bot.core.access import AccessRules
from bot.core.budgets import Limit
from bot.core.costs import ModelPrice
from bot.core.errors import StartupRefused
from bot.core.tokens import system_tokens
from bot.logs import LogFormat
from bot.setting_faults import (
    COMMENT_BEHIND,
    NO_TEXT,
    NOT_SET,
    SettingFault,
    fault_in_words,
    foreign_names,
    misnamed,
    refusal_lines,
    setting_fault,
)

ENV_FILE = Path(".env")

_ACCESS_LISTS = ("allowed_", "blocked_")
_BUDGETS = "budget_"
_BOUNDS = ("max_waiting", "messages_per_minute_")
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
    discord_api_url: Annotated[str, _Plain, AfterValidator(rules.discord_server)] = rules.DISCORD_API
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

    @property
    def secrets(self) -> tuple[str, ...]:
        """The exact values that no log line may hold."""
        secrets = [self.discord_token.get_secret_value()]
        if self.openai_api_key:
            secrets.append(self.openai_api_key.get_secret_value())
        if password := re.match(r"\w+://[^:/@]*:(.+)@", self.database_url.get_secret_value()):
            secrets += {password[1], unquote(password[1])}
        return tuple(secrets)


def load_settings(env_file: Path | None = ENV_FILE, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from *environ*, then *env_file*, then the defaults. Raises StartupRefused with every fault."""
    settings, faults = examine_settings(env_file, environ)
    if faults:
        raise StartupRefused("\n".join(refusal_lines(faults, env_file)))
    return settings


def load_unbounded(environ: Mapping[str, str]) -> Settings:
    """Without bounds, budgets, metrics, and the lists, which name people and channels of Discord itself.

    Whatever these are set to, be it right or wrong. Raises StartupRefused with every other fault.
    """
    unbounded: dict[str, object] = {"direct_messages": "on", "metrics_port": None, "metrics_host": "127.0.0.1"}
    for starts, nothing in ((_ACCESS_LISTS, frozenset()), (_BUDGETS, None), (_BOUNDS, 0)):
        unbounded |= dict.fromkeys((name for name in Settings.model_fields if name.startswith(starts)), nothing)
    settings, faults = examine_settings(ENV_FILE, environ)
    left_aside = {field.upper() for field in unbounded}
    if faults := [fault for fault in faults if not fault.about or fault.about - left_aside]:
        raise StartupRefused("\n".join(refusal_lines(faults, ENV_FILE)))
    return settings.model_copy(update=unbounded)


def examine_settings(
    env_file: Path | None = ENV_FILE, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, list[SettingFault]]:
    """The settings as far as they are right, and every fault. What is refused is left at its default."""
    given, faults = _read(env_file, environ)
    values = {field: value for field, value in given.items() if field not in faults}
    if not given.keys() & {"openai_api_key", "openai_base_url"}:
        faults["openai_api_key"] = NOT_SET
    try:
        settings = Settings.model_validate(values)
    except ValidationError as invalid:
        faults = _faults(invalid) | faults
        right = {field: value for field, value in values.items() if field not in faults}
        settings = Settings.model_validate({"discord_token": "", **right})
    else:
        faults |= _faults_between(settings)
    fields = list(Settings.model_fields)
    places = sorted(faults, key=lambda place: place in fields and fields.index(place))
    wrong_names, _ = _misnamed(env_file, environ)
    return settings, [*wrong_names, *(setting_fault(place, faults[place]) for place in places)]


def unheeded_names(
    env_file: Path | None = ENV_FILE, environ: Mapping[str, str] = os.environ
) -> list[SettingFault]:
    """What is no setting, and does not keep the bot from starting."""
    return _misnamed(env_file, environ)[1]


def names_given(env_file: Path | None = ENV_FILE, environ: Mapping[str, str] = os.environ) -> frozenset[str]:
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
        if field != "system_prompt" and re.search(r"\s#", given.get(field.upper(), "")):
            faults[field] = COMMENT_BEHIND  # systemd and `docker run --env-file` know none there
    return values, faults


def _misnamed(env_file: Path | None, environ: Mapping[str, str]) -> tuple[list[SettingFault], list[SettingFault]]:
    """Names that are no settings: those that keep the bot from starting, and those that are only to be told.

    The file is the operator's, the environment also other programs'. But what bounds money bounds nothing under
    another name, wherever that stands.
    """
    names = [field.upper() for field in Settings.model_fields]
    written = set(_read_file(env_file)[0]) if env_file else set()
    strange = sorted(filter(setting_names.may_be_shown, {*written, *environ} - {*names}))
    wrong, told, foreign = [], [], []
    for name in strange:
        meant, like = setting_names.meant(name, names), setting_names.is_like(name, names)
        about_money = any(each.lower().startswith(_BUDGETS) for each in meant)
        if like and (name in written or about_money):
            wrong.append(misnamed(name, meant))
        elif like or (name in written and meant):
            told.append(misnamed(name, meant))
        elif name in written:
            foreign.append(name)
    return wrong, told + ([foreign_names(env_file, foreign)] if foreign else [])


def _read_file(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}, {}
    except UnicodeDecodeError:
        return {}, {str(path): NO_TEXT}
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
    return {str(error["loc"][0]): fault_in_words(error["type"], error.get("ctx", {})) for error in errors}


def _faults_between(settings: Settings) -> dict[str, str]:
    """What is wrong between settings that are right one by one."""
    faults: dict[str, str] = {}
    token = settings.discord_token.get_secret_value()
    if settings.discord_api_url == rules.DISCORD_API and not rules.is_discords_token(token):
        faults |= {"discord_token": "is not a bot token, which has three parts joined by dots"}
    prompt = system_tokens(settings.system_prompt)
    if prompt + _LEAST_QUESTION_TOKENS > settings.history_tokens:
        faults["system_prompt"] = f"is about {prompt} tokens long and leaves no room in HISTORY_TOKENS"
    return faults
