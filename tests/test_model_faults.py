"""Whatever a language model does wrong: one outcome, in plain words, and nothing of it passes for a whole answer.

A row a fault, lived through with the whole bot. What single faults mean is tested in tests/llm, when which model
is asked again in tests/core/test_generation.py, and models that fail for everybody in tests/test_whole_bot.py.
"""

import asyncio
import sqlite3
from dataclasses import dataclass, replace

import pytest

from bot.playground.loopback import LoopbackDiscord
from tests.clock import LeapingClock
from tests.model_server import Answer, Behaviour, Gate, HangUp, ModelServer, Silence, Status
from tests.whole_bot import Stage

ATTEMPTS = 2
FIRST_TOKEN_SECONDS, STALL_SECONDS = 60, 30  # as they are set by default
SECONDS_FOR_ANY_REST = 400

UNSEEN = "Because"  # too short to be shown before more comes
SEEN = "The sky is blue because air scatters short waves of light far more than long ones."
CUT_OFF = f"{SEEN}\n-# My answer was cut off here. Say *go on* and I'll continue."

BUSY = "The language model is busy right now. Please try again in a minute."
AWAY = "I can't reach the language model right now. Please try again in a few minutes."
SLOW = "The language model took too long to answer. Please try again."
SPEECHLESS = "The language model had nothing to say to that. Please try putting it differently."
DECLINED = "The language model declined to answer that."
NO_SUCH_MODEL = (
    "The language model I'm set up with doesn't exist. Whoever runs this bot needs to check OPENAI_MODEL."
)
TOO_LONG = "That is more than the language model can read at once. Please make it shorter, or send it in pieces."


@dataclass(frozen=True, kw_only=True)
class Fault:
    """*calls*: how each request to the model is recorded. *shown*: what stands in the channel in the end."""

    name: str
    model: tuple[Behaviour, ...]
    calls: tuple[str, ...]
    shown: str
    outcome: str  # as it is stored
    kept: str | None = None  # what the next prompt holds as the answer; None: not even the question
    waits: tuple[int, ...] = ()  # seconds that pass after each request


def never(what: Behaviour, code: str, shown: str, *, waits: tuple[int, ...] = (), name: str) -> Fault:
    """A fault that may pass, before visible words, and does not."""
    model, calls = (what,) * ATTEMPTS, (code,) * ATTEMPTS
    return Fault(name=name, model=model, calls=calls, shown=shown, outcome=code, waits=waits * ATTEMPTS)


def once(what: Behaviour, code: str, shown: str, *, name: str) -> Fault:
    """A fault that asking again does not cure."""
    return Fault(name=name, model=(what,), calls=(code,), shown=shown, outcome=code)


def cut_off(what: Behaviour, code: str, *, waits: tuple[int, ...] = (), name: str) -> Fault:
    """A fault after visible words."""
    return Fault(
        name=name,
        model=(what,),
        calls=(f"cut_off:{code}",),
        shown=CUT_OFF,
        outcome="cut_off",
        kept=SEEN,
        waits=waits,
    )


def seen(**how) -> Answer:
    return Answer.cut_off(SEEN, chunk=1000, **how)


RUBBISH = {"events": ("{rubbish",), "finish_reason": None, "usage": None, "done": False}
FILTERED = {"finish_reason": "content_filter"}

FAULTS = [
    Fault(
        name="429 for a second",
        model=(Status(429, headers={"Retry-After": "1"}), Answer(text=SEEN)),
        calls=("model_busy", "complete"),
        shown=SEEN,
        outcome="complete",
        kept=SEEN,
    ),
    once(
        Status(429, headers={"Retry-After": "300"}), "model_busy", BUSY, name="429 for longer than anybody waits"
    ),
    never(Status(429), "model_busy", BUSY, name="429 without a time"),
    never(Status(500), "model_unavailable", AWAY, name="500"),
    never(Status(503, body="<html>no JSON</html>"), "model_unavailable", AWAY, name="503"),
    never(Silence(), "model_timeout", SLOW, waits=(FIRST_TOKEN_SECONDS,), name="no first token"),
    cut_off(seen(then="hold"), "model_timeout", waits=(STALL_SECONDS,), name="stall"),
    never(Answer.cut_off(UNSEEN), "model_unavailable", AWAY, name="clean end before visible words"),
    cut_off(seen(), "model_unavailable", name="clean end without finish reason"),
    cut_off(
        Answer(text=SEEN, chunk=1000, finish_reason=None),
        "model_unavailable",
        name="[DONE] without finish reason",
    ),
    never(HangUp(), "model_unavailable", AWAY, name="connection dropped at once"),
    never(Answer.cut_off(UNSEEN, then="drop"), "model_unavailable", AWAY, name="dropped before visible words"),
    cut_off(seen(then="drop"), "model_unavailable", name="connection dropped"),
    never(Answer.failed(UNSEEN), "model_unavailable", AWAY, name="error event before visible words"),
    cut_off(replace(Answer.failed(SEEN), chunk=1000), "model_unavailable", name="error event"),
    never(Answer(text=UNSEEN, **RUBBISH), "model_unavailable", AWAY, name="malformed chunk before visible words"),
    cut_off(Answer(text=SEEN, chunk=1000, **RUBBISH), "model_unavailable", name="malformed chunk"),
    never(Answer(text=""), "empty_answer", SPEECHLESS, name="empty answer"),
    never(Answer(text=" \u200b\n"), "empty_answer", SPEECHLESS, name="nothing legible"),
    once(Answer(text=UNSEEN, **FILTERED), "model_refused", DECLINED, name="content filter before visible words"),
    cut_off(Answer(text=SEEN, chunk=1000, **FILTERED), "model_refused", name="content filter"),
    once(Status(404, code="model_not_found"), "wrong_model", NO_SUCH_MODEL, name="wrong model name"),
    once(Status(400, code="context_length_exceeded"), "context_too_long", TOO_LONG, name="question too long"),
]


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(
            discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", clock=LeapingClock()
        )


def stored(stage, sql):
    with sqlite3.connect(stage.database_url.removeprefix("sqlite:///")) as connection:
        return [value for (value,) in connection.execute(sql)]


async def stands(stage):
    """Nothing is asked of Discord any more, which would take a leap for an hour without an answer."""
    async with asyncio.timeout(10):
        while stored(stage, "SELECT state FROM turns WHERE role = 'assistant'") != ["standing"]:
            await asyncio.sleep(0)


def said(stage):
    return [each.content for each in stage.discord.messages(stage.general) if each.author.bot]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_of_the_model_has_one_outcome(stage, fault) -> None:
    gate = Gate()  # what follows the text comes when it is visible
    stage.model.script(*(replace(each, gate=gate) if isinstance(each, Answer) else each for each in fault.model))
    async with stage.bot(MODEL_ATTEMPTS=str(ATTEMPTS)):
        asking = asyncio.create_task(stage.ask("Why?"))
        gate.let_out()
        if fault.outcome == "cut_off":
            await stage.discord.until(lambda: said(stage))
        gate.open()
        for request, seconds in enumerate(fault.waits, 1):
            await stage.model.received(request)
            stage.clock.leap(seconds)
        await stage.settled(await asking, fault.shown)

        await stands(stage)
        stage.clock.leap(SECONDS_FOR_ANY_REST)
        stage.model.answer("Yes.")
        await stage.settled(await stage.ask("And now?"), "Yes.")

    assert said(stage) == [fault.shown, "Yes."]
    assert stored(stage, "SELECT outcome FROM model_calls ORDER BY started_at") == [*fault.calls, "complete"]
    assert stored(stage, "SELECT outcome FROM turns WHERE role = 'assistant' ORDER BY id") == [
        fault.outcome,
        "complete",
    ]
    assert len(stage.model.requests) == len(fault.calls) + 1
    before = ["Why?", fault.kept] if fault.kept else []
    assert [text for _, text in stage.prompts()[-1]][1:] == [*before, "And now?"]


async def told(stage, text, answer):
    stage.model.script(Answer(text=answer))
    await stage.settled(await stage.ask(text), answer)


async def test_a_conversation_too_long_for_the_model_is_sent_with_ever_less_history(stage) -> None:
    too_long = Status(400, code="context_length_exceeded")
    async with stage.bot(SUMMARIES="off"):
        for n in (1, 2, 3):
            await told(stage, f"Question {n}", f"Answer {n}")
        stage.model.script(too_long, Answer(text="Answer 4"))
        await stage.settled(await stage.ask("Question 4"), "Answer 4")
        stage.model.behave(lambda _: too_long)
        await stage.settled(await stage.ask("Question 5"), TOO_LONG)

    prompts = [[text for _, text in prompt[1:]] for prompt in stage.prompts()]
    assert len(prompts[3]) == 7
    assert prompts[4] == ["Question 3", "Answer 3", "Question 4"]
    assert prompts[5:] == [["Question 4", "Answer 4", "Question 5"], ["Question 5"]]
    assert stored(stage, "SELECT outcome FROM model_calls ORDER BY started_at")[3:] == [
        "context_too_long",
        "complete",
        "context_too_long",
        "context_too_long",
    ]


async def test_an_enormous_token_comes_whole(stage) -> None:
    enormous = "abcdefghi " * 10_000
    stage.model.script(Answer(text=enormous, chunk=len(enormous)))
    async with stage.bot():
        await stage.ask("Why?")
        (shown,) = await stage.discord.until(
            lambda: [each for each in stage.discord.messages(stage.general) if each.attachments]
        )
        stage.model.answer("Yes.")
        await stage.settled(await stage.ask("And now?"), "Yes.")

    assert shown.attachments[0].upload.data.decode() == enormous
    assert stored(stage, "SELECT outcome FROM turns WHERE role = 'assistant'") == ["complete", "complete"]
    assert stored(stage, "SELECT outcome FROM model_calls WHERE purpose = 'answer'") == ["complete", "complete"]
    prompts = [[text for _, text in prompt[1:]] for prompt in stage.prompts()]
    assert [prompt for prompt in prompts if prompt[-1] == "And now?"] == [["And now?"]]  # the budget holds no more
