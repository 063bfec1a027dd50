"""/history and "Why this answer?", over real sockets: what was sent for an answer, and who is told."""

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.rights_wording import FORGETTING
from bot.core.why import NO_MODEL, NOT_THEIRS, UNDER_WAY, UNKNOWN
from bot.discord.commands import history
from bot.discord.remembered import NOTHING
from bot.playground.lines import WHY
from bot.playground.loopback import LoopbackDiscord
from bot.storage.archive import SqlArchive
from tests.model_server import Answer, ModelServer, Status
from tests.openapi import validate_record
from tests.pressing import draft, pressed, with_button
from tests.whole_bot import Watched, noting_what_stands

USAGE = {
    "prompt_tokens": 1_000,
    "completion_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 200},
    "completion_tokens_details": {"reasoning_tokens": 40},
}
PRICES = {"MODEL_PRICES": "gpt-5.4=2.50/0.25/15"}
LONG = "A sentence of some length that is said again."


@pytest.fixture
async def stage(tmp_path, monkeypatch):
    stood = noting_what_stands(monkeypatch)
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Watched(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", stood=stood)


async def asked(stage, text="Why?", **how):
    """Ask, and wait until the answer stands; its first message."""
    reply = await stage.ask(text, **how)
    await stage.stood.acquire()
    return reply


async def told(stage, call):
    message = await stage.discord.until(lambda: call.original)
    assert message.is_ephemeral
    return message.content


async def why(stage, message, *, by=None):
    """What "Why this answer?" tells of a message."""
    await stage.discord.until(lambda: stage.discord.commands)
    return await told(stage, await stage.discord.choose(message, by or stage.you, WHY))


async def remembered(stage, *, by=None, channel=None, **options):
    await stage.discord.until(lambda: stage.discord.commands)
    call = await stage.discord.slash(channel or stage.general, by or stage.you, "history", options)
    return await told(stage, call)


def line(words, name):
    return next((each.removeprefix(f"{name}: ") for each in words.splitlines() if each.startswith(name)), None)


# Why this answer?


async def test_it_tells_the_asker_what_was_sent_and_what_that_cost(stage, database_url):
    stage.database_url = database_url
    stage.model.answer("Blue.", usage=USAGE)
    async with stage.bot(**PRICES):
        await asked(stage)
        first = await why(stage, await asked(stage, "How?"))
        alone = await why(stage, await asked(stage, "And here?", channel=stage.discord.open_dm(stage.you)))

    head, *lines = first.splitlines()
    assert head == "**Why this answer?**"
    assert [each for each in lines if not each.startswith("Time: ")] == [
        "Sent: the question and the 2 messages before it",
        "Model: `gpt-5.4`",
        "Tokens: 1,000 read (20% from the provider's cache), 100 written (40 of them to think)",
        "Cost: $0.0036",
        "Outcome: complete",
    ]
    assert line(first, "Time").startswith("first words after ")
    assert line(alone, "Sent") == "the question alone"
    validate_record(stage.discord.requests)


async def test_requests_that_brought_nothing_are_counted_with_the_model_that_answered(stage):
    stage.model.script(Status(404, "model_not_found"), Answer(text="Blue."))
    async with stage.bot(OPENAI_MODEL="large,small"):
        words = await why(stage, await asked(stage))

    assert line(words, "Model") == "`small`, after 1 request that brought nothing"
    assert line(words, "Cost") == "unknown"


async def test_a_prompt_that_was_halved_says_what_it_held(stage):
    stage.model.script(Answer(), Answer(), Status(400, "context_length_exceeded"), Answer(text="Shorter."))
    async with stage.bot():
        await asked(stage, "one")
        await asked(stage, "two")
        words = await why(stage, await asked(stage, "three"))

    assert line(words, "Sent") == "the question and the 2 messages before it"
    assert line(words, "Left out") == "2 earlier messages"
    assert len(stage.model.requests[3]["messages"]) == 4


async def test_every_message_of_a_long_answer_knows_and_a_chat_as_well(stage):
    stage.model.answer("word " * 1_000)
    async with stage.bot():
        await asked(stage)
        parts = [each for each in stage.discord.messages(stage.general) if each.author.bot]
        of_each = [await why(stage, part) for part in parts]
        called = await stage.chat("Why?")
        await stage.stood.acquire()
        of_chat = await why(stage, called.original)

    assert len(of_each) > 2
    assert len(set(of_each)) == 1
    assert line(of_chat, "Sent") == "the question and the 2 messages before it"


async def test_a_private_answer_is_told_of_to_its_asker(stage):
    async with stage.bot():
        called = await stage.chat("Why?", private=True)
        await stage.stood.acquire()
        words = await why(stage, called.original)

    assert line(words, "Sent") == "the question alone"


@pytest.mark.parametrize(
    ("permission", "is_told"), [(None, False), ("manage_messages", True), ("manage_guild", True)]
)
async def test_it_is_for_the_asker_and_for_those_who_manage(stage, permission, is_told):
    if permission:
        stage.discord.set_member_permissions(stage.discord.guild, stage.ada, **{permission: True})
    async with stage.bot():
        words = await why(stage, await asked(stage), by=stage.ada)

    assert (words == NOT_THEIRS) == (not is_told)


async def test_of_other_messages_and_forgotten_answers_nothing_is_known(stage):
    async with stage.bot():
        answer = await asked(stage)
        question = await why(stage, answer.replied_to)
        forgetting = await stage.discord.slash(stage.general, stage.you, "forget-me", {"where": "everywhere"})
        offer = await stage.discord.until(lambda: forgetting.original)
        await pressed(stage, offer, "Forget it")
        await stage.discord.until(lambda: not offer.components and offer.content != FORGETTING)
        forgotten = await why(stage, answer)
        own_word = await why(stage, offer)

    assert [question, forgotten, own_word] == [UNKNOWN] * 3


async def test_a_sentence_of_ours_and_an_answer_under_way_have_no_model_behind_them_yet(stage):
    stage.model.script(Status(404, "model_not_found"))
    async with stage.bot():
        refused = await why(stage, await asked(stage))
        message, gate = await draft(stage)
        writing = await why(stage, message)
        gate.open()
        await stage.stood.acquire()
        written = await why(stage, message)

    assert (refused, writing) == (NO_MODEL, UNDER_WAY)
    assert line(written, "Outcome") == "complete"


async def test_a_stopped_answer_says_so(stage):
    async with stage.bot():
        message, _ = await draft(stage)
        await pressed(stage, message, "Stop")
        await stage.stood.acquire()
        words = await why(stage, message)

    assert line(words, "Outcome") == "stopped by somebody"


async def test_an_answer_that_filters_kept_from_being_replaced_keeps_its_own_record(stage):
    stage.model.script(Answer(text="Because."), Answer(text="Darn.", usage=USAGE))
    async with stage.bot():
        message = await asked(stage)
        await with_button(stage, message)
        before = await why(stage, message)
        stage.discord.faults.add(
            "PATCH",
            r"/messages",
            status=400,
            code=200000,
            times=99,
            matches=lambda request: "arn" in str(request.body),
        )
        await pressed(stage, message, "Regenerate")
        await stage.stood.acquire()
        after = await why(stage, message)

    assert message.content == "Because."
    assert len(stage.model.requests) == 2
    assert after == before


async def test_whom_the_lists_leave_out_is_not_told(stage):
    async with stage.bot():
        answer = await asked(stage)
    async with stage.bot(BLOCKED_USERS=str(stage.you.id)):
        words = await why(stage, answer)

    assert "not allowed" in words


# /history


async def test_history_tells_what_is_remembered_to_whoever_may_read_it(stage, database_url):
    stage.database_url = database_url
    async with stage.bot(SUMMARIES="off"):
        nothing = await remembered(stage)
        await asked(stage, "What is a zebra?")
        await asked(stage, "And an okapi?", author=stage.ada)
        words = await remembered(stage, by=stage.ada)
        elsewhere = await remembered(stage, channel=stage.random)
        reset = await stage.discord.slash(stage.general, stage.you, "reset")
        await stage.discord.until(lambda: reset.original)
        await asked(stage, "Hello")
        anew = await remembered(stage)

    assert (nothing, elsewhere) == (NOTHING, NOTHING)
    assert words.splitlines()[1] == "Word for word: 4 messages"
    assert words.splitlines()[2].endswith(" of the 8,000 tokens that I read for an answer.")
    assert anew.splitlines()[1] == "Word for word: 2 messages"
    validate_record(stage.discord.requests)


@pytest.mark.parametrize("summaries", ["on", "off"])
async def test_what_the_window_left_is_summed_up_or_left_out_in_both(stage, summaries):
    stage.model.behave(
        lambda body: Answer(
            text="They spoke of **zebras**." if "Summarise" in body["messages"][-1]["content"] else LONG,
            usage=None,
        )
    )
    async with stage.bot(HISTORY_TOKENS="420", SUMMARIES=summaries):
        name = "Summarised" if summaries == "on" else "Left out"
        while not line(words := await why(stage, await asked(stage, LONG)), name):
            assert len(stage.model.requests) < 40
        memory = await remembered(stage)

    in_history = "In a summary" if summaries == "on" else "Left out"
    assert line(memory, in_history) == line(words, name)
    assert memory.endswith(">>> They spoke of \\*\\*zebras\\*\\*.") == (summaries == "on")


@pytest.mark.parametrize("missing", ["read_message_history", "view_channel"])
async def test_history_is_for_those_who_may_read_what_was_said(stage, missing):
    async with stage.bot():
        await asked(stage, author=stage.ada)
        await stage.chat("in private", private=True, author=stage.ada)
        await stage.stood.acquire()
        stage.discord.set_member_permissions(stage.discord.guild, stage.ada, **{missing: False})
        refused = await remembered(stage, by=stage.ada)
        own = await remembered(stage, by=stage.ada, private=True)
        of_another = await remembered(stage, private=True)

    assert (refused, of_another) == (history.REFUSED, NOTHING)
    assert own.splitlines()[1] == "Word for word: 2 messages"


async def test_history_takes_a_turn_of_the_minute(stage):
    async with stage.bot(MESSAGES_PER_MINUTE_PER_PERSON="1"):
        await remembered(stage)
        refused = await remembered(stage)
        of_another = await remembered(stage, by=stage.ada)

    assert refused.startswith("Please give me a moment")
    assert of_another == NOTHING


@pytest.mark.parametrize("method", ["memory", "made"])
async def test_a_database_that_is_away_is_said_to_be(stage, monkeypatch, method):
    async def away(*_args, **_kwargs):
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(SqlArchive, method, away)
    async with stage.bot():
        words = await remembered(stage) if method == "memory" else await why(stage, await asked(stage))

    assert words == DatabaseUnavailable.user_message
