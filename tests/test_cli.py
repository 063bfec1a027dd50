"""The command line as a person meets it: `python -m bot` in a process of its own."""

import asyncio
import os
import socket
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from bot.core.tokens import TokenBudget
from bot.storage.turns import open_store
from tests.fakes import message
from tests.model_server import ModelServer

ROOT = Path(__file__).parent.parent
REAL_ONE = "For a real one, set OPENAI_API_KEY (or OPENAI_BASE_URL and OPENAI_MODEL) in .env."


def run(
    *arguments: str,
    folder: Path,
    flags: tuple[str, ...] = (),
    stdout: int = subprocess.PIPE,
    **settings: str,
) -> subprocess.CompletedProcess:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *flags, "-m", "bot", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | settings,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


async def opened(url: str) -> None:
    """Let the database be there."""
    async with open_store(url):
        pass


async def test_forgetting_takes_the_database_and_nothing_else(tmp_path):
    url = f"sqlite:///{tmp_path}/bot.db"
    async with open_store(url) as store:
        await store.receive(
            message("secret", id=1, author=7), take_up=False, budget=TokenBudget(history_tokens=100)
        )

    ended = run("forget", "--user", "7", folder=tmp_path, DATABASE_URL=url)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Erased 1 stored messages of person 7" in ended.stdout


def test_forgetting_in_a_database_that_is_none_is_refused(tmp_path):
    ended = run("forget", "--user", "7", folder=tmp_path, DATABASE_URL="bot.db")

    assert ended.returncode == 2
    assert "DATABASE_URL" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_forgetting_where_there_is_no_database_is_refused_and_makes_none(tmp_path):
    ended = run("forget", "--user", "7", folder=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr == f"There is no {tmp_path}/data/bot.db. Check DATABASE_URL and the folder you are in.\n"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_id_is_told(tmp_path):
    ended = run("forget", "--user", "abc", folder=tmp_path)

    assert ended.returncode == 2
    assert "is no Discord id. To see ids, switch on Developer Mode" in ended.stderr
    assert "Copy User ID" in ended.stderr


def test_without_what_it_needs_it_says_how_to_install_that(tmp_path):
    ended = run("run", folder=tmp_path, flags=("-S",))  # no site-packages

    assert ended.returncode == 1
    assert "is not installed here. `make run` installs what the bot needs" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_log_begins_with_the_names_that_are_no_settings(tmp_path):
    (tmp_path / ".env").write_text("DISABLE_DM=1\n")
    (tmp_path / "folder").write_text("in the database's way")
    set_up = {"DISCORD_API_URL": "http://127.0.0.1:1", "OPENAI_BASE_URL": "http://127.0.0.1:1"}

    ended = run(
        "run", folder=tmp_path, DISCORD_TOKEN="t", DATABASE_URL="sqlite:///folder/b.db", MAX_TOKENS="9", **set_up
    )

    assert ended.returncode == 2
    first, second, *_ = ended.stderr.splitlines()
    assert "WARNING" in first
    assert "MAX_TOKENS is not a setting; did you mean MAX_ANSWER_TOKENS? Correct" in first
    assert "WARNING" in second
    assert ".env has names that are no settings of confab: DISABLE_DM. If they" in second


def test_a_command_that_needs_the_database_alone_is_told_how_that_is_put_right(tmp_path):
    ended = run("usage", folder=tmp_path, DATABASE_URL="bot.db", HISTORY_TOKENS="x", BUDGET_TOTAL="$1")

    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "These settings need your attention:\n\n"
        "  DATABASE_URL is not for a database that confab knows.\n"
        "    sqlite:///data/bot.db, or postgresql://… with user:password@host/database behind it.\n\n"
    )
    assert "HISTORY_TOKENS" not in ended.stderr
    assert "BUDGET_TOTAL" not in ended.stderr


def test_use_is_a_table_of_the_last_days(tmp_path):
    (tmp_path / "data").mkdir()
    asyncio.run(opened(f"sqlite:///{tmp_path}/data/bot.db"))

    ended = run("usage", folder=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["day", "in"]


@pytest.mark.parametrize("command", [["usage", "--csv"], ["doctor"], ["doctor", "--json"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_has_seen_enough_is_left_without_a_word(tmp_path, command, unbuffered):
    (tmp_path / "data").mkdir()
    asyncio.run(opened(f"sqlite:///{tmp_path}/data/bot.db"))
    nobody, output = os.pipe()
    os.close(nobody)

    nowhere = {"DISCORD_API_URL": "http://127.0.0.1:1/api", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    ended = run(*command, folder=tmp_path, stdout=output, PYTHONUNBUFFERED=unbuffered, **nowhere)
    os.close(output)

    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize("days", ["0", "-1", "x", "99999"])
def test_days_that_are_no_number_are_refused(tmp_path, days):
    ended = run("usage", "--days", days, folder=tmp_path)

    assert ended.returncode == 2
    assert "is no number of days from 1 to 36,500" in ended.stderr or "expected one argument" in ended.stderr


def test_many_voices_without_words_are_refused(tmp_path):
    ended = run("playground", "--at-once", folder=tmp_path)

    assert ended.returncode == 2
    assert "--say" in ended.stderr


@pytest.mark.parametrize("words", ["", " \n"])
def test_nothing_to_say_is_refused(tmp_path, words):
    ended = run("playground", "--say", "hello", "--say", words, folder=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr == '--say goes with words: --say "hello"\n'


async def test_a_second_playground_in_the_same_folder_is_told_of_the_first(tmp_path):
    async with open_store(f"sqlite:///{tmp_path}/data/playground.db"), ModelServer() as model:
        settings = {"OPENAI_BASE_URL": model.base_url, "DATABASE_URL": "sqlite:///elsewhere.db"}
        ended = await asyncio.to_thread(run, "playground", "--say", "Hello", folder=tmp_path, **settings)

    assert ended.returncode == 2
    assert ended.stderr == (
        "A playground is open in this folder already. Leave it first, or start this one in another folder.\n"
    )


@pytest.mark.parametrize(
    ("key", "cost"), [({"OPENAI_API_KEY": "sk-canary-canary-canary"}, "at your cost"), ({}, "without a key")]
)
def test_the_playground_says_which_model_of_your_own_answers_and_where_to_look_if_it_fails(tmp_path, key, cost):
    settings = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_MODEL": "m,n", "MODEL_ATTEMPTS": "1"}
    ended = run("playground", "--say", "Hello", folder=tmp_path, **settings, **key)

    assert ended.returncode == 1
    assert ended.stderr == (
        f"m or n at 127.0.0.1:1 answers, {cost}. If it does not, `.venv/bin/python -m bot doctor` says why; "
        "`.venv/bin/python -m bot playground --local` has the small model answer instead.\n"
    )
    assert "canary" not in ended.stdout


async def test_the_small_model_can_be_gone_back_to_whatever_the_settings_name(tmp_path):
    (tmp_path / ".env").write_text(
        "OPENAI_API_KEY=sk-canary-canary-canary\nOPENAI_BASE_URL=http://127.0.0.1:1/v1\n"
    )

    ended = await asyncio.to_thread(run, "playground", "--local", "--say", "/why", folder=tmp_path)

    assert ended.stderr.splitlines()[0].endswith(REAL_ONE)
    assert "at no cost" in ended.stderr


async def test_the_playground_starts_whatever_is_set_that_it_leaves_aside(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        left_aside = {
            "BUDGET_TOTAL_PER_DAY": "a lot",
            "BUDGET_TOTAL": "$1",
            "BLOCKED_USERS": "#canary",
            "METRICS_PORT": str(taken.getsockname()[1]),
            "MAX_WAITING": "many",
        }
        async with ModelServer() as model:
            used = {"OPENAI_BASE_URL": model.base_url, "OPENAI_MODEL": "m"}
            well = await asyncio.to_thread(run, "playground", "--say", "Hi", folder=tmp_path, **used, **left_aside)
            wrong = {"HISTORY_TOKENS": "x"} | left_aside
            refused = await asyncio.to_thread(run, "playground", "--say", "Hi", folder=tmp_path, **used, **wrong)

    assert (well.returncode, "you: Hi\nconfab: " in well.stdout) == (0, True)
    assert refused.returncode == 2
    assert "HISTORY_TOKENS is not a whole number." in refused.stderr
    assert not any(name in refused.stderr for name in left_aside)


async def test_the_playground_writes_what_is_exported_to_a_file_and_names_it(tmp_path):
    async with ModelServer() as model:
        lines = ("--say", "Hello", "--say", "/export")
        settings = {"OPENAI_BASE_URL": model.base_url, "OPENAI_MODEL": "m"}
        ended = await asyncio.to_thread(run, "playground", *lines, folder=tmp_path, **settings)

    assert ended.returncode == 0
    assert ": data/playground/conversation.md]\n" in ended.stdout
    assert "> Hello\n" in (tmp_path / "data/playground/conversation.md").read_text()


async def test_the_playground_remembers_what_was_said_before_it_was_left(tmp_path):
    async with ModelServer() as model:
        settings = {"OPENAI_BASE_URL": model.base_url, "OPENAI_MODEL": "m", "BUDGET_TOTAL_PER_DAY": "$1"}
        for words in ("My name is Zorb.", "Who am I?", "And now?"):
            left = await asyncio.to_thread(run, "playground", "--say", words, folder=tmp_path, **settings)
            assert left.returncode == 0

    asked = [[each["content"] for each in body["messages"] if each["role"] == "user"] for body in model.requests]
    assert asked[-1] == ["My name is Zorb.", "Who am I?", "And now?"]


@pytest.mark.skipif(os.name != "posix", reason="there are no such terminals here")
@pytest.mark.parametrize("leave", ["/quit\r", "\x03", "\x04"])
def test_whoever_leaves_the_playground_has_the_terminal_as_it_was(tmp_path, leave):
    master, terminal = os.openpty()
    settings = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    before = termios.tcgetattr(terminal)
    playing = subprocess.Popen(
        [sys.executable, "-m", "bot", "playground"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]} | settings,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    shown = b""
    while b"#general >" not in shown:
        shown += os.read(master, 65536)
    os.write(master, leave.encode())
    while b"The bot remembers" not in shown:
        shown += os.read(master, 65536)

    assert playing.wait(timeout=30) == 0
    assert os.get_blocking(terminal)
    assert termios.tcgetattr(terminal) == before
    os.close(master)
    os.close(terminal)
