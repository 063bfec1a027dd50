"""Starts the stage and the programs, one child process each, and asks the stage what it measured."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.database import forget_marks
from bot.settings import Settings

REPOSITORY = Path(__file__).parent.parent
SECONDS_TO_STOP = 15


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program to measure: how it is started, and in which environment."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage from afar; its requests are documented in serving.py and in the stage's own file."""

    http: aiohttp.ClientSession
    discord_url: str
    model_url: str
    token: str

    async def call(self, what: str, **arguments: Any) -> Any:
        async with self.http.post(f"/stage/{what}", json=arguments) as response:
            if response.status != 200:
                raise RuntimeError(f"the stage could not {what}: {await response.text()}")
            return await response.json()

    async def ask(self, channels: list[int], *, text: str, seconds_apart: float = 0.0) -> list[dict[str, float]]:
        return await self.call("ask", channels=channels, text=text, seconds_apart=seconds_apart)


@asynccontextmanager
async def open_stage(module: str = "benchmarks.stage", *arguments: str) -> AsyncIterator[Stage]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        addresses = json.loads(await child.stdout.readline())
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(addresses["model_url"].removesuffix("v1"), timeout=timeout) as http:
            yield Stage(http=http, **addresses)
    finally:
        child.stdin.close()
        await child.wait()


@dataclass(frozen=True, kw_only=True)
class Running:
    pid: int
    started_at: float  # time.monotonic(), which all processes of a machine share


@asynccontextmanager
async def running(program: Program, stage: Stage, folder: Path) -> AsyncIterator[Running]:
    """The program, connected to the stage; ended at the end. What it writes goes to a file in *folder*."""
    ours = {field.upper() for field in Settings.model_fields}
    environ = {name: value for name, value in os.environ.items() if name not in ours}
    environ |= {
        "PYTHONPATH": str(REPOSITORY),
        "DISCORD_API_URL": stage.discord_url,
        "DISCORD_TOKEN": stage.token,
        "OPENAI_BASE_URL": stage.model_url,
        **program.environ,
    }
    forget_marks(program.environ.get("DATABASE_URL"))
    written = folder / f"{program.name.replace(' ', '-')}.log"
    with written.open("ab") as log:
        started_at = time.monotonic()
        # In a folder of its own: no .env of somebody's is read.
        child = await asyncio.create_subprocess_exec(
            sys.executable, *program.command, cwd=folder, env=environ, stdout=log, stderr=log
        )
        try:
            await _connected(child, stage)
            yield Running(pid=child.pid, started_at=started_at)
        except BaseException as error:
            error.add_note(f"{program.name} wrote:\n{written.read_text()[-3000:]}")
            raise
        finally:
            await _end(child)
            await stage.call("empty")


async def _connected(child: asyncio.subprocess.Process, stage: Stage) -> None:
    ended = asyncio.create_task(child.wait())
    ready = asyncio.create_task(stage.call("ready"))
    await asyncio.wait([ended, ready], return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        ready.cancel()
        raise RuntimeError("it ended at its start")
    ended.cancel()


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), SECONDS_TO_STOP)
    except TimeoutError:
        child.kill()
        await child.wait()
