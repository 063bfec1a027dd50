import itertools
import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from bot.core.budgets import Limit
from bot.core.costs import ModelPrice
from bot.core.errors import StartupRefused
from bot.setting_faults import CURES
from bot.settings import Settings, examine_settings, load_settings, names_given, unheeded_names

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.canary-canary-canary-canary-canary-12"
KEY = "sk-proj-canary0123456789canary"
ENOUGH = {"DISCORD_TOKEN": TOKEN, "OPENAI_API_KEY": KEY}
EXAMPLE = Path(__file__).parent.parent / ".env.example"


def price(input_, cached, output):
    return ModelPrice(input=Decimal(input_), cached=Decimal(cached), output=Decimal(output))


def settings(**environ):
    return load_settings(None, ENOUGH | environ)


def refusal(env_file=None, **environ):
    with pytest.raises(StartupRefused) as refused:
        load_settings(env_file, environ)
    assert refused.value.__cause__ is None
    return str(refused.value)


@pytest.fixture
def env_file(tmp_path):
    return tmp_path / ".env"


def test_a_token_and_a_key_are_enough():
    loaded = settings()

    assert loaded.discord_token.get_secret_value() == TOKEN
    assert loaded.openai_api_key.get_secret_value() == KEY
    assert loaded.openai_model == "gpt-5.4"
    assert loaded.system_prompt == "You are a friendly assistant!"
    assert loaded.database_url.get_secret_value() == "sqlite:///data/bot.db"
    assert loaded.discord_api_url == "https://discord.com/api/v10"
    assert loaded.chat_channels == frozenset()


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(env_file):
    env_file.write_text(f"DISCORD_TOKEN={TOKEN}\nOPENAI_MODEL=from-file\nHISTORY_TOKENS=900\nLOG_LEVEL=\n")

    loaded = load_settings(
        env_file, {"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "from-environment", "HISTORY_TOKENS": ""}
    )

    assert (loaded.openai_model, loaded.history_tokens, loaded.log_level) == ("from-environment", 900, "INFO")


def test_a_key_is_not_needed_where_another_server_is_named():
    loaded = load_settings(None, {"DISCORD_TOKEN": TOKEN, "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1/"})

    assert loaded.openai_api_key is None
    assert loaded.openai_base_url == "http://127.0.0.1:11434/v1"


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"CHAT_CHANNELS": "123456789012345678, 42  7,"}, "chat_channels", {123456789012345678, 42, 7}),
        ({"RETENTION_DAYS": "30"}, "retention_days", 30),
        ({"RETENTION_DAYS_BY_SERVER": "123=7, 456:0,"}, "retention_days_by_server", {123: 7, 456: 0}),
        (
            {"MODEL_PRICES": "org/m:8b=1/2, n = 2.50/0.25/15,"},
            "model_prices",
            {"org/m:8b": price(1, 1, 2), "n": price("2.50", "0.25", 15)},
        ),
        ({"BUDGET_TOTAL_PER_DAY": "$0.50"}, "budget_total_per_day", Limit(most=500_000_000, in_dollars=True)),
        (
            {"BUDGET_SERVER_PER_MONTH": "12 usd"},
            "budget_server_per_month",
            Limit(most=12 * 10**9, in_dollars=True),
        ),
        ({"BUDGET_PERSON_PER_DAY": "200,000"}, "budget_person_per_day", Limit(most=200_000)),
        ({"BUDGET_CHANNEL_PER_DAY": "200000"}, "budget_channel_per_day", Limit(most=200_000)),
        ({"BUDGET_CHANNEL_PER_DAY": "0"}, "budget_channel_per_day", None),
        ({"BUDGET_CHANNEL_PER_DAY": "$0.00"}, "budget_channel_per_day", None),
        ({"PRIVACY_URL": "https://example.org/p?lang=de#bot"}, "privacy_url", "https://example.org/p?lang=de#bot"),
        ({"OPENAI_BASE_URL": ""}, "openai_base_url", None),
        ({"OPENAI_MODEL": "large, small,,large,"}, "openai_model", "large,small"),
        ({"OPENAI_MODEL": "large,small"}, "openai_models", ["large", "small"]),
        ({"SYSTEM_PROMPT": "   "}, "system_prompt", "You are a friendly assistant!"),
        ({"SYSTEM_PROMPT": '"Speak like a pirate."'}, "system_prompt", "Speak like a pirate."),
        ({"SYSTEM_PROMPT": '"Hi" is how you say "hello"'}, "system_prompt", '"Hi" is how you say "hello"'),
        ({"MESSAGE_CONTENT": "Off"}, "message_content", "off"),
        ({"LOG_LEVEL": "debug"}, "log_level", "DEBUG"),
        ({"STALL_SECONDS": " 2.5 "}, "stall_seconds", 2.5),
        (
            {"DISCORD_API_URL": "http://127.0.0.1:8080/api/v10/"},
            "discord_api_url",
            "http://127.0.0.1:8080/api/v10",
        ),
        ({"DISCORD_API_URL": "http://[::1]:8080"}, "discord_api_url", "http://[::1]:8080"),
        ({"DISCORD_TOKEN": f'"Bot {TOKEN} "'}, "discord_token", SecretStr(TOKEN)),
        ({"OPENAI_API_KEY": f"'{KEY}'"}, "openai_api_key", SecretStr(KEY)),
    ],
)
def test_what_people_write_is_understood(given, field, value):
    assert getattr(settings(**given), field) == value


def test_a_file_may_have_quotes_spaces_comments_export_and_a_byte_order_mark(env_file):
    env_file.write_text(
        f"\ufeffexport DISCORD_TOKEN = 'Bot {TOKEN}'  # mine\n\nOPENAI_API_KEY= # later\n"
        'OPENAI_BASE_URL=https://models.example/v1\nSYSTEM_PROMPT="Two\nlines of $HOME"\n',
        encoding="utf-8",
    )

    loaded = load_settings(env_file, {})

    assert loaded.discord_token.get_secret_value() == TOKEN
    assert loaded.openai_api_key is None
    assert loaded.system_prompt == "Two\nlines of $HOME"


def test_everything_wrong_is_refused_at_once_with_name_fault_and_cure():
    text = refusal(HISTORY_TOKENS="8,000", STALL_SECONDS="0", MESSAGE_CONTENT="yes", MAX_ANSWER_TOKENS="9e99")

    assert [line.strip() for line in text.splitlines() if re.match(r"  [A-Z]", line)] == [
        "DISCORD_TOKEN is not set.",
        "MESSAGE_CONTENT must be one of 'auto', 'on' or 'off'.",
        "OPENAI_API_KEY is not set.",
        "STALL_SECONDS must be more than 0.",
        "HISTORY_TOKENS is not a whole number.",
        "MAX_ANSWER_TOKENS is not a whole number.",
    ]
    assert CURES["discord_token"] in text
    assert CURES["openai_api_key"] in text
    assert CURES["history_tokens"] in text


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("DISCORD_TOKEN", "canary", "is not a bot token, which has three parts joined by dots"),
        ("DISCORD_TOKEN", KEY, "is a language model's API key, not a bot token"),
        ("DISCORD_TOKEN", "canary.canary canary.canary", "has a space or a line break inside"),
        ("DISCORD_TOKEN", f"\u201c{TOKEN}\u201d", "holds a character that cannot be part of it"),
        ("OPENAI_API_KEY", TOKEN, "is a Discord bot token, not an API key"),
        ("OPENAI_API_KEY", "canary\ncanary", "has a space or a line break inside"),
        ("OPENAI_BASE_URL", "canary.example/v1", "is not a web address beginning with https:// or http://"),
        ("OPENAI_BASE_URL", "http://canary:99999/v1", "is not a web address beginning with https:// or http://"),
        ("OPENAI_BASE_URL", "https://canary:canary@models.example", "must not hold a user name, a password"),
        ("OPENAI_BASE_URL", "https://models.example?key=canary", "must not hold a user name, a password"),
        ("OPENAI_BASE_URL", "https://canary.example/v1/chat/completions", "goes too far"),
        ("OPENAI_MODEL", KEY, "holds a bot token or an API key, which belongs elsewhere"),
        ("OPENAI_MODEL", "small,canary canary", "must not have a space inside a model's name"),
        ("OPENAI_MODEL", " , ", "names no model"),
        ("OPENAI_MODEL", "canary" * 50, "is too long"),
        ("SYSTEM_PROMPT", f"You are {TOKEN}", "holds a bot token or an API key, which belongs elsewhere"),
        ("SYSTEM_PROMPT", "canary " * 5000, "is about 1"),
        ("CHAT_CHANNELS", "#canary", "holds something that is not an id"),
        ("CHAT_CHANNELS", TOKEN, "holds something that is not an id"),
        ("RETENTION_DAYS", "-1", "must be at least 0"),
        ("RETENTION_DAYS", "canary", "is not a whole number"),
        ("RETENTION_DAYS_BY_SERVER", "7", "must be id=days, separated by commas, each server once"),
        ("RETENTION_DAYS_BY_SERVER", "123=7,123=8", "must be id=days, separated by commas, each server once"),
        ("RETENTION_DAYS_BY_SERVER", "123=canary", "must be id=days, separated by commas, each server once"),
        ("RETENTION_DAYS_BY_SERVER", "123=99999", "must be at most 36,500"),
        ("MODEL_PRICES", "canary", "must be model=input/cached/output, separated by commas, each model once"),
        ("MODEL_PRICES", "canary=1", "must be model=input/cached/output, separated by commas, each model once"),
        ("MODEL_PRICES", "canary=1/2;m=1/2", "must be model=input/cached/output, separated by commas"),
        ("MODEL_PRICES", "canary=m=1/2", "must be model=input/cached/output, separated by commas"),
        ("MODEL_PRICES", "canary;m=1/2", "must be model=input/cached/output, separated by commas"),
        ("MODEL_PRICES", "canary m=1/2", "must be model=input/cached/output, separated by commas"),
        ("MODEL_PRICES", "canary=1/-2", "must be model=input/cached/output, separated by commas, each model once"),
        ("MODEL_PRICES", "canary=1/2,canary=3/4", "must be model=input/cached/output, separated by commas"),
        ("BUDGET_TOTAL_PER_DAY", "canary", "is neither a sum of dollars nor a number of tokens"),
        ("BUDGET_PERSON_PER_MONTH", "-5", "is neither a sum of dollars nor a number of tokens"),
        ("BUDGET_PERSON_PER_DAY", "0.50", "is neither a sum of dollars nor a number of tokens"),
        ("BUDGET_SERVER_PER_DAY", "€5", "is neither a sum of dollars nor a number of tokens"),
        ("PRIVACY_URL", "http://canary.example", "is not a web address beginning with https://"),
        ("PRIVACY_URL", "https://canary.example/> <@1", "is not a web address beginning with https://"),
        ("PRIVACY_URL", "https://me:canary@example.org", "is not a web address beginning with https://"),
        ("PRIVACY_URL", "https://example.org/" + "canary" * 90, "is too long"),
        ("PRIVACY_URL", f"https://example.org/{KEY}", "holds a bot token or an API key, which belongs elsewhere"),
        ("LOG_LEVEL", "canary", "must be one of 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("ANSWER_SECONDS", "nan", "must be more than 0"),
        ("ANSWER_SECONDS", "ten", "is not a number"),
        ("ANSWER_SECONDS", "4000", "must be at most 3,600"),
        ("MODEL_CONCURRENCY", "0", "must be at least 1"),
        ("MODEL_ATTEMPTS", KEY, "is not a whole number"),
        ("DATABASE_URL", "mysql://canary:canary@db/bot", "is not for a database that confab knows"),
        ("DATABASE_URL", "canary.db", "is not for a database that confab knows"),
        ("DATABASE_URL", "sqlite://canary/bot.db", "needs three slashes after sqlite:"),
        ("DATABASE_URL", "sqlite:///:memory:", "names no file"),
        (
            "DATABASE_URL",
            "postgresql://bot:pa@canary@db/bot",
            "holds an @ in its user name or password; write %40",
        ),
        ("DISCORD_API_URL", "http://canary.example/api", "is not https, and would receive the bot's token"),
        ("DISCORD_API_URL", "http://127.0.0.1.canary.example", "is not https, and would receive the bot's token"),
        ("DISCORD_API_URL", "http://127.0.0.1@canary.example", "must not hold a user name"),
    ],
)
def test_a_wrong_value_is_refused_with_its_fault_and_never_quoted(name, value, fault):
    text = refusal(**ENOUGH | {name: value})

    assert f"  {name} {fault}" in text
    assert ("Copy it once more, whole" if name == "OPENAI_API_KEY" else CURES[name.lower()]) in text
    assert text.count("\n\n") == 2
    assert "canary" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUDGET_PERSON_PER_DAY", "20000  # tokens"),
        ("DATABASE_URL", "sqlite:////canary/bot.db # or PostgreSQL's"),
        ("DISCORD_TOKEN", f"{TOKEN}\t# mine"),
        ("OPENAI_API_KEY", f"'{KEY}' # mine"),
    ],
)
def test_a_comment_behind_a_value_of_the_environment_is_told_as_what_it_is(name, value):
    text = refusal(**ENOUGH | {name: value})

    assert f"  {name} has a comment behind its value: here it is allowed on a line of its own only." in text
    assert text.count("\n\n") == 2
    assert "canary" not in text


def test_a_system_prompt_may_hold_what_looks_like_a_comment():
    assert settings(SYSTEM_PROMPT="Answer in #general").system_prompt == "Answer in #general"


def test_a_discord_compatible_server_may_have_tokens_of_its_own_shape():
    loaded = settings(DISCORD_TOKEN="made-up", DISCORD_API_URL="http://localhost:1234/api/v10")

    assert loaded.discord_token.get_secret_value() == "made-up"


BUDGETS = [
    f"BUDGET_{scope}_PER_{period}"
    for scope in ("PERSON", "CHANNEL", "SERVER", "TOTAL")
    for period in ("DAY", "MONTH")
]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("OPENAI_KEY", "OPENAI_API_KEY"),
        ("HISTORY_TOKEN", "HISTORY_TOKENS"),
        ("DISCORD_BOT_TOKEN", "DISCORD_TOKEN"),
        ("CHAT_CHANELS", "CHAT_CHANNELS"),
        ("OPENAI_API_KEY_OLD", "OPENAI_API_KEY"),
        ("BUDGET_PERSON", "BUDGET_PERSON_PER_DAY or BUDGET_PERSON_PER_MONTH"),
        ("BUDGET_DAY", ", ".join(BUDGETS[0:6:2]) + f" or {BUDGETS[6]}"),
        ("BUDGET_USER_PER_DAY", ", ".join(BUDGETS[:7]) + f" or {BUDGETS[7]}"),
        ("RETENTION", "RETENTION_DAYS or RETENTION_DAYS_BY_SERVER"),
        ("BLOCKED_GUILDS", "BLOCKED_USERS, BLOCKED_ROLES, BLOCKED_CHANNELS or BLOCKED_CATEGORIES"),
        ("OPENAI_TEMPERATURE", "OPENAI_API_KEY, OPENAI_BASE_URL or OPENAI_MODEL"),
        ("MODEL", "OPENAI_MODEL, MODEL_PRICES, MODEL_CONCURRENCY, MODEL_ATTEMPTS or SUMMARY_MODEL"),
    ],
)
def test_a_name_like_a_settings_in_the_file_is_refused_with_those_meant_whatever_else_is_set(
    env_file, written, meant
):
    env_file.write_text(f"DISCORD_TOKEN={TOKEN}\nOPENAI_API_KEY={KEY}\nCHAT_CHANNELS=1\n{written}=canary\n")

    text = refusal(env_file)

    assert f"\n  {written} is not a setting; did you mean {meant}?\n    Correct the name, or take it out" in text
    assert "canary" not in text


@pytest.mark.parametrize("written", ["Discord_Token", "chat_channels"])
def test_a_name_in_small_letters_is_to_be_written_in_capitals(env_file, written):
    env_file.write_text(f"DISCORD_TOKEN={TOKEN}\nOPENAI_API_KEY={KEY}\n{written}=canary\n")

    assert f"  {written} is not a setting; write it in capitals: {written.upper()}." in refusal(env_file)


def test_other_programs_names_in_the_file_are_told_and_keep_nothing_from_starting(env_file):
    env_file.write_text("POSTGRES_PASSWORD=canary\nDISABLE_DM=1\nCHANNELS=1\nOPENAI_ORG_ID=x\nsqlite://c=x\n")

    assert load_settings(env_file, ENOUGH) == settings()
    assert [(each.place, each.fault) for each in unheeded_names(env_file, ENOUGH)] == [
        ("CHANNELS", "is not a setting; did you mean CHAT_CHANNELS, ALLOWED_CHANNELS or BLOCKED_CHANNELS?"),
        (str(env_file), "has names that are no settings of confab: DISABLE_DM, OPENAI_ORG_ID, POSTGRES_PASSWORD"),
    ]


def test_of_an_environment_names_like_ours_are_told_and_others_are_not():
    environ = ENOUGH | {
        "OPENAI_ORG_ID": "x",
        "HOME": "/",
        "CHANNELS": "1",
        "RETENTION": "30",
        "chat_channels": "1",
    }

    assert load_settings(None, environ) == settings()
    assert [each.place for each in unheeded_names(None, environ)] == ["RETENTION", "chat_channels"]


@pytest.mark.parametrize("written", ["BUDGET_TOTAL", "budget_total_per_day", "BUGDET_TOTAL_PER_DAY"])
def test_a_bound_on_money_by_another_name_is_refused_in_an_environment_too(written):
    assert f"  {written} is not a setting; " in refusal(**ENOUGH | {written: "$1"})


def test_misspelt_names_are_told_in_the_same_order_at_every_start(env_file):
    misspelt = ["HISTORY_TOKEN", "LOG_LEVELS", "METRIC_PORT", "OPENAI_KEY", "STALL_SECOND", "SUMMARYS"]
    env_file.write_text("".join(f"{name}=1\n" for name in reversed(misspelt)))

    _, faults = examine_settings(env_file, ENOUGH | {"OPENAI_API_KEY": ""})

    assert [each.place for each in faults if each.fault.startswith("is not a setting")] == misspelt


@pytest.mark.parametrize("line", [TOKEN, f"DISCORD_TOKEN {TOKEN}", f'OPENAI_API_KEY="{KEY}'])
def test_a_line_that_cannot_be_read_is_named_by_its_number_and_not_quoted(env_file, line):
    env_file.write_text(f"# mine\n\n{line}\n")

    text = refusal(env_file)

    assert f"Line 3 of {env_file} is not NAME=value, or lacks a closing quote." in text
    assert "canary" not in text


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00canary")

    assert f"{tmp_path} cannot be read: Is a directory.\n    Remove it" in refusal(tmp_path, **ENOUGH)
    assert f"{binary} is not a text file in UTF-8.\n    Save it as plain text" in refusal(binary, **ENOUGH)


def test_the_refusal_says_where_settings_are_read_from(env_file):
    text = refusal(env_file)

    assert f"then from {env_file} (there is no such file)" in text
    assert text.endswith("\nTo begin a file: cp .env.example .env")


def test_secrets_are_in_no_representation_of_the_settings():
    loaded = settings(DATABASE_URL="postgresql://bot:canary@db/bot")

    assert "canary" not in f"{loaded!r} {loaded} {loaded.model_dump()}"


def test_the_log_is_told_every_exact_secret():
    loaded = settings(DATABASE_URL="postgresql://bot:p%40ssword@db/bot")

    assert set(loaded.secrets) == {TOKEN, KEY, "p%40ssword", "p@ssword"}


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        settings().openai_model = "other"


def test_names_that_are_given_are_known_before_the_settings_are_right(env_file):
    env_file.write_text("OPENAI_BASE_URL=nonsense\nLOG_LEVEL=\n")

    assert names_given(env_file, {"HISTORY_TOKENS": "x"}) == {"OPENAI_BASE_URL", "HISTORY_TOKENS"}


def test_what_is_right_can_be_used_beside_what_is_wrong():
    found, faults = examine_settings(None, {"OPENAI_API_KEY": KEY, "HISTORY_TOKENS": "many", "OPENAI_MODEL": "m"})

    assert [(each.place, each.fault) for each in faults] == [
        ("DISCORD_TOKEN", "is not set"),
        ("HISTORY_TOKENS", "is not a whole number"),
    ]
    assert (found.openai_model, found.history_tokens) == ("m", 8000)


def test_every_setting_has_a_cure():
    assert CURES.keys() == Settings.model_fields.keys()


def test_the_example_names_every_setting_with_its_default_and_one_line():
    lines = EXAMPLE.read_text().splitlines()
    written = {}
    for above, line in itertools.pairwise(lines):
        if found := re.fullmatch(r"#?([A-Z_]+)=(.*)", line):
            assert re.fullmatch(r"# [A-Z].+\.", above), line
            written[found[1].lower()] = found[2]

    assert written.keys() == Settings.model_fields.keys()
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if name == "database_url" else field.default
        assert written[name] == ("" if field.is_required() or not default else str(default)), name


def test_the_example_filled_in_twice_is_a_working_file(env_file):
    example = EXAMPLE.read_text()
    env_file.write_text(
        example.replace("DISCORD_TOKEN=", f"DISCORD_TOKEN={TOKEN}").replace(
            "OPENAI_API_KEY=", f"OPENAI_API_KEY={KEY}"
        )
    )

    assert load_settings(env_file, {}) == settings()


def test_the_examples_defaults_are_right_when_they_are_switched_on(env_file):
    env_file.write_text(re.sub(r"(?m)^#(?=[A-Z_]+=)", "", EXAMPLE.read_text()))

    assert load_settings(env_file, ENOUGH) == settings()


def test_importing_reads_nothing(tmp_path):
    (tmp_path / ".env").mkdir()
    code = "import json, bot.settings; print(json.dumps(True))"

    ended = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(EXAMPLE.parent), "HISTORY_TOKENS": "nonsense"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(ended.stdout)
