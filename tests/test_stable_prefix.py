"""Up to the newest turn, each prompt begins as the one before, byte for byte, until something named changes it.

The whole bot in one long conversation: what was sent to the model is compared as it came over the wire.
"""

import json
from itertools import pairwise

import pytest

from bot.playground.loopback import LoopbackDiscord
from tests.model_server import Answer, Gate, ModelServer
from tests.whole_bot import Stage

BUDGET = "1000"  # some six exchanges
LONG = "A sentence of some length that is said again. " * 4


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord() as discord, ModelServer() as model:
        model.answer(lambda _: f"Answer {len(model.requests)}. {LONG}", usage=None)
        yield Stage(discord, model, f"sqlite:///{tmp_path}/bot.db")


def sent(stage):
    """The messages of each request, each as it was on the wire."""
    return [
        [json.dumps(message, ensure_ascii=False) for message in body["messages"]] for body in stage.model.requests
    ]


def goes_on(before, after):
    """*after* begins with all of *before*, what was asked last included."""
    return len(after) > len(before) and after[: len(before)] == before


def moved(before, after):
    """The window did: the end of *before* goes on, if anything of it is left."""
    left = max(n for n in range(len(before)) if after[1 : 1 + n] == before[len(before) - n :])
    return left < len(before) - 2 and (left > 0 or len(after) == len(["system prompt", "question"]))


async def ask_cut_off(stage):
    gate = Gate()
    stage.model.script(Answer.cut_off(LONG, then="drop", gate=gate))
    asked = await stage.discord.post(stage.general, stage.you, "what became of it?")
    gate.let_out(10)
    answer = await stage.discord.until(lambda: stage.reply_to(asked))
    gate.open()
    await stage.discord.until(lambda: "*go on*" in answer.content)


async def test_a_long_conversation_keeps_its_beginning_until_the_window_moves(stage):
    heard = await stage.discord.post(stage.random, stage.ada, "Quite unheard of. " * 100)
    link = f"https://discord.com/channels/{stage.discord.guild.id}/{heard.channel.id}/{heard.id}"

    async with stage.bot(HISTORY_TOKENS=BUDGET, SUMMARIES="off"):
        for n in range(6):
            await stage.ask(f"And {n}? {LONG}", author=stage.you if n % 3 else stage.ada)
        await ask_cut_off(stage)
        await stage.ask("and of this? " * 10, reply_to=heard)
        await stage.ask(f"What is {link} about?")
        stage.model.script(Answer(text="A very long answer. " * 500, usage=None))
        await stage.ask("everything, please")
        await stage.ask("Shorter, please")
    async with stage.bot(HISTORY_TOKENS=BUDGET, SUMMARIES="off"):
        for n in range(6):
            await stage.ask(f"After the restart {n}? {LONG}", author=stage.you if n % 2 else stage.ada)

    steps = list(pairwise(sent(stage)))
    changes = [n for n, (before, after) in enumerate(steps) if not goes_on(before, after)]
    switched, *others = changes
    assert switched == 0
    assert all(moved(*steps[n]) for n in others)
    assert 2 <= len(others) <= 4


async def test_each_conversation_has_a_key_of_its_own_that_tells_nothing(stage):
    async with stage.bot():
        for channel in (stage.general, stage.general, stage.random):
            await stage.ask(f"<@{stage.discord.bot_user.id}> hello", channel=channel)
    async with stage.bot():
        await stage.ask("hello")

    first, second, elsewhere, later = (body["prompt_cache_key"] for body in stage.model.requests)
    assert first == second == later != elsewhere
    assert all(str(channel.id) not in first for channel in (stage.general, stage.random))
    assert "prompt_cache_retention" not in stage.model.requests[0]


@pytest.mark.parametrize("change", ["edit", "delete"])
async def test_what_is_changed_in_discord_changes_it_once(stage, change):
    async with stage.bot():
        for n in range(3):
            await stage.ask(f"Question {n}")
        second = next(each for each in stage.discord.messages(stage.general) if each.content == "Question 1")
        if change == "edit":
            await stage.discord.edit(second, "Another question")
        else:
            await stage.discord.delete(second)
        for n in range(3, 6):
            await stage.ask(f"Question {n}")

    steps = list(pairwise(sent(stage)))
    assert [n for n, (before, after) in enumerate(steps) if not goes_on(before, after)] == [2]
    assert "Question 1" not in "".join(sent(stage)[-1])


async def test_one_report_of_ten_times_what_a_prompt_had_changes_nothing(stage):
    def counted(body):
        tokens = len(json.dumps(body["messages"])) // 3 * (10 if len(stage.model.requests) == 4 else 1)
        return Answer(text=LONG, usage={"prompt_tokens": tokens, "completion_tokens": 9})

    stage.model.behave(counted)
    async with stage.bot(HISTORY_TOKENS=BUDGET, SUMMARIES="off"):
        for n in range(6):
            await stage.ask(f"And {n}? {LONG}")

    assert all(goes_on(before, after) for before, after in pairwise(sent(stage)))
