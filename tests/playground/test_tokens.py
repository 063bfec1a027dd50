"""The judge of the token estimate: a real model's vocabulary, small and English, so about the worst there is."""

import tomllib
from pathlib import Path

import aiohttp
import pytest

from bot.core.history import build_prompt, estimate_tokens, turn_tokens
from bot.core.messages import Conversation, ConversationKey, Kind, PastTurn, Role, TakenUp, Turn, TurnState
from bot.llm.chat_model import OpenAIChatModel
from bot.playground.local_model import find_weights, open_local_model, serve_weights
from tests.llm.asking import ask

pytestmark = pytest.mark.skipif(find_weights() is None, reason="the local model is not installed")

SAMPLES = tomllib.loads(Path(__file__).with_name("samples.toml").read_text("utf-8"))
ORDINARY, WORDLESS = SAMPLES["ordinary"], SAMPLES["wordless"]


async def count_tokens(texts):
    async with serve_weights(find_weights()) as address, aiohttp.ClientSession() as session:
        counts = {}
        for name, text in texts.items():
            async with session.post(f"{address}/tokenize", json={"content": text}) as response:
                counts[name] = len((await response.json())["tokens"])
        return counts


async def test_ordinary_text_never_costs_more_than_estimated():
    counts = await count_tokens(ORDINARY)

    estimates = {name: estimate_tokens(text) for name, text in ORDINARY.items()}
    assert {name: counts[name] for name in counts if counts[name] > estimates[name]} == {}


async def test_text_without_known_words_costs_at_most_twice_the_estimate():
    counts = await count_tokens(WORDLESS)

    estimates = {name: estimate_tokens(text) for name, text in WORDLESS.items()}
    assert {name: counts[name] for name in counts if counts[name] > 2 * estimates[name]} == {}


async def test_the_estimate_of_english_is_not_twice_too_high():
    counts = await count_tokens(ORDINARY)

    assert estimate_tokens(ORDINARY["english"]) < 2 * counts["english"]


def said(number, text, *, kind=Kind.MESSAGE):
    return Turn(id=number, kind=kind, state=TurnState.ANSWERED, text=text)


async def test_a_whole_prompt_of_very_short_turns_never_costs_more_than_estimated():
    history = tuple(PastTurn(Role.ASSISTANT if number % 2 else Role.USER, "ok") for number in range(40))
    taken = TakenUp(
        conversation=Conversation(id=1, key=ConversationKey(channel_id=1), guild_id=None, labelled=False),
        history=history,
        history_tokens=sum(turn_tokens(turn, labelled=False) for turn in history),
        questions=(said(40, "ok?"),),
        answer_id=41,
        attempt=1,
        tries=1,
    )
    prompt = build_prompt(taken, system_prompt="Be kind.", history_tokens=8000, max_answer_tokens=1)

    async with (
        open_local_model() as local,
        OpenAIChatModel(model=local.model, api_key=None, base_url=local.base_url) as model,
    ):
        _, finished = await ask(model, prompt)

    assert finished.usage.input_tokens <= prompt.tokens
