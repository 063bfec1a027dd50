"""The playground's door for people: a channel in the terminal, or lines given beforehand."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TextIO

from bot.core.errors import StartupRefused
from bot.core.messages import Remembered
from bot.playground.at_once import act_at_once
from bot.playground.downloads import Downloads
from bot.playground.loopback import LoopbackDiscord
from bot.playground.scene import Scene
from bot.playground.script import Answered, act

GOODBYE = (
    "Leaving; an answer under way may take a moment to end. The bot remembers: make playground goes on from here."
)

# A channel's id, and of how many turns to give the words: what the bot remembers of it.
Recall = Callable[[int, int], Awaitable[Remembered]]


async def play(
    *,
    loopback: LoopbackDiscord,
    downloads: Path,
    say: Sequence[str] | None,
    at_once: bool = False,
    model_sentence: str,
    answered: Answered,
    recall: Recall,
    stop: asyncio.Event,
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
) -> int:
    """The exit status: 0, or 1 when an answer failed or *stop* was set before the script's end.

    The bot is connecting to *loopback*, or about to. Files that it brings are written to the folder *downloads*.
    *model_sentence* says who answers; with *say* it goes to
    *err*, so that *out* holds the exchange alone. *at_once*: what is said waits for no answers.
    """
    scene = Scene(loopback, Downloads(downloads))
    if say is not None:
        print(model_sentence, file=err)
        acting = (
            act_at_once(scene, say, answered=answered, monotonic=time.monotonic, out=out)
            if at_once
            else act(scene, say, answered=answered, out=out)
        )
        return await _unless_stopped(_act(acting, err=err), stop=stop, otherwise=1)
    terminal = _terminal()(scene, model_sentence=model_sentence, recall=recall)
    try:
        return await _unless_stopped(terminal.run(), stop=stop, otherwise=0)
    finally:
        print(GOODBYE, file=err, flush=True)


async def _act(acting: Coroutine[Any, Any, bool], *, err: TextIO) -> int:
    try:
        return 0 if await acting else 1
    except TimeoutError:
        print("The bot did not connect.", file=err)
        return 1


def _terminal() -> Callable[..., Any]:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise StartupRefused(
            'This is not a terminal. Without one: .venv/bin/python -m bot playground --say "Hello"'
        )
    try:
        from bot.playground.terminal import Terminal  # noqa: PLC0415 -- `--say` goes without prompt_toolkit
    except ImportError as error:
        raise StartupRefused(
            'prompt_toolkit is not installed; `make playground` installs it. Without: --say "Hello"'
        ) from error
    return Terminal


async def _unless_stopped(playing: Coroutine[Any, Any, int], *, stop: asyncio.Event, otherwise: int) -> int:
    """What *playing* returns; it is ended, and *otherwise* returned, once *stop* is set."""
    task, stopping = asyncio.create_task(playing), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else otherwise
    finally:
        task.cancel()
        stopping.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)
