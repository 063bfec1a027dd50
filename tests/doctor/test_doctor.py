"""`python -m bot doctor`, run as people run it: beside a Discord and a model that are right or wrong."""

import asyncio
import json
import os
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.core.clock import SystemClock
from bot.core.findings import ok, warning, wrong
from bot.doctor.examination import examine
from bot.doctor.report import as_json, as_lines, likeness, summary
from bot.playground.loopback import LoopbackDiscord
from bot.redaction import redactor
from bot.storage.turns import open_store
from tests.model_server import Answer, ModelServer, Status

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    errors: str

    def states(self) -> dict[str, str]:
        """State by check, the worst where there are several."""
        order = ["ok", "warning", "wrong"]
        states: dict[str, str] = {}
        for each in json.loads(self.out)["findings"]:
            assert (each["state"] == "ok") == (each["cure"] == "")
            states[each["check"]] = max(states.get(each["check"], "ok"), each["state"], key=order.index)
        return states

    def wrong(self) -> dict[str, str]:
        return {check: state for check, state in self.states().items() if state != "ok"}


@dataclass
class SetUp:
    discord: LoopbackDiscord
    model: ModelServer
    folder: Path

    async def doctor(self, *arguments: str, **changes: str) -> Ended:
        environment = {
            "PYTHONPATH": str(ROOT),
            "DISCORD_TOKEN": self.discord.token,
            "DISCORD_API_URL": self.discord.api_url,
            "OPENAI_API_KEY": "sk-canary-canary-canary",
            "OPENAI_BASE_URL": self.model.base_url,
            "CHAT_CHANNELS": str(self.discord.channel("general").id),
        }
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "doctor", *arguments,
            cwd=self.folder,
            env=environment | changes,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, errors = await child.communicate()
        ended = Ended(child.returncode, out.decode(), errors.decode())
        assert "canary" not in ended.out + ended.errors
        return ended


@pytest.fixture
async def set_up(tmp_path):
    async with LoopbackDiscord() as discord, ModelServer() as model:
        async with open_store(f"sqlite:///{tmp_path}/data/bot.db"):
            pass
        yield SetUp(discord, model, tmp_path)


async def test_a_good_set_up_is_told_in_lines_of_eighty_columns(set_up):
    ended = await set_up.doctor()

    assert (ended.status, ended.errors) == (0, "")
    lines = ended.out.splitlines()
    assert lines[-1] == "All is well."
    assert all(len(line) <= 80 or " " not in line[22:].strip() for line in lines)
    assert [line.split()[1] for line in lines if line.startswith("ok")] == [
        "settings", "token", "intent", "invite", "permissions", "clock",
        "model", "streaming", "usage", "parameters", "database", "disk",
    ]  # fmt: skip


async def test_a_wrong_token_leaves_the_rest_to_be_checked(set_up):
    ended = await set_up.doctor("--json", DISCORD_TOKEN="canary")

    assert ended.status == 1
    assert ended.wrong() == {"token": "wrong"}
    assert {"clock", "model", "database"} <= ended.states().keys()


async def test_wrong_settings_are_told_together_and_what_depends_on_them_is_not_checked(set_up):
    (set_up.folder / ".env").write_text("HISTORY_TOKEN=5\n")
    (set_up.folder / ".env").chmod(0o600)

    ended = await set_up.doctor("--json", DISCORD_TOKEN="", STALL_SECONDS="soon", DATABASE_URL="canary://x")

    findings = json.loads(ended.out)["findings"]
    assert ended.status == 1
    assert [(each["subject"], each["detail"]) for each in findings if each["check"] == "settings"] == [
        ("HISTORY_TOKEN", "is not a setting; did you mean HISTORY_TOKENS?"),
        ("DISCORD_TOKEN", "is not set"),
        ("STALL_SECONDS", "is not a number"),
        ("DATABASE_URL", "is not for a database that confab knows"),
        ("read from", f"the environment, then {set_up.folder / '.env'}"),
    ]
    assert ended.wrong() == {"settings": "wrong", "token": "warning", "database": "warning"}
    assert ended.states()["model"] == "ok"


async def test_names_that_are_no_settings_are_worth_a_warning(set_up):
    (set_up.folder / ".env").write_text("DISABLE_DM=1\n")
    (set_up.folder / ".env").chmod(0o600)

    ended = await set_up.doctor("--json", RETENTION="30")

    found = [each for each in json.loads(ended.out)["findings"] if each["check"] == "settings"]
    assert (ended.status, ended.wrong()) == (0, {"settings": "warning"})
    assert [(each["subject"], each["detail"]) for each in found[1:]] == [
        ("RETENTION", "is not a setting; did you mean RETENTION_DAYS or RETENTION_DAYS_BY_SERVER?"),
        (".env", "has names that are no settings of confab: DISABLE_DM"),
    ]


async def test_where_settings_are_missing_it_says_where_they_are_read_from_and_how_to_begin(set_up):
    ended = await set_up.doctor("--json", DISCORD_TOKEN="")

    *_, found = [each for each in json.loads(ended.out)["findings"] if each["check"] == "settings"]
    assert found["detail"] == f"the environment; there is no {set_up.folder / '.env'}"
    assert "cp .env.example .env" in found["cure"]


@pytest.mark.skipif(os.name != "posix", reason="files have no modes here")
@pytest.mark.parametrize(("mode", "states"), [(0o644, ["ok", "warning"]), (0o640, ["ok"]), (0o600, ["ok"])])
async def test_a_file_of_secrets_that_everybody_may_read_is_a_warning(mode, states, tmp_path):
    env_file = tmp_path / ".env"
    env_file.write_text("")
    env_file.chmod(mode)
    environ = {
        "DISCORD_TOKEN": "t",
        "DISCORD_API_URL": "http://127.0.0.1:1",
        "OPENAI_BASE_URL": "http://127.0.0.1:1",
    }
    found = [each async for each in examine(env_file, environ, clock=SystemClock()) if each.check == "settings"]

    assert [each.state for each in found] == states
    assert [each.cure for each in found if each.cure] == [f"chmod 600 {env_file}"] * (mode == 0o644)


async def test_a_folder_in_the_file_s_place_has_a_cure_of_its_own(set_up):
    (set_up.folder / ".env").mkdir()

    ended = await set_up.doctor("--json")

    found, _ = [each for each in json.loads(ended.out)["findings"] if each["check"] == "settings"]
    assert (found["subject"], found["detail"]) == (".env", "cannot be read: Is a directory")
    assert found["cure"].startswith("Remove it (Docker makes a folder")


async def test_a_budget_that_cannot_hold_is_wrong_and_one_that_can_is_well(set_up):
    wrong_one = await set_up.doctor("--json", BUDGET_TOTAL_PER_DAY="$1")
    right_one = await set_up.doctor("--json", BUDGET_TOTAL_PER_DAY="$1", MODEL_PRICES="gpt-5.4=1/10")

    (found,) = [each for each in json.loads(wrong_one.out)["findings"] if each["check"] == "budgets"]
    assert wrong_one.wrong() == {"budgets": "wrong"}
    assert found["detail"] == "BUDGET_TOTAL_PER_DAY is in dollars, and what gpt-5.4 costs is not known"
    assert found["cure"].startswith("Say it in MODEL_PRICES")
    assert right_one.states()["budgets"] == "ok"


async def test_every_budget_that_cannot_hold_is_a_finding_of_its_own(set_up):
    ended = await set_up.doctor("--json", BUDGET_TOTAL_PER_DAY="90", BUDGET_PERSON_PER_DAY="$1")

    found = [each["detail"] for each in json.loads(ended.out)["findings"] if each["check"] == "budgets"]
    assert found == [
        "BUDGET_PERSON_PER_DAY is in dollars, and what gpt-5.4 costs is not known",
        "BUDGET_TOTAL_PER_DAY is 90 tokens, which pays for no answer at all",
    ]


async def test_a_budget_that_pays_for_short_conversations_alone_is_worth_a_warning(set_up):
    ended = await set_up.doctor("--json", BUDGET_PERSON_PER_DAY="12799")

    (found,) = [each for each in json.loads(ended.out)["findings"] if each["check"] == "budgets"]
    assert (ended.status, ended.wrong()) == (0, {"budgets": "warning"})
    assert found["detail"] == (
        "BUDGET_PERSON_PER_DAY is 12,799 tokens, and one answer in a long conversation may take 12,800 tokens, by "
        "HISTORY_TOKENS and MAX_ANSWER_TOKENS: it is refused there"
    )


async def test_a_chat_channel_that_is_blocked_is_worth_a_warning(set_up):
    ended = await set_up.doctor("--json", BLOCKED_CHANNELS=str(set_up.discord.channel("general").id))

    assert (ended.status, ended.wrong()) == (0, {"permissions": "warning"})


async def test_an_intent_that_is_insisted_on_and_a_channel_without_permissions(set_up):
    set_up.discord.world.message_content_granted = False
    set_up.discord.set_permissions(set_up.discord.channel("general"), send_messages=False)
    set_up.discord.set_permissions(set_up.discord.channel("random"), read_message_history=False)

    ended = await set_up.doctor(MESSAGE_CONTENT="on")

    words = " ".join(ended.out.split())
    assert ended.status == 1
    assert "Discord has not granted the message content intent → Switch it on at https://" in words
    assert "wrong permissions Playground / #general: in CHAT_CHANNELS, missing: Send Messages →" in words
    assert "warning permissions Playground / #random: missing: Read Message History →" in words
    assert words.endswith("2 wrong, 1 warning.")


@pytest.mark.parametrize(
    ("behaviour", "status", "found"),
    [
        (Status(404, "model_not_found"), 1, {"model": "wrong"}),
        (Answer(usage=None), 0, {"usage": "warning"}),
    ],
)
async def test_a_model_that_is_unknown_and_one_that_reports_no_usage(set_up, behaviour, status, found):
    set_up.model.script(behaviour)

    ended = await set_up.doctor("--json")

    assert (ended.status, ended.wrong()) == (status, found)


async def test_every_model_is_asked(set_up):
    set_up.model.behave(lambda body: Status(503) if body["model"] == "small" else Answer())

    ended = await set_up.doctor("--json", OPENAI_MODEL="large,small")

    host = urlsplit(set_up.model.base_url).netloc
    models = [each for each in json.loads(ended.out)["findings"] if each["check"] == "model"]
    assert [(each["subject"], each["state"]) for each in models] == [
        (f"large at {host}", "ok"),
        (f"small at {host}", "wrong"),
    ]


async def test_the_model_that_writes_summaries_is_asked_as_well(set_up):
    set_up.model.behave(lambda body: Status(404, "model_not_found") if body["model"] == "small" else Answer())

    ended = await set_up.doctor("--json", SUMMARY_MODEL="small")
    switched_off = await set_up.doctor("--json", SUMMARY_MODEL="small", SUMMARIES="off")
    the_same = await set_up.doctor("--json", OPENAI_MODEL="large", SUMMARY_MODEL="large")

    _, summaries = [each for each in json.loads(ended.out)["findings"] if each["check"] == "model"]
    assert (summaries["subject"].split()[0], summaries["state"]) == ("small", "wrong")
    assert summaries["cure"].startswith("Check SUMMARY_MODEL, letter by letter")
    assert (switched_off.wrong(), the_same.wrong()) == ({}, {})
    assert [request["model"] for request in set_up.model.requests[-2:]] == ["gpt-5.4", "large"]


async def test_a_model_that_is_down_and_a_newer_versions_database(set_up):
    with sqlite3.connect(set_up.folder / "data" / "bot.db") as database:
        database.execute("UPDATE confab_version SET version_num = '9999'")
    database.close()

    ended = await set_up.doctor("--json", OPENAI_BASE_URL="http://127.0.0.1:1/v1")

    assert (ended.status, ended.wrong()) == (1, {"model": "wrong", "database": "wrong"})


def test_channels_that_lack_the_same_share_their_lines():
    alike = [warning("permissions", f"Lab / #{n}", "missing: Send Messages", "Allow it.") for n in range(15)]
    other = warning("permissions", "Pub / #0", "missing: Send Messages", "Allow it.")

    assert len({likeness(each) for each in alike}) == 1
    assert likeness(other) != likeness(alike[0])
    assert as_lines(alike, redactor()) == [
        "warning  permissions  Lab / #0, #1, #2, #3, #4, #5, #6, #7, #8, #9, #10, #11 and",
        "                      3 more: missing: Send Messages",
        "                      → Allow it.",
    ]


def test_a_secret_in_a_name_is_in_neither_report():
    finding = wrong("permissions", "Lab / #hunter2hunter2", "missing: hunter2hunter2", "Allow hunter2hunter2.")
    redact = redactor(["hunter2hunter2"])

    assert "hunter2" not in as_json([finding], redact) + "".join(as_lines([finding], redact))


def test_the_last_line_counts():
    fine, odd, bad = ok("a", "b", "c"), warning("a", "b", "c", "d"), wrong("a", "b", "c", "d")

    assert [summary(each) for each in ([fine], [fine, odd], [bad, bad, odd, odd])] == [
        "All is well.",
        "0 wrong, 1 warning.",
        "2 wrong, 2 warnings.",
    ]
