"""What makes a setting's value acceptable: each rule raises ValueError with the fault, never quoting the value."""

import ipaddress
import re
from decimal import Decimal
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from bot.core.budgets import Limit
from bot.core.costs import ModelPrice, whole_nanodollars
from bot.redaction import holds_secret

DISCORD_API = "https://discord.com/api/v10"
_LONGEST_NAME = 200
_LONGEST_PAGE = 500  # /privacy is one message
_DOLLARS = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"


def no_secret(value: Any) -> Any:
    if isinstance(value, str) and holds_secret(value):
        raise ValueError("holds a bot token or an API key, which belongs elsewhere")
    return value


def capitals(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def small_letters(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def ids(value: Any) -> Any:
    """Ids separated by commas or spaces."""
    if not isinstance(value, str):
        return value
    each_id = re.split(r"[,;\s]+", value.strip(",; \t\n"))
    if not all(re.fullmatch(r"[1-9][0-9]{0,18}", each) for each in each_id):
        raise ValueError("holds something that is not an id")
    return frozenset(map(int, each_id))


def days_by_id(value: Any) -> Any:
    """Ids separated by commas or spaces, each with a number of days behind a = or a colon."""
    if not isinstance(value, str):
        return value
    each_id = re.split(r"[,;\s]+", value.strip(",; \t\n"))
    pairs = [re.fullmatch(r"([1-9][0-9]{0,18})[=:]([0-9]{1,9})", each) for each in each_id]
    read = {int(pair[1]): int(pair[2]) for pair in pairs if pair}
    if len(read) < len(pairs):
        raise ValueError("must be id=days, separated by commas, each server once")
    return read


def model_prices(value: Any) -> Any:
    """Models separated by commas, with dollars per million tokens: name=input/cached/output, or input/output."""
    if not isinstance(value, str):
        return value
    each_model = [each.strip() for each in value.split(",") if each.strip()]
    pairs = [re.fullmatch(rf"([^\s=;]+)\s*=\s*({_DOLLARS}(?:/{_DOLLARS}){{1,2}})", each) for each in each_model]
    read = {pair[1]: _model_price(pair[2]) for pair in pairs if pair}
    if len(read) < len(pairs):
        raise ValueError("must be model=input/cached/output, separated by commas, each model once")
    return read


def _model_price(written: str) -> ModelPrice:
    dollars = [Decimal(each) for each in written.split("/")]
    return ModelPrice(input=dollars[0], cached=dollars[-2], output=dollars[-1])


def budget(value: Any) -> Any:
    """Dollars (`$0.50`, `0.50 USD`), or tokens (`200000`, `200,000`); 0 is none."""
    if not isinstance(value, str):
        return value
    if found := re.fullmatch(rf"\$\s*({_DOLLARS})|({_DOLLARS})\s*USD", value, re.IGNORECASE):
        limit = Limit(most=whole_nanodollars(Decimal(found[1] or found[2])), in_dollars=True)
    elif re.fullmatch(r"[0-9]{1,3}(,[0-9]{3}){0,4}|[0-9]{1,15}", value):
        limit = Limit(most=int(value.replace(",", "")))
    else:
        raise ValueError("is neither a sum of dollars nor a number of tokens")
    return limit if limit.most else None


def bot_token(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if value[:4].lower() == "bot ":
        value = value[4:].strip()
    if value.startswith("sk-"):
        raise ValueError("is a language model's API key, not a bot token")
    return SecretStr(_one_word(value))


def is_discords_token(value: str) -> bool:
    """Whether it looks like a token of discord.com: base64(application id).time.signature."""
    return re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]{20,}", value, re.ASCII) is not None


def api_key(secret: SecretStr | None) -> SecretStr | None:
    if secret is None:
        return None
    value = secret.get_secret_value()
    if holds_secret(value) and "sk-" not in value:
        raise ValueError("is a Discord bot token, not an API key")
    return SecretStr(_one_word(value))


def _one_word(value: str) -> str:
    if re.search(r"\s", value):
        raise ValueError("has a space or a line break inside")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("holds a character that cannot be part of it")
    return value


def model_server(value: str | None) -> str | None:
    if value is None:
        return None
    url = _web_address(value)
    if url.path.endswith(("/completions", "/responses")):
        raise ValueError("goes too far: leave out what follows the version, as in …/v1")
    return url.geturl()


def model_names(value: str) -> str:
    """Names separated by commas, without spaces around them and without repetition."""
    names = [name for each in value.split(",") if (name := each.strip())]
    if any(re.search(r"\s", name) for name in names):
        raise ValueError("must not have a space inside a model's name")
    if not names:
        raise ValueError("names no model")
    if max(map(len, names)) > _LONGEST_NAME:
        raise ValueError("is too long")
    return ",".join(dict.fromkeys(names))


def optional_model_names(value: str | None) -> str | None:
    return None if value is None else model_names(value)


def discord_server(value: str) -> str:
    url = _web_address(value)
    if url.scheme != "https" and not _is_loopback(url.hostname or ""):
        raise ValueError("is not https, and would receive the bot's token")
    return url.geturl()


def policy_page(value: str | None) -> str | None:
    """A page for people, shown to them as it is."""
    if value is None:
        return None
    try:
        url = urlsplit(value)
        usable = url.scheme == "https" and url.hostname and url.port != 0 and url.username is None
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", value) or re.search(r"[<>\"`]", value):
        raise ValueError("is not a web address beginning with https://")
    if len(value) > _LONGEST_PAGE:
        raise ValueError("is too long")
    return value


def _web_address(value: str) -> SplitResult:
    try:
        url = urlsplit(value)
        usable = url.scheme in ("http", "https") and url.hostname and url.port != 0 and value.isprintable()
    except ValueError:
        usable = False
    if not usable or " " in value:
        raise ValueError("is not a web address beginning with https:// or http://")
    if url.username is not None or url.query or url.fragment:
        raise ValueError("must not hold a user name, a password, or anything after ? or #")
    return url._replace(path=url.path.rstrip("/"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def database(secret: SecretStr) -> SecretStr:
    scheme, separator, rest = secret.get_secret_value().partition("://")
    if not separator or scheme not in ("sqlite", "postgresql", "postgres"):
        raise ValueError("is not for a database that confab knows")
    if rest.partition("/")[0].count("@") > 1:
        raise ValueError("holds an @ in its user name or password; write %40 for it")
    if scheme == "sqlite" and not rest.startswith("/"):
        raise ValueError("needs three slashes after sqlite:, or four where the path begins at the root")
    if scheme == "sqlite" and rest[1:] in ("", ":memory:"):
        raise ValueError("names no file, so that everything would be forgotten when the bot stops")
    return secret
