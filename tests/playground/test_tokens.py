"""The judge of the token estimate: a real model's vocabulary, small and English, so about the worst there is."""

import tomllib
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.core.messages import Conversation, ConversationKey, Kind, PastTurn, Role, TakenUp, Turn
from bot.core.prompt import build_prompt, turn_tokens
from bot.core.token_rates import TokenRates
from bot.core.tokens import estimate_tokens
from bot.llm.chat_model import OpenAIChatModel
from bot.playground.local_model import find_weights, open_local_model, serve_weights
from tests.llm.asking import ask

pytestmark = pytest.mark.skipif(find_weights() is None, reason="the local model is not installed")

SAMPLES = tomllib.loads(Path(__file__).with_name("samples.toml").read_text("utf-8"))
ORDINARY, WORDLESS = SAMPLES["ordinary"], SAMPLES["wordless"]


@asynccontextmanager
async def tokenizer():
    """Counts the tokens of a text, or of a prompt as the model's chat template puts it."""
    async with serve_weights(find_weights()) as address, aiohttp.ClientSession() as session:

        async def count(text):
            asked = {"content": text, "parse_special": True}
            async with session.post(f"{address}/tokenize", json=asked) as response:
                return len((await response.json())["tokens"])

        yield count


async def count_tokens(texts):
    async with tokenizer() as count:
        return {name: await count(text) for name, text in texts.items()}


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
    return Turn(id=number, kind=kind, text=text)


def taken_up(history, question, *, token_rate=1.0):
    conversation = Conversation(
        id=1, key=ConversationKey(channel_id=1), guild_id=None, labelled=False, token_rate=token_rate
    )
    return TakenUp(
        conversation=conversation,
        history=tuple(history),
        history_tokens=sum(turn_tokens(turn, labelled=False) for turn in history),
        questions=(said(1, question),),
        answer_id=2,
        attempt=1,
        tries=1,
    )


async def test_a_whole_prompt_of_very_short_turns_never_costs_more_than_estimated():
    history = [PastTurn(Role.ASSISTANT if number % 2 else Role.USER, "ok") for number in range(40)]
    prompt = prompt_for(taken_up(history, "ok?"))

    async with (
        open_local_model() as local,
        OpenAIChatModel(model=local.model, api_key=None, base_url=local.base_url) as model,
    ):
        _, finished = await ask(model, prompt)
    async with tokenizer() as count:
        counted = await count(as_template(prompt))

    assert finished.usage.input_tokens <= prompt.tokens
    assert finished.usage.input_tokens == counted  # the judge below reads what the model reads


def prompt_for(taken):
    return build_prompt(taken, system_prompt="Be kind.", history_tokens=100_000, max_answer_tokens=1)


def as_template(prompt):
    """The local model's chat template."""
    turns = "".join(f"<|im_start|>{turn.role}\n{turn.content}<|im_end|>\n" for turn in prompt.messages)
    return turns + "<|im_start|>assistant\n"


async def count_bytes(text):
    """The tokenizer than which there is no worse: each byte is a token."""
    return len(text.encode())


async def errors_in(conversation, count):
    """By how much each prompt's estimate is off, as a share, while the rate is learned."""
    rates, rate, history, errors = TokenRates(), 1.0, [], []
    for question, answer in conversation:
        taken = taken_up(history, question, token_rate=rate)
        prompt = prompt_for(taken)
        counted = await count(as_template(prompt))
        errors.append(prompt.tokens / counted - 1)
        rate = rates.learned(taken.conversation, estimated=prompt.tokens, reported=counted) or rate
        history += [PastTurn(Role.USER, question), PastTurn(Role.ASSISTANT, answer)]
    return errors


@pytest.mark.parametrize("judge", ["the model's own vocabulary", "bytes"])
async def test_after_ten_turns_the_estimate_is_less_than_five_percent_off_in_every_script(judge):
    off = {}
    async with tokenizer() as count:
        for name, text in (ORDINARY | WORDLESS).items():
            turns = [(text[number % 7 :], text) for number in range(13)]
            errors = await errors_in(turns, count if judge != "bytes" else count_bytes)
            off[name] = max(map(abs, errors[10:]))

    assert {name: error for name, error in off.items() if error >= 0.05} == {}


async def test_after_ten_turns_it_is_less_than_five_percent_off_where_every_turn_is_of_another_kind():
    texts = list(ORDINARY.values())
    async with tokenizer() as count:
        errors = await errors_in(list(zip(texts, texts[1:] + texts[:1], strict=True)), count)

    assert max(map(abs, errors[10:])) < 0.05
