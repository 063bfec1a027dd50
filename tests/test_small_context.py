"""A model that reads less than HISTORY_TOKENS: that is found out, and ends nobody's conversation."""

import re
from itertools import pairwise

import pytest

from bot.playground.loopback import LoopbackDiscord
from tests.model_server import Answer, ModelServer, Status
from tests.whole_bot import Stage

LONG = "A sentence of some length that is said again. " * 6
READS = 1500  # tokens
SETTINGS = {
    "HISTORY_TOKENS": "4000",
    "MAX_ANSWER_TOKENS": "400",
    "SUMMARIES": "off",
    "MESSAGES_PER_MINUTE_PER_PERSON": "0",
}


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord, model, f"sqlite:///{tmp_path}/bot.db")


def tokens(body):
    return sum(len(each["content"]) // 4 + 4 for each in body["messages"])


def read_little(stage, refusal):
    """The model refuses what is over READS."""

    def behave(body):
        if tokens(body) > READS:
            return Status(400, "context_length_exceeded", refusal)
        return Answer(text=f"I see. {LONG}", usage={"prompt_tokens": tokens(body), "completion_tokens": 80})

    stage.model.behave(behave)


def answered(stage):
    """The prompts of answers, none of a summary."""
    prompts = zip(stage.prompts(), stage.model.requests, strict=True)
    return [prompt for prompt, body in prompts if fits(body) and prompt[-1][1].startswith("And ")]


def fits(body):
    return tokens(body) <= READS


@pytest.mark.parametrize("summaries", ["off", "on"])
@pytest.mark.parametrize(
    ("refusal", "at_most"), [(f"This model's maximum context length is {READS} tokens.", 1), ("Too long.", 2)]
)
async def test_it_is_refused_hardly_ever_and_the_window_moves_instead_of_sliding(
    stage, refusal, at_most, summaries, caplog
) -> None:
    read_little(stage, refusal)
    async with stage.bot(**SETTINGS | {"SUMMARIES": summaries}):
        answers = [await stage.ask(f"And {n}? {LONG}") for n in range(30)]
        for answer in answers:
            await stage.discord.until(lambda answer=answer: answer.content.startswith("I see."))
        remembered = (await stage.called("history")).content

    assert re.search(r"of the 1,[01]\d\d tokens", remembered)
    assert 1 <= sum(not fits(body) for body in stage.model.requests) <= at_most
    moves = [n for n, (a, b) in enumerate(pairwise(answered(stage))) if b[: len(a)] != a]
    assert len(moves) <= 8
    assert all(after - before > 1 for before, after in pairwise(moves[2:]))
    warnings = [each for each in caplog.records if "reads less than HISTORY_TOKENS" in each.getMessage()]
    assert [each.levelname for each in warnings if each.levelname != "INFO"] == ["WARNING"]


async def test_a_start_finds_it_out_anew_and_the_window_stays_where_it_moved_to(stage) -> None:
    read_little(stage, f"This model's maximum context length is {READS} tokens.")
    async with stage.bot(**SETTINGS):
        for n in range(12):
            answer = await stage.ask(f"And {n}? {LONG}")
            await stage.discord.until(lambda answer=answer: answer.content.startswith("I see."))
    before = len(stage.model.requests)
    async with stage.bot(**SETTINGS):
        await stage.ask("And after the start?")

    (prompt,) = stage.prompts()[before:]
    assert prompt[: len(stage.prompts()[before - 1])] == stage.prompts()[before - 1]


async def test_what_a_question_brings_along_is_cut_to_what_the_model_reads(stage) -> None:
    read_little(stage, f"This model's maximum context length is {READS} tokens.")
    heard = [await stage.discord.post(stage.random, stage.ada, f"{n} {LONG * 7}") for n in range(3)]
    links = [
        f"https://discord.com/channels/{stage.discord.guild.id}/{stage.random.id}/{each.id}" for each in heard
    ]
    async with stage.bot(**SETTINGS | {"HISTORY_TOKENS": "8000"}):
        for n in range(12):
            await stage.ask(f"And {n}? {LONG}")
        before = len(stage.model.requests)
        answer = await stage.ask(f"And these? {' '.join(links)}")
        await stage.discord.until(lambda: answer.content.startswith("I see."))

    (body,) = stage.model.requests[before:]
    assert tokens(body) > READS / 2
    assert all(f"{n} A sentence" in str(body) for n in range(3))


async def test_a_short_question_is_asked_alone_where_no_history_fits(stage) -> None:
    def behave(body):
        if len(body["messages"]) > 2:
            return Status(400, "context_length_exceeded")
        return Answer(text="I see.")

    stage.model.behave(behave)
    async with stage.bot(**SETTINGS):
        answers = [await stage.ask(f"And {n}?") for n in range(5)]
        for answer in answers:
            await stage.settled(answer, "I see.")
