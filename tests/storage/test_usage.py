"""What was used, summed up by the database: the same on both."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.core.completions import ModelCall, Usage
from bot.core.errors import StartupRefused
from bot.core.usage import SUMMARIES, By, Used
from bot.storage.turns import open_store
from bot.storage.usage_report import read_usage
from tests.conftest import execute

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATE = datetime(2026, 11, 26, 23, 59, 59, 999_999, tzinfo=UTC)
MONTH = datetime(2026, 11, 1, tzinfo=UTC)
ADA = ModelCall(
    request_id=None,
    reserved_at=None,
    answer_id=None,
    channel_id=10,
    guild_id=5,
    author_id=1,
    purpose="answer",
    model="large",
    attempt=1,
    started_at=NOON,
    first_token_at=None,
    ended_at=NOON,
    outcome="complete",
    usage=Usage(input_tokens=100, cached_tokens=20, output_tokens=10),
    cost_nanodollars=1_000,
)
BEN = replace(ADA, author_id=2, channel_id=11, started_at=LATE, model="small", cost_nanodollars=3_000)
FAILED = replace(ADA, outcome="model_busy", usage=Usage(), cost_nanodollars=None)
IN_A_DM = replace(ADA, guild_id=None, channel_id=12, started_at=datetime(2026, 11, 27, tzinfo=UTC))
ELSEWHERE = replace(ADA, guild_id=6, channel_id=13, cost_nanodollars=9_000)
BEFORE = replace(ADA, started_at=datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC))


@pytest.fixture
async def store(store):
    for call in (ADA, BEN, FAILED, IN_A_DM, ELSEWHERE, BEFORE):
        await store.record_call(call)
    return store


def figures(used):
    return {each.of: (each.requests, each.cost_nanodollars) for each in used}


async def test_one_person_s_use_is_theirs_wherever_they_asked(store):
    (used,) = await store.usage(None, since=MONTH, person=1)

    assert used == Used(
        requests=4,
        answers=3,
        input_tokens=300,
        cached_tokens=60,
        output_tokens=30,
        cost_nanodollars=11_000,
        unknown=1,
    )


async def test_a_summary_is_nobody_s_answer_and_one_that_was_cut_off_is_one(store):
    await store.record_call(replace(ADA, author_id=None, purpose="summary"))
    await store.record_call(replace(ADA, author_id=None))  # of somebody who was forgotten
    await store.record_call(replace(ADA, author_id=3, outcome="cut_off:model_timeout"))
    for outcome in ("model_timeout", "stopped_unread", "called_off"):
        await store.record_call(replace(ADA, author_id=4, outcome=outcome))

    used = await store.usage(By.PERSON, since=MONTH, guild_id=5)

    found = {each.of: (each.requests, each.answers) for each in used}
    assert found == {SUMMARIES: (1, 0), None: (1, 1), 1: (2, 1), 2: (1, 1), 3: (1, 1), 4: (2, 0)}


async def test_a_server_s_use_holds_nothing_of_other_servers(store):
    by_person = await store.usage(By.PERSON, since=MONTH, guild_id=5)
    by_channel = await store.usage(By.CHANNEL, since=MONTH, guild_id=5)

    assert figures(by_person) == {2: (1, 3_000), 1: (2, 1_000)}
    assert [each.of for each in by_person] == [2, 1]  # who cost most is first
    assert figures(by_channel) == {11: (1, 3_000), 10: (2, 1_000)}


@pytest.mark.parametrize(
    ("by", "found"),
    [
        (By.MODEL, {"large": (4, 11_000), "small": (1, 3_000)}),
        (By.SERVER, {5: (3, 4_000), 6: (1, 9_000), None: (1, 1_000)}),
        (By.DAY, {"2026-11-26": (4, 13_000), "2026-11-27": (1, 1_000)}),
        (None, {None: (5, 14_000)}),
    ],
)
async def test_all_use_is_summed_up_by_what_is_asked(store, by, found):
    assert figures(await store.usage(by, since=MONTH)) == found


async def test_days_come_in_their_order(store):
    assert [each.of for each in await store.usage(By.DAY, since=BEFORE.started_at)] == [
        "2026-10-31",
        "2026-11-26",
        "2026-11-27",
    ]


async def test_where_nothing_was_used_there_is_nothing(store):
    assert await store.usage(By.DAY, since=MONTH, guild_id=77) == []
    (none,) = await store.usage(None, since=MONTH, person=77)
    assert none == Used()


async def test_the_operator_s_report_reads_beside_the_bot_and_without_it(store, database_url):
    beside = await read_usage(database_url, By.MODEL, since=MONTH)
    await store._database.close()

    assert figures(beside) == {"large": (4, 11_000), "small": (1, 3_000)}
    assert await read_usage(database_url, By.MODEL, since=MONTH) == beside


async def test_the_report_leaves_the_file_at_rest_as_it_was(tmp_path):
    url = f"sqlite:///{tmp_path}/bot.db"
    async with open_store(url) as store:
        await store.record_call(ADA)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    await read_usage(url, By.DAY, since=MONTH)

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


async def test_a_database_without_the_tables_is_refused_with_the_cure(empty_url, tmp_path):
    (tmp_path / "bot.db").touch()

    with pytest.raises(StartupRefused, match="Start the bot once, then ask"):
        await read_usage(empty_url, By.DAY, since=MONTH)


async def test_a_file_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StartupRefused, match=r"There is no .*nowhere\.db\. Check DATABASE_URL"):
        await read_usage(f"sqlite:///{tmp_path}/nowhere.db", By.DAY, since=MONTH)

    assert list(tmp_path.iterdir()) == []


async def test_what_cannot_be_opened_is_said_to_be_unreadable(tmp_path):
    with pytest.raises(StartupRefused, match="cannot be read"):
        await read_usage(f"sqlite:///{tmp_path}", By.DAY, since=MONTH)


async def test_what_is_no_database_of_ours_is_refused(database_url, tmp_path):
    if database_url.startswith("sqlite"):
        (tmp_path / "bot.db").write_bytes(b"nothing of the sort" * 100)
        with pytest.raises(StartupRefused, match="is not a database"):
            await read_usage(database_url, By.DAY, since=MONTH)
    else:
        await execute(database_url, "ALTER TABLE model_calls RENAME COLUMN author_id TO writer_id")
        try:
            with pytest.raises(StartupRefused, match="cannot be used"):
                await read_usage(database_url, By.PERSON, since=MONTH)
        finally:
            await execute(database_url, "ALTER TABLE model_calls RENAME COLUMN writer_id TO author_id")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_days_are_those_of_utc_whatever_the_server_s_zone(store, database_url):
    await execute(database_url, "ALTER DATABASE kept SET timezone = 'Asia/Tokyo'")
    try:
        used = await read_usage(database_url, By.DAY, since=MONTH)
    finally:
        await execute(database_url, "ALTER DATABASE kept RESET timezone")

    assert figures(used) == {"2026-11-26": (4, 13_000), "2026-11-27": (1, 1_000)}
