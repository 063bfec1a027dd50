"""One call fails, for each call of a Regenerate: it is written anew, on whoever pressed, or was never reopened."""

import asyncio

import pytest

from bot.playground.loopback import LoopbackDiscord
from tests.durability.scene import OPEN, Scene
from tests.durability.tables import tables
from tests.durability.test_nth_call import MOST_CALLS, SECONDS_BETWEEN_LOOKS, commit_fails, statement_fails
from tests.model_server import Answer, ModelServer
from tests.pressing import labels, pressed, with_button
from tests.whole_bot import Stage

CALLS = "SELECT author_id, outcome FROM model_calls ORDER BY id"
AT_LEAST_COMMITS = 5  # reopened, taken up, begun, written, stands
BUDGET = {"BUDGET_PERSON_PER_DAY": "1000000000", "MESSAGES_PER_MINUTE_PER_PERSON": "0"}


@pytest.fixture
async def scene(tmp_path, clock):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        usage = {"prompt_tokens": 30, "completion_tokens": 5}
        model.behave(lambda _: Answer(text=f"Answer {len(model.requests)}.", usage=usage))
        yield Scene(Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", clock=clock))


async def at_rest(stage, message):
    while (await tables(stage.database_url, OPEN))[0] or labels(message) != ["Regenerate"]:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)


async def anew(scene, n, failing):
    """Whether a call failed; what is wrong after that."""
    stage = scene.stage
    message = await stage.ask(f"Why {n}?", author=stage.ada)
    await with_button(stage, message)
    await at_rest(stage, message)
    old, before = message.content, len((await tables(stage.database_url, CALLS))[0])
    with failing(scene, n) as failed:
        press = await pressed(stage, message, "Regenerate", by=stage.you)
        await stage.discord.until(lambda: message.content != old or press.original or press.followups)
        await at_rest(stage, message)
        did = failed()
    calls = [tuple(row.values()) for row in (await tables(stage.database_url, CALLS))[0][before:]]
    wrong = [each for each in calls if each[0] != stage.you.id or each[1] == "begun"]
    return did, wrong


@pytest.mark.parametrize(
    "failing",
    [statement_fails, commit_fails(carried_out=False), commit_fails(carried_out=True)],
    ids=["a statement", "a commit", "a commit that was carried out"],
)
async def test_the_database_fails_once(scene, failing) -> None:
    stage = scene.stage
    stage.discord.set_member_permissions(stage.discord.guild, stage.you, manage_messages=True)
    async with stage.bot(**BUDGET):
        for n in range(1, MOST_CALLS):
            did, wrong = await anew(scene, n, failing)
            assert wrong == [], n
            if not did:
                break
    assert n > AT_LEAST_COMMITS
