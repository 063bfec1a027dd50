"""Runs the bot and the playground: their lifetimes from start to stop."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from bot.assembly import assemble
from bot.core.answer import Ended
from bot.core.clock import SystemClock
from bot.core.conversation_queue import ConversationQueue
from bot.core.errors import BotError, DatabaseInUse, OwnershipLost, StartupRefused
from bot.core.messages import ConversationKey, Remembered
from bot.core.ports import Clock
from bot.discord.client import ConfabClient
from bot.discord.pacer import Pacer
from bot.discord.preflight import is_token_refused, token_refused
from bot.llm.chat_model import OPENAI_URL
from bot.logs import configure_logging
from bot.playground.endings import Endings
from bot.regaining import run_anew
from bot.settings import Settings, load_settings, load_unbounded, names_given, unheeded_names
from bot.storage.database import SECONDS_FOR_PREDECESSOR
from bot.storage.turns import SqlTurnStore, open_store

log = logging.getLogger(__name__)

# A model this small begins to repeat itself before long, and takes its time over it; its summaries make no sense.
LOCAL_MODEL_LIMITS = {"MAX_ANSWER_TOKENS": "150", "HISTORY_TOKENS": "1500", "SUMMARIES": "off"}
_NO_KEY = "none"  # so that one of the settings is not sent to the local model
PLAYGROUND_DATABASE = "sqlite:///data/playground.db"
PLAYGROUND_FILES = Path("data/playground")
PLAYGROUND_LOG = Path("data/playground.log")  # the terminal belongs to the conversation

SECONDS_BETWEEN_CANCELLATIONS = 0.5

_OWNERSHIP_LOST = "the lock on the database was lost: another bot may answer now, so this one stops"
_TOO_MANY_INVALID = (
    "Discord refused thousands of requests within ten minutes, and bans machines that go on. See the log for what "
    "it refused; wait ten minutes before you start the bot again."
)


@dataclass(frozen=True, kw_only=True)
class Running:
    """A bot at work. *serving* ends only by a fault."""

    serving: asyncio.Task[None]
    store: SqlTurnStore
    pacer: Pacer
    client: ConfabClient


async def run_bot(environ: Mapping[str, str] = os.environ) -> int:
    """`python -m bot run`: serve until SIGTERM or SIGINT. Raises StartupRefused."""
    settings = load_settings(environ=environ)
    configure_logging(settings.log_level, secrets=settings.secrets, lines=settings.log_format)
    for name in unheeded_names(environ=environ):
        log.warning("%s %s %s", name.place, name.sentence, name.cure)
    stopping = asyncio.create_task(_stop_signal().wait())
    started = asyncio.Event()
    run = partial(_run_until, stopping, settings, started)
    running = asyncio.create_task(run_anew(run, stopping=stopping, started=started, clock=SystemClock()))
    await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done() and not started.is_set():
        running.cancel()  # it may be waiting for Discord or the database: nothing has been taken on
    stopping.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return 0


async def run_playground(
    *,
    say: Sequence[str] | None,
    at_once: bool = False,
    local: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> int:
    """`python -m bot playground`: the same bot, on a Discord and a model of its own. Raises StartupRefused.

    *local*: the model is its own, too, even if the settings name one.
    """
    from bot.playground.local_model import open_local_model  # noqa: PLC0415 -- the bot itself runs without these
    from bot.playground.loopback import LoopbackDiscord  # noqa: PLC0415
    from bot.playground.play import play  # noqa: PLC0415

    stop = _stop_signal()
    endings = Endings()
    async with AsyncExitStack() as stack:
        loopback = await stack.enter_async_context(LoopbackDiscord())
        given = dict(environ) | {
            "DISCORD_TOKEN": loopback.token,
            "DISCORD_API_URL": loopback.api_url,
            "DATABASE_URL": PLAYGROUND_DATABASE,
            "CHAT_CHANNELS": ",".join(
                str(channel.id) for channel in loopback.world.channels.values() if channel.name == "general"
            ),
        }
        sentence = None
        if local or not names_given(environ=environ) & {"OPENAI_API_KEY", "OPENAI_BASE_URL"}:
            model = await stack.enter_async_context(open_local_model())
            given |= LOCAL_MODEL_LIMITS | {
                "OPENAI_BASE_URL": model.base_url,
                "OPENAI_MODEL": model.model,
                "OPENAI_API_KEY": _NO_KEY,
            }
            sentence = model.sentence
        settings = load_unbounded(given)
        configure_logging(
            settings.log_level,
            secrets=settings.secrets,
            lines=settings.log_format,
            stream=stack.enter_context(_playground_log()),
        )
        await _forget_marks()
        running = await stack.enter_async_context(running_bot(settings, clock=SystemClock(), ended=endings.record))
        running.serving.add_done_callback(lambda _: stop.set())

        async def recall(channel_id: int, newest: int) -> Remembered:
            return await running.store.remembered(ConversationKey(channel_id=channel_id), newest=newest)

        return await play(
            loopback=loopback,
            downloads=PLAYGROUND_FILES,
            say=say,
            at_once=at_once,
            model_sentence=sentence or _own_model(settings),
            answered=endings.answered,
            recall=recall,
            stop=stop,
        )


def _own_model(settings: Settings) -> str:
    models = " or ".join(settings.openai_models)
    address = urlsplit(settings.openai_base_url or OPENAI_URL).netloc
    cost = "at your cost" if settings.openai_api_key else "without a key"
    return (
        f"{models} at {address} answers, {cost}. If it does not, `.venv/bin/python -m bot doctor` says why; "
        "`.venv/bin/python -m bot playground --local` has the small model answer instead."
    )


async def _forget_marks() -> None:
    """The playground's channels begin empty each time: what is not there any more was not deleted."""
    try:
        async with open_store(PLAYGROUND_DATABASE) as store:
            await store.write_marks({})
    except DatabaseInUse:
        raise StartupRefused(
            "A playground is open in this folder already. Leave it first, or start this one in another folder."
        ) from None


def _playground_log() -> TextIO:
    PLAYGROUND_LOG.parent.mkdir(exist_ok=True)
    return PLAYGROUND_LOG.open("a", encoding="utf-8")


@asynccontextmanager
async def running_bot(
    settings: Settings,
    *,
    clock: Clock,
    ended: Ended | None = None,
    wait_seconds: float = SECONDS_FOR_PREDECESSOR,
) -> AsyncIterator[Running]:
    """The bot, answering. Another owner of the database has *wait_seconds* to end.

    Leaving the block takes nothing more on, lets answers under way finish within the grace period, and lets go of
    everything in the reverse order of its making. Raises StartupRefused.
    """
    async with AsyncExitStack() as stack:
        parts = await assemble(settings, stack, clock=clock, ended=ended, wait_seconds=wait_seconds)
        token = settings.discord_token.get_secret_value()
        serving = asyncio.create_task(parts.client.run_forever(token), name="serve")
        telling = asyncio.create_task(parts.notices.run(), name="waiting notices")
        trying = asyncio.create_task(parts.queue.changes.keep_trying(), name="changes set aside")
        doubting = asyncio.create_task(_settle_doubts(parts.pacer, settings, clock=clock), name="token")
        try:
            yield Running(serving=serving, store=parts.store, pacer=parts.pacer, client=parts.client)
        finally:
            parts.intake.close()
            telling.cancel()
            doubting.cancel()
            await _end_answers(parts.queue, parts.store, serving, grace=settings.shutdown_grace_seconds)
            await _end_surely(serving)
            trying.cancel()
            await asyncio.gather(serving, telling, trying, doubting, return_exceptions=True)
            await parts.queue.changes.try_once_more()


async def _settle_doubts(pacer: Pacer, settings: Settings, *, clock: Clock) -> None:
    """One 401 may be a slip of Discord's; nobody starts a bot again whose token was refused."""
    token = settings.discord_token.get_secret_value()
    while not pacer.token_refused.is_set():
        await pacer.token_doubted.wait()
        pacer.token_doubted.clear()
        pacer.made_before(1)
        if await is_token_refused(api_url=settings.discord_api_url, token=token, clock=clock):
            pacer.token_refused.set()
        else:
            log.warning("Discord refused the token in one request only: going on")


async def _end_surely(task: asyncio.Task[None]) -> None:
    """The library waits with asyncio.wait_for, which loses a cancellation now and then in Python 3.11."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=SECONDS_BETWEEN_CANCELLATIONS)


async def _end_answers(
    queue: ConversationQueue, store: SqlTurnStore, serving: asyncio.Task[None], *, grace: float
) -> None:
    lost = asyncio.create_task(store.ownership_lost.wait())
    drained = asyncio.create_task(queue.drain(grace=grace))
    try:
        await asyncio.wait({lost, drained}, return_when=asyncio.FIRST_COMPLETED)
        if drained.done():
            await drained
        else:
            # The next owner may be storing and posting already what we would.
            serving.cancel()
            drained.cancel()
            await queue.let_go()
    finally:
        lost.cancel()
        drained.cancel()


async def _run_until(
    stopping: asyncio.Task[Any], settings: Settings, started: asyncio.Event, wait_seconds: float
) -> None:
    async with running_bot(settings, clock=SystemClock(), wait_seconds=wait_seconds) as running:
        started.set()
        _spare_the_collector()
        obstacles = [
            asyncio.create_task(_raise_when(running.store.ownership_lost, OwnershipLost(_OWNERSHIP_LOST))),
            asyncio.create_task(_raise_when(running.pacer.invalid.too_many, StartupRefused(_TOO_MANY_INVALID))),
            asyncio.create_task(_raise_when(running.pacer.token_refused, token_refused())),
        ]
        try:
            ended, _ = await asyncio.wait(
                {stopping, running.serving, *obstacles}, return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended - {stopping}:
                await task
        finally:
            for task in obstacles:
                task.cancel()
        log.info("stopping: answers under way have %.0f s", settings.shutdown_grace_seconds)


def _spare_the_collector() -> None:
    """What was made by now stays; to look through it again would stop everything for 0.1 s each time."""
    gc.unfreeze()  # of a bot that lost its database and began anew, what was made before may go
    gc.collect()
    gc.freeze()


async def _raise_when(event: asyncio.Event, error: BotError) -> None:
    await event.wait()
    raise error


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM and SIGINT from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    return stop
