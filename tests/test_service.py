"""docs/confab.service, which people copy: it fits what the bot does."""

from configparser import ConfigParser
from pathlib import Path

import pytest

from bot.cli import REFUSED, _parser
from bot.settings import Settings

DOCS = Path(__file__).parent.parent / "docs"
OPERATIONS = (DOCS / "operations.md").read_text()


@pytest.fixture
def service():
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(DOCS / "confab.service")
    return unit["Service"]


def test_it_runs_the_bot_and_does_not_start_again_what_was_refused(service):
    program, *arguments = service["ExecStart"].split()

    assert program == f"{service['WorkingDirectory']}/.venv/bin/python"
    assert arguments[:2] == ["-m", "bot"]
    assert _parser().parse_args(arguments[2:]).command == "run"
    assert int(service["RestartPreventExitStatus"]) == REFUSED


def test_answers_under_way_have_their_time_when_it_is_stopped(service):
    grace = Settings.model_fields["shutdown_grace_seconds"].default

    assert int(service["TimeoutStopSec"]) > 2 * grace


def test_its_memory_is_where_it_may_write(service):
    line = next(line for line in OPERATIONS.splitlines() if "echo DATABASE_URL=" in line)

    assert f"echo DATABASE_URL=sqlite:////var/lib/{service['StateDirectory']}/" in line
    assert f">> {service['EnvironmentFile']} " in line
    assert "DATABASE_URL" not in service.get("Environment", "")  # once, where the other commands read it too


def test_the_other_commands_run_as_the_service_does(service):
    line = next(line for line in OPERATIONS.splitlines() if "systemd-run" in line)

    assert f"--uid={service['User']} " in line
    assert f"--working-directory={service['WorkingDirectory']} " in line
    assert f"--property=EnvironmentFile={service['EnvironmentFile']} " in line
    assert line.endswith(f'{service["ExecStart"].removesuffix(" run")} "$@"; }}')


def test_whoever_reads_how_to_run_it_finds_the_file():
    assert "docs/confab.service /etc/systemd/system/" in OPERATIONS
    assert "[Service]" not in OPERATIONS  # once, in the file
