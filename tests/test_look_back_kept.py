"""What people look back at is as Discord told it, also where the database did not take that yet."""

import asyncio

import pytest

from bot.core import changes
from bot.core.errors import DatabaseUnavailable
from bot.core.why import UNKNOWN
from bot.discord.commands import export
from bot.discord.recalled import NOTHING
from bot.discord.remembered import NOTHING as NOTHING_REMEMBERED
from bot.playground.lines import WHY
from bot.playground.loopback import LoopbackDiscord
from tests.model_server import ModelServer
from tests.refusing import Refusing
from tests.whole_bot import Watched, noting_what_stands

LOOKS = {
    "recall": ({"query": "zebra"}, NOTHING),
    "history": ({}, NOTHING_REMEMBERED),
    "export": ({}, export.NO_CONVERSATION),
    "my data": ({"what": "my-data"}, None),
    WHY: ({}, UNKNOWN),
}


@pytest.fixture
async def stage(tmp_path, monkeypatch):
    """Kept changes do not come by themselves."""
    monkeypatch.setattr(changes, "SECONDS_BETWEEN_TRIES", 3600.0)
    stood = noting_what_stands(monkeypatch)
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Watched(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", stood=stood)


async def deleted_but_kept(stage, monkeypatch, *, times):
    """The answer to a question whose deletion was told, and refused so many times."""
    answer = await stage.ask("my zebra")
    await stage.stood.acquire()
    refusing = Refusing(monkeypatch, "erase_messages", times=times)
    await stage.discord.delete(answer.replied_to)
    async with asyncio.timeout(10):
        await (refusing.spent if times == 2 else refusing.refused).wait()
    return answer


async def looked_back(stage, answer, look):
    await stage.discord.until(lambda: stage.discord.commands)
    if look == WHY:
        call = await stage.discord.choose(answer, stage.you, WHY)
    else:
        name = "export" if look == "my data" else look
        call = await stage.discord.slash(stage.general, stage.you, name, LOOKS[look][0])
    return await stage.discord.until(lambda: call.original)


@pytest.mark.parametrize("look", LOOKS)
async def test_what_was_deleted_before_is_not_shown(stage, monkeypatch, look) -> None:
    async with stage.bot():
        answer = await deleted_but_kept(stage, monkeypatch, times=2)
        shown = await looked_back(stage, answer, look)

    assert LOOKS[look][1] in (None, shown.content)
    assert "zebra" not in shown.content + "".join(each.upload.data.decode() for each in shown.attachments)


@pytest.mark.parametrize("look", LOOKS)
async def test_while_the_database_refuses_that_people_are_told_so(stage, monkeypatch, look) -> None:
    async with stage.bot():
        answer = await deleted_but_kept(stage, monkeypatch, times=1_000_000)
        shown = await looked_back(stage, answer, look)

    assert (shown.content, shown.attachments) == (DatabaseUnavailable.user_message, [])
