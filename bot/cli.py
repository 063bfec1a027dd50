"""The commands: run, playground, doctor, usage, backup, forget."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.core.errors import BotError, StartupRefused
from bot.core.periods import Period
from bot.core.usage import By
from bot.core.usage_tables import usage_csv, usage_table

DAYS, MOST_DAYS = 30, 36_500
REFUSED = 2  # the exit status when the bot will not start like this: restarting it changes nothing
UNREAD = 141  # whoever read the output has left: as a shell says of programs that SIGPIPE ends


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        status = _carry_out(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        if arguments.command == "run":
            raise  # it prints nothing, so that this is a connection's
        # Python would try to write what is left, and complain, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return status


def _carry_out(arguments: argparse.Namespace) -> int:
    try:
        if arguments.command == "backup":
            return _back_up(arguments.file)  # without an event loop, so that Ctrl-C ends it
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            return runner.run(_command(arguments))
    except StartupRefused as refusal:
        print(refusal, file=sys.stderr)
        return REFUSED
    except BotError as error:
        print(f"{error.user_message} ({error})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - there is none for Windows and PyPy
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot", description="confab: a Discord bot that talks with a community and remembers."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the bot with the settings in .env and the environment")
    play = commands.add_parser("playground", help="try the bot without Discord and without an API key")
    play.add_argument(
        "--say", action="append", metavar="TEXT", help="say this, print the exchange and end; may be repeated"
    )
    play.add_argument(
        "--at-once", action="store_true", help="say it all at the same time; each @name at a beginning is a person"
    )
    play.add_argument(
        "--local",
        action="store_true",
        help="let the small model of this machine answer, whatever the settings name",
    )
    doctor = commands.add_parser("doctor", help="check token, permissions, model, database, disk and clock")
    doctor.add_argument("--json", action="store_true", help="print the findings as one JSON object")
    _add_usage(commands.add_parser("usage", help="what was used of the models, and what it cost"))
    backup = commands.add_parser(
        "backup", help="copy the SQLite database into a new file, also while the bot runs"
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="the copy; it must not be there yet")
    forget = commands.add_parser(
        "forget", help="erase what is stored of a person or a server (stop the bot first)"
    )
    whom = forget.add_mutually_exclusive_group(required=True)
    whom.add_argument("--user", type=_discord_id, metavar="ID", help="a person's Discord id")
    whom.add_argument("--guild", type=_discord_id, metavar="ID", help="a server's Discord id")
    return parser


def _add_usage(usage: argparse.ArgumentParser) -> None:
    kinds = [kind.value for kind in By]
    usage.add_argument("--by", choices=kinds, default=By.DAY.value, help="what the sums are grouped by (day)")
    usage.add_argument("--days", type=_days, default=DAYS, metavar="N", help=f"how far back ({DAYS})")
    usage.add_argument("--csv", action="store_true", help="print it as CSV, for programs")


def _days(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"is no number of days from 1 to {MOST_DAYS:,}")
    return int(text)


def _discord_id(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(
            "is no Discord id. To see ids, switch on Developer Mode in Discord (Advanced), right-click the "
            "person, Copy User ID, or the server, Copy Server ID."
        )
    return int(text)


async def _command(arguments: argparse.Namespace) -> int:
    # Each command imports what it needs: `forget` need not wait for discord.py, nor `run` for prompt_toolkit.
    if arguments.command == "run":
        from bot.app import run_bot  # noqa: PLC0415

        return await run_bot()
    if arguments.command == "playground":
        if arguments.at_once and not arguments.say:
            raise StartupRefused('--at-once goes with --say: --at-once --say "hello" --say "@ada hello"')
        if not all(words.strip() for words in arguments.say or ()):
            raise StartupRefused('--say goes with words: --say "hello"')
        from bot.app import run_playground  # noqa: PLC0415

        return await run_playground(say=arguments.say, at_once=arguments.at_once, local=arguments.local)
    if arguments.command == "doctor":
        from bot.doctor.run import run_doctor  # noqa: PLC0415

        return await run_doctor(environ=os.environ, as_json_object=arguments.json)
    if arguments.command == "usage":
        return await _usage(By(arguments.by), days=arguments.days, as_csv=arguments.csv)
    return await _forget(user=arguments.user, guild=arguments.guild)


async def _usage(by: By, *, days: int, as_csv: bool) -> int:
    from bot.storage.usage_report import read_usage  # noqa: PLC0415

    since = Period.DAY.start(datetime.now(tz=UTC)) - timedelta(days=days - 1)
    used = await read_usage(_database_url(), by, since=since)
    for line in usage_csv(by, used) if as_csv else usage_table(by, used):
        print(line)
    return 0


def _back_up(file: Path) -> int:
    from bot.storage.backup import back_up  # noqa: PLC0415

    done = back_up(_database_url(), file)
    print(f"{file}: {done.turns:,} turn{'s' * (done.turns != 1)}, {done.size / 1e6:,.1f} MB")
    return 0


async def _forget(*, user: int | None, guild: int | None) -> int:
    from bot.storage.database import read_url, refuse_absent  # noqa: PLC0415
    from bot.storage.turns import open_store  # noqa: PLC0415

    database_url = _database_url()
    refuse_absent(read_url(database_url))
    async with open_store(database_url) as store:
        if user is not None:
            share = (await store.forget_user(user)).share
            print(
                f"Erased {share.messages} stored messages of person {user}, and {share.answers} answers to them."
            )
        else:
            erased = await store.erase_guild(guild or 0)
            print(f"Erased {erased.turns} stored messages of server {guild}, and the answers to them.")
    return 0


def _database_url() -> str:
    """For commands that need no token: the other settings may be wrong, or not there. Raises StartupRefused."""
    from bot.setting_faults import refusal_lines  # noqa: PLC0415
    from bot.settings import ENV_FILE, examine_settings  # noqa: PLC0415

    settings, faults = examine_settings(ENV_FILE)
    if wrong := [fault for fault in faults if not fault.about or "DATABASE_URL" in fault.about]:
        raise StartupRefused("\n".join(refusal_lines(wrong, ENV_FILE)))
    return settings.database_url.get_secret_value()
