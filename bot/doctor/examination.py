"""The examination: settings first, then whatever can be checked with those that are right."""

import os
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from bot.core.errors import StartupRefused
from bot.core.findings import Finding, ok, refused, warning, wrong
from bot.core.ports import Clock
from bot.discord.checkup import check_discord
from bot.discord.clock_checkup import check_clock
from bot.limits import budget_faults, budgets_set, known_prices, patience, small_budgets
from bot.llm.checkup import check_model
from bot.setting_faults import SettingFault
from bot.settings import Settings, examine_settings, unheeded_names
from bot.storage.checkup import check_database

_MODEL = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")


async def examine(env_file: Path, environ: Mapping[str, str], *, clock: Clock) -> AsyncIterator[Finding]:
    """What is found, as it is found."""
    settings, faults = examine_settings(env_file, environ)
    unheeded = [
        warning("settings", each.place, each.fault, each.cure) for each in unheeded_names(env_file, environ)
    ]
    found = [*_settings(faults, env_file), *unheeded, *_secrecy(env_file), *([] if faults else _budgets(settings))]
    for finding in found:
        yield finding
    faulty = frozenset(fault.place for fault in faults)
    if cause := _first(faulty, "DISCORD_API_URL", "DISCORD_TOKEN"):
        yield _not_checked("token", "Discord", cause)
    else:
        async for finding in _discord(settings, clock):
            yield finding
    if "DISCORD_API_URL" not in faulty:
        yield await check_clock(api_url=settings.discord_api_url, clock=clock)
    if cause := _first(faulty, *_MODEL):
        yield _not_checked("model", "language model", cause)
    else:
        for model, setting in _models(settings):
            for finding in await _model(model, setting, settings, clock):
                yield finding
    if "DATABASE_URL" in faulty:
        yield _not_checked("database", "database", "DATABASE_URL")
    else:
        for finding in await check_database(settings.database_url.get_secret_value()):
            yield finding


def _settings(faults: list[SettingFault], env_file: Path) -> list[Finding]:
    if not faults:
        file = f" and {env_file.absolute()}" if env_file.exists() else f"; there is no {env_file.absolute()}"
        return [ok("settings", "all of them", f"acceptable, from the environment{file}")]
    see = ".env.example explains each setting."
    found = [wrong("settings", each.place, each.fault, each.cure or see) for each in faults]
    if env_file.exists():
        return [*found, ok("settings", "read from", f"the environment, then {env_file.absolute()}")]
    cure = "Set them in the environment, or: cp .env.example .env, and fill that in."
    there = f"the environment; there is no {env_file.absolute()}"
    return [*found, warning("settings", "read from", there, cure)]


def _secrecy(env_file: Path) -> list[Finding]:
    """Of the file with the token and the key; a group that may read it was given that by somebody."""
    if os.name != "posix" or not env_file.is_file() or not env_file.stat().st_mode & stat.S_IROTH:
        return []
    what = "holds secrets, and everybody on this machine may read it"
    return [warning("settings", str(env_file), what, f"chmod 600 {env_file}")]


def _budgets(settings: Settings) -> list[Finding]:
    """Whether they can hold: some need prices."""
    set_, prices = budgets_set(settings), known_prices(settings)
    if faults := budget_faults(settings, prices):
        return [refused("budgets", "BUDGET_…", StartupRefused(fault)) for fault in faults]
    if small := small_budgets(settings, prices):
        cure = (
            "Set more, or a smaller HISTORY_TOKENS or MAX_ANSWER_TOKENS; /reset makes a conversation short again."
        )
        return [warning("budgets", "BUDGET_…", sentence, cure) for sentence in small]
    return [ok("budgets", "BUDGET_…", f"{len(set_)} set; prices and MAX_ANSWER_TOKENS fit")] if set_ else []


def _discord(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    return check_discord(
        api_url=settings.discord_api_url,
        token=settings.discord_token.get_secret_value(),
        message_content=settings.message_content,
        chat_channels=settings.chat_channels,
        access=settings.access,
        clock=clock,
    )


def _models(settings: Settings) -> list[tuple[str, str]]:
    """Each model that may be asked, with the setting that names it."""
    named = [(model, "OPENAI_MODEL") for model in settings.openai_models]
    return named + [
        (model, "SUMMARY_MODEL") for model in settings.summary_models if model not in settings.openai_models
    ]


async def _model(model: str, setting: str, settings: Settings, clock: Clock) -> list[Finding]:
    return await check_model(
        model=model,
        setting=setting,
        api_key=settings.openai_api_key.get_secret_value() if settings.openai_api_key else None,
        base_url=settings.openai_base_url,
        max_answer_tokens=settings.max_answer_tokens,
        patience=patience(settings),
        clock=clock,
    )


def _first(faulty: frozenset[str], *names: str) -> str | None:
    return next((name for name in names if name in faulty), None)


def _not_checked(check: str, subject: str, cause: str) -> Finding:
    return warning(check, subject, "not checked", f"Put {cause} right first, then run doctor again.")
