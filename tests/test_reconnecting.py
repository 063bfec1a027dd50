"""Discord was away while answers were written, or the bot while questions waited: the whole bot carries on."""

import asyncio

import pytest

from bot.core import answer
from bot.core.answering import Answering
from bot.core.errors import AskedLongAgo
from bot.core.tokens import TokenBudget
from bot.discord import connecting, requests
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import open_store
from tests.fakes import message
from tests.model_server import Answer, Gate, ModelServer
from tests.whole_bot import Stage

LONG = "The sky is blue because air scatters short waves of light far more than long ones."
NEVER = 3600.0  # seconds


@pytest.fixture
async def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "SECONDS_BEFORE_RETRIES", ())
    monkeypatch.setattr(connecting, "SECONDS_BETWEEN_SESSIONS", 0.0)
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


@pytest.fixture
def given_up(monkeypatch):
    """Set when an answer waits, because Discord did not take it."""
    waits, pause = asyncio.Event(), Answering.pause

    async def noted(self, seconds, clock):
        waits.set()
        await pause(self, seconds, clock)

    monkeypatch.setattr(Answering, "pause", noted)
    return waits


def go_away(stage):
    """Discord's REST takes nothing; the gateway stays."""
    stage.discord.faults.add("*", r"/channels/", status=503, times=10_000)


def ours(stage):
    return [each for each in stage.discord.messages(stage.general) if each.author is stage.discord.bot_user]


def resumed(stage):
    stage.discord.faults.cut_gateway()


def begun_anew(stage):
    stage.discord.faults.invalidate_session(resumable=False)


@pytest.mark.parametrize("how", [resumed, begun_anew])
async def test_what_was_finished_while_discord_was_away_comes_at_the_reconnect(
    stage, given_up, monkeypatch, how
) -> None:
    monkeypatch.setattr(answer, "SECONDS_BEFORE_DELIVERING_AGAIN", NEVER)
    monkeypatch.setattr(answer, "LONGEST_DELIVERY_PAUSE", NEVER)
    stage.model.script(Answer(text=LONG))
    async with stage.bot():
        go_away(stage)
        asked = await stage.discord.post(stage.general, stage.you, "Why is the sky blue?")
        await given_up.wait()

        stage.discord.faults.clear()
        how(stage)

        assert (await stage.discord.until(lambda: stage.reply_to(asked))).content == LONG
    assert len(stage.model.requests) == 1


async def test_what_was_being_written_while_discord_went_away_for_long_is_ended_when_it_is_back(
    stage, given_up, monkeypatch
) -> None:
    monkeypatch.setattr(answer, "SECONDS_BEFORE_DELIVERING_AGAIN", 0.001)
    monkeypatch.setattr(answer, "MAX_DELIVERIES", 2)
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate))
    async with stage.bot():
        asked = await stage.discord.post(stage.general, stage.you, "Why is the sky blue?")
        gate.let_out(10)
        draft = await stage.discord.until(lambda: stage.reply_to(asked))
        go_away(stage)
        gate.open()
        await given_up.wait()
        before = len(stage.discord.requests)
        await stage.discord.until(lambda: len(stage.discord.requests) > before + 10)

        stage.discord.faults.clear()

        await stage.settled(draft, LONG)
        await stage.ask("Thanks!")
    first, _ = ours(stage)
    assert first is draft
    assert [role for role, _ in stage.prompts()[-1]] == ["system", "user", "assistant", "user"]


async def test_a_question_stored_before_the_bot_was_away_for_long_gets_a_sentence_and_is_no_history(stage) -> None:
    asked = await stage.discord.post(stage.general, stage.you, "Why is the sky blue?")
    async with open_store(stage.database_url) as store:
        question = message(asked.content, id=asked.id, channel=stage.general.id, author=stage.you.id)
        await store.receive(question, take_up=False, budget=TokenBudget(history_tokens=8000))

    async with stage.bot(ANSWER_WITHIN_MINUTES="0.00001"):
        told = await stage.discord.until(lambda: stage.reply_to(asked))
        await stage.settled(told, AskedLongAgo.user_message)
        await stage.ask("fresh")

    assert [[text for _, text in prompt][1:] for prompt in stage.prompts()] == [["fresh"]]
