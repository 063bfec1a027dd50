"""The log of a test: what is written, and what must never be."""

import asyncio
import io
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.logs import LogFormat, configure_logging

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.canary-canary-canary-canary-canary-12"
KEY = "sk-proj-canary0123456789canary"
PASSWORD = "hunter2hunter2"
TEXT = "canary words that a person wrote"
LIBRARY_LOGGERS = [
    "discord.http",
    "discord.gateway",
    "discord.client",
    "discord.webhook.async_",
    "openai._base_client",
    "httpx2",
    "httpcore2.http11",
    "aiosqlite",
    "sqlalchemy.engine.Engine",
    "asyncpg",
    "aiohttp.access",
    "asyncio",
    "dotenv.main",
]


SECRETS = [
    (f"token {TOKEN} refused", "token [secret] refused"),
    (f"key '{KEY}'", "key '[secret]'"),
    ("Authorization: Bearer canary-of-any-shape", "Authorization: Bearer [secret]"),
    ("{'Authorization': 'Bot canary.of.any.shape'}", "[secret]"),
    ("POST https://d.example/api/webhooks/42/canary-token?wait=1", "/webhooks/42/[secret]?wait=1"),
    (
        "POST https://d.example/api/v10/interactions/42/canary/callback",
        "/interactions/42/[secret]/callback",
    ),
    ("postgresql+asyncpg://bot:canary@db:5432/bot", "postgresql+asyncpg://bot:[secret]@db:5432/bot"),
    ("postgresql://bot:can@ary/canary@db/bot", "postgresql://bot:[secret]@db/bot"),
    ("the password is hunter2hunter2", "the password is [secret]"),
]


@contextmanager
def written(lines: LogFormat) -> Iterator[io.StringIO]:
    """The log as text, with Python's own logging put back afterwards."""
    root = logging.getLogger()
    names = ["", "bot", *{name.partition(".")[0] for name in LIBRARY_LOGGERS}, "httpcore", "httpx"]
    levels = {name: logging.getLogger(name).level for name in names}
    handlers, hooks = root.handlers[:], (sys.excepthook, threading.excepthook, sys.unraisablehook)
    stream = io.StringIO()
    configure_logging("DEBUG", secrets=[PASSWORD], lines=lines, stream=stream)
    yield stream
    root.handlers[:] = handlers
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


async def caught_up(caplog: pytest.LogCaptureFixture) -> None:
    """Until what was missed is read, as the log says."""
    async with asyncio.timeout(10):
        while "caught up: " not in caplog.text:
            await asyncio.sleep(0)


def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught


def run_python(code, *arguments):
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own code


REAL_LIBRARIES = """
import asyncio, logging, os, sys
os.environ["OPENAI_LOG"] = "debug"
from bot.logs import configure_logging
TOKEN, KEY, TEXT, LINES = sys.argv[1:]
configure_logging("DEBUG", secrets=[TOKEN, KEY], lines=LINES)
import discord, openai
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

async def fail(request):
    await request.read()
    return web.json_response({"message": TEXT, "error": {"message": TEXT}}, status=400)

async def main():
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fail)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = "http://127.0.0.1:%d" % runner.addresses[0][1]
    discord.http.Route.BASE = url
    for library in ("sqlalchemy", "aiosqlite", "discord", "httpx2", "httpcore2", "openai", "aiohttp"):
        logging.getLogger(library).setLevel(logging.DEBUG)
    log = logging.getLogger("bot.test")

    client = discord.Client(intents=discord.Intents.none())
    try:
        await client.login(TOKEN)
    except discord.HTTPException:
        log.exception("discord")
    try:
        await client.http.send_message(1, params=discord.http.handle_message_parameters(content=TEXT))
    except discord.HTTPException:
        log.exception("discord")
    try:
        await client.http.request(discord.http.Route(
            "POST", "/interactions/{interaction_id}/{interaction_token}/callback",
            interaction_id=1, interaction_token="canary"), json={"content": TEXT})
    except discord.HTTPException:
        log.exception("discord")
    await client.close()

    model = openai.AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0)
    try:
        await model.chat.completions.create(model="m", messages=[{"role": "user", "content": TEXT}])
    except openai.BadRequestError:
        log.exception("openai")
    await model.close()

    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.connect() as connection:
        print((await connection.execute(text("select :said"), {"said": TEXT})).scalar() == TEXT)
        try:
            await connection.execute(text("insert into nowhere values (:said)"), {"said": TEXT})
        except Exception:
            log.exception("sqlalchemy")
    await engine.dispose()
    await runner.cleanup()

asyncio.run(main(), debug=True)
"""
