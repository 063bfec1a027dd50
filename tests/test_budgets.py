"""Budgets over real sockets: who is refused how, what is never overspent, who hears of it."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from bot.core import waiting_notices
from bot.core.errors import DatabaseUnavailable, StartupRefused
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore, open_store
from tests.model_server import Answer, Gate, ModelServer
from tests.openapi import validate_record
from tests.pressing import pressed, whispered, with_button
from tests.storage.talk import rows
from tests.whole_bot import Stage

DAY = "BUDGET_TOTAL_PER_DAY"
SHORT = {"MAX_ANSWER_TOKENS": "200"}  # some 300 to 800 tokens are reserved for each question here


def usage(tokens):
    return {"prompt_tokens": 30, "completion_tokens": tokens - 30}


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


async def stored(stage, sql):
    async with open_store(stage.database_url) as store:
        return [tuple(row) for row in await rows(store, sql)]


def refusals(stage, *channels):
    said = [each for channel in channels or [stage.general] for each in stage.discord.messages(channel)]
    return [each for each in said if each.author.bot and "is used up" in each.content]


def is_answered(stage, asked):
    """It waits no longer."""
    reply = stage.reply_to(asked)
    return reply is not None and (reply.content == "Blue." or "is used up" in reply.content)


async def use_up(stage):
    """Ask once, which costs nearly all of a budget of 1,000 tokens."""
    stage.model.script(Answer(text="Blue.", usage=usage(900)))
    answer = await stage.ask("Why?")
    await stage.settled(answer, "Blue.")
    await with_button(stage, answer)
    return answer


async def test_of_500_questions_at_once_a_budget_for_50_pays_for_no_more_and_hardly_less(
    stage, database_url
) -> None:
    stage.database_url = database_url
    stage.model.answer("Blue.", usage=usage(200))
    channels = [stage.discord.add_channel(stage.discord.guild, f"room-{n}") for n in range(50)]
    people = [stage.discord.add_user(f"person-{n}") for n in range(10)]
    unbounded = {"MAX_WAITING_PER_PERSON": "0", "MESSAGES_PER_MINUTE_PER_PERSON": "0"}
    listed = ",".join(str(each.id) for each in channels)
    async with stage.bot(**SHORT, **unbounded, **{DAY: "10000"}, CHAT_CHANNELS=listed):
        asked = [
            await stage.discord.post(channel, person, "Why is the sky blue?")
            for person in people
            for channel in channels
        ]
        for each in asked:
            await stage.discord.until(lambda each=each: is_answered(stage, each), seconds=100)

    paid = await stored(stage, "SELECT count(*), sum(input_tokens + output_tokens) FROM model_calls")
    assert 45 <= len(stage.model.requests) <= 50
    assert paid == [(len(stage.model.requests), 200 * len(stage.model.requests))]
    assert len(refusals(stage, *channels)) == 500 - len(stage.model.requests)


@pytest.mark.parametrize("concurrency", ["8", "40"])
@pytest.mark.parametrize("count", [lambda text: len(text) // 4, lambda text: len(text.encode())])
async def test_however_a_model_counts_no_more_than_the_budget_is_paid_and_hardly_less(
    stage, count, concurrency
) -> None:
    def counted(body):
        read = sum(4 + count(each["content"]) for each in body["messages"])
        return Answer(text="Blue.", gap=0.02, usage={"prompt_tokens": read, "completion_tokens": 100})

    stage.model.behave(counted)
    question = "The sky is blue because air scatters short waves of light. " * 10
    each = count(question) + 150
    rooms = [stage.discord.add_channel(stage.discord.guild, f"room-{n}") for n in range(100)]
    unbounded = {"MAX_WAITING_PER_PERSON": "0", "MESSAGES_PER_MINUTE_PER_PERSON": "0"}
    listed = ",".join(str(room.id) for room in rooms)
    budget = 50 * each
    async with stage.bot(
        **SHORT, **unbounded, **{DAY: str(budget)}, CHAT_CHANNELS=listed, MODEL_CONCURRENCY=concurrency
    ):
        asked = [await stage.discord.post(room, stage.you, question) for room in rooms]
        for one in asked:
            await stage.discord.until(lambda one=one: is_answered(stage, one), seconds=100)

    ((paid,),) = await stored(stage, "SELECT sum(input_tokens + output_tokens) FROM model_calls")
    assert 0.9 * budget <= paid <= budget


async def test_who_writes_on_is_told_once_and_it_is_no_history(stage) -> None:
    async with stage.bot(**SHORT, **{DAY: "1,000"}):
        await use_up(stage)
        first = await stage.ask("And how?")
        await stage.discord.post(stage.general, stage.you, "Hello?")
        other = await stage.ask("Me, too!", author=stage.ada)

    assert first.content.startswith("My budget for today (1,000 tokens) is used up. It resets <t:")
    assert first.content.endswith(":R> (00:00 UTC).")
    assert [each.id for each in refusals(stage)] == [first.id, other.id]
    assert await stored(stage, "SELECT count(*) FROM turns WHERE text <> ''") == [(2,)]
    assert len(stage.model.requests) == 1


async def test_a_command_is_refused_unseen_by_others(stage) -> None:
    async with stage.bot(**SHORT, BUDGET_PERSON_PER_DAY="1000"):
        await use_up(stage)
        mine = await stage.chat("And how?")
        await stage.discord.until(lambda: mine.original)
        theirs = await stage.chat("And how?", author=stage.ada)
        await stage.discord.until(lambda: theirs.original and "All good" in theirs.original.content)

    assert mine.ephemeral
    assert mine.original.content.startswith("Your budget for today (1,000 tokens) is used up.")
    assert not theirs.ephemeral
    assert refusals(stage) == []


@pytest.mark.parametrize("waits", [False, True])
async def test_a_command_whose_prompt_turns_out_to_be_too_much_is_refused_unseen_by_others(
    stage, waits, monkeypatch
) -> None:
    monkeypatch.setattr(waiting_notices, "SECONDS_BEFORE_NOTICE", 0.05)
    async with stage.bot(**SHORT, BUDGET_PERSON_PER_DAY="1000", MODEL_CONCURRENCY="1"):
        stage.model.script(Answer(text="Blue.", usage=usage(720)))
        await stage.settled(await stage.ask("Why? " * 40), "Blue.")
        gate = Gate()
        if waits:
            stage.model.script(Answer(text="Blue.", usage=usage(40), gate=gate))
            await stage.discord.post(stage.general, stage.ada, "Hello")
            await stage.discord.until(lambda: len(stage.model.requests) == 2)
        call = await stage.chat("And how is *that*?")
        if waits:
            await stage.discord.until(lambda: call.original and "comes first" in call.original.content)
        gate.open()
        (told,) = await stage.discord.until(lambda: call.followups)
        await stage.discord.until(lambda: call.response.deleted)

    assert told.visible_to == stage.you
    assert told.content.startswith("> And how is *that*?\nYour budget for today (1,000 tokens) is used up.")
    assert refusals(stage) == []
    states = await stored(stage, "SELECT state, outcome FROM turns WHERE role = 'assistant' ORDER BY id DESC")
    assert states[0] == ("undeliverable", "budget_used_up")
    validate_record(stage.discord.requests)


async def test_what_was_whispered_is_said_once_though_the_database_does_not_take_that(stage, monkeypatch) -> None:
    undeliverable, failures = SqlTurnStore.undeliverable, [1]

    async def failing(*args, **how):
        if failures:
            raise DatabaseUnavailable(f"locked, {failures.pop()}")
        await undeliverable(*args, **how)

    monkeypatch.setattr(SqlTurnStore, "undeliverable", failing)
    async with stage.bot(**SHORT, BUDGET_PERSON_PER_DAY="1000"):
        stage.model.script(Answer(text="Blue.", usage=usage(720)))
        await stage.settled(await stage.ask("Why? " * 40), "Blue.")
        call = await stage.chat("And how?")
        await stage.discord.until(lambda: call.followups)
        await stage.ask("Is anybody there?", author=stage.ada)  # behind it, so it has ended

    assert len(call.followups) == 1
    assert not any("my memory" in each.content for each in stage.discord.messages(stage.general))
    assert failures == []


async def test_where_nothing_can_be_whispered_a_refusal_is_read_in_the_channel(stage) -> None:
    stage.discord.faults.add("POST", "/webhooks/{webhook_id}/{webhook_token}", status=403, code=50013)
    async with stage.bot(**SHORT, BUDGET_PERSON_PER_DAY="1000"):
        stage.model.script(Answer(text="Blue.", usage=usage(720)))
        await stage.settled(await stage.ask("Why? " * 40), "Blue.")
        call = await stage.chat("And how?")
        (told,) = await stage.discord.until(lambda: refusals(stage))

    assert told.content.startswith("> And how?\nYour budget for today (1,000 tokens) is used up.")
    assert call.followups == []


@pytest.mark.parametrize(
    ("fault", "whispers"),
    [
        pytest.param({"status": 503}, 1, id="not taken up"),
        pytest.param({"what": "rate_limit"}, 1, id="too many requests"),
        pytest.param({"what": "close", "when": "after"}, 1, id="carried out and not answered"),
        pytest.param({"what": "reset"}, 0, id="not carried out and not answered"),
        pytest.param({"status": 500, "when": "after"}, 1, id="carried out and said to have failed"),
    ],
)
async def test_a_whisper_is_never_said_aloud_over_one_fault_nor_repeated_where_it_may_be_there(
    stage, fault, whispers
) -> None:
    stage.discord.faults.add("POST", "/webhooks/{webhook_id}/{webhook_token}", **fault)
    async with stage.bot(**SHORT, BUDGET_PERSON_PER_DAY="1000"):
        await use_most(stage)
        call = await stage.chat("And how?")
        await refused(stage)

    assert len(call.followups) == whispers
    assert refusals(stage) == []


async def test_a_whisper_waits_until_the_public_thinking_has_left(stage) -> None:
    stage.discord.faults.add("DELETE", "/messages/@original", status=503)
    async with stage.bot(**SHORT, BUDGET_PERSON_PER_DAY="1000"):
        await use_most(stage)
        call = await stage.chat("And how?")
        await refused(stage)

    (told,) = call.followups
    assert told.is_ephemeral


async def use_most(stage):
    """So much is left of a budget of 1,000 tokens that a question is taken on, and too little for its answer."""
    stage.model.script(Answer(text="Blue.", usage=usage(720)))
    await stage.settled(await stage.ask("Why? " * 40), "Blue.")


async def refused(stage):
    """Wait until it is stored that an answer was refused."""
    sql = "SELECT count(*) FROM turns WHERE state = 'undeliverable' AND outcome = 'budget_used_up'"
    with closing(sqlite3.connect(stage.database_url.removeprefix("sqlite:///"))) as database:
        async with asyncio.timeout(20):
            while database.execute(sql).fetchone() == (0,):
                await asyncio.sleep(0)


async def test_writing_anew_is_refused_unseen_by_others(stage) -> None:
    async with stage.bot(**SHORT, BUDGET_SERVER_PER_MONTH="1000"):
        answer = await use_up(stage)
        told = await whispered(stage, await pressed(stage, answer, "Regenerate"))

    assert told.startswith("This server's budget for this month (1,000 tokens) is used up.")
    assert answer.content == "Blue."


async def test_a_moderator_who_wants_an_answer_anew_pays_for_it_and_the_asker_does_not(
    stage, database_url
) -> None:
    stage.database_url = database_url
    stage.discord.set_member_permissions(stage.discord.guild, stage.ada, manage_messages=True)
    async with stage.bot(**SHORT, BUDGET_PERSON_PER_DAY="1000"):
        answer = await use_up(stage)
        stage.model.script(Answer(text="Really blue.", usage=usage(901)), Answer(text="Yes.", usage=usage(31)))
        await pressed(stage, answer, "Regenerate", by=stage.ada)
        await stage.settled(answer, "Really blue.")
        await with_button(stage, answer)
        again = await whispered(stage, await pressed(stage, answer, "Regenerate", by=stage.ada))
        hers = await stage.ask("And how?", author=stage.ada)
        yours = await stage.ask("And how?")
    spent = await stored(stage, "SELECT author_id, counted_tokens FROM model_calls ORDER BY id")

    assert again.startswith("Your budget for today (1,000 tokens) is used up.")
    assert hers.content.startswith("Your budget for today (1,000 tokens) is used up.")
    assert yours.content.startswith("Your budget for today (1,000 tokens) is used up.")
    assert spent == [(stage.you.id, 900), (stage.ada.id, 901)]
    assert answer.content == "Really blue."


async def test_a_moderator_whose_budget_is_used_up_by_then_is_not_taken_for_the_asker(stage) -> None:
    stage.discord.set_member_permissions(stage.discord.guild, stage.ada, manage_messages=True)
    async with stage.bot(**SHORT, BUDGET_PERSON_PER_DAY="1000"):
        stage.model.script(Answer(text="Green.", usage=usage(720)))
        await stage.ask(f"<@{stage.discord.bot_user.id}> And how?", author=stage.ada, channel=stage.random)
        stage.model.script(Answer(text="Blue.", usage=usage(40)))
        answer = await stage.ask("Why? " * 40)
        await stage.settled(answer, "Blue.")
        await with_button(stage, answer)
        await pressed(stage, answer, "Regenerate", by=stage.ada)
        (told,) = await stage.discord.until(lambda: refusals(stage))

    assert told.content.startswith(
        "The budget of whoever pressed Regenerate for today (1,000 tokens) is used up. It resets <t:"
    )
    assert told.content.endswith("My earlier answer stays.")
    assert answer.content == "Blue."


async def test_a_budget_in_dollars_holds_at_the_operator_s_prices(stage) -> None:
    prices = {"MODEL_PRICES": "gpt-5.4=1/10", "BUDGET_CHANNEL_PER_DAY": "$0.01"}
    async with stage.bot(**SHORT, **prices):
        await use_up(stage)
        refused = await stage.ask("And how?")
        elsewhere = await stage.ask(f"{stage.discord.bot_user.mention} And how?", channel=stage.random)

    assert refused.content.startswith("This channel's budget for today ($0.01) is used up.")
    assert elsewhere.content == "All good, how may I help you?"


async def test_what_was_used_stays_used_after_a_restart(stage, database_url) -> None:
    stage.database_url = database_url
    async with stage.bot(**SHORT, **{DAY: "1000"}):
        await use_up(stage)

    async with stage.bot(**SHORT, **{DAY: "1000"}):
        refused = await stage.ask("And how?")

    assert "is used up" in refused.content


async def test_what_was_used_without_a_budget_counts_once_there_is_one(stage) -> None:
    async with stage.bot(**SHORT):
        await use_up(stage)

    async with stage.bot(**SHORT, **{DAY: "1000"}):
        refused = await stage.ask("And how?")

    assert "is used up" in refused.content


async def test_a_request_of_a_bot_that_was_killed_counts_as_all_that_was_reserved(stage, database_url) -> None:
    stage.database_url = database_url
    gate = Gate()
    stage.model.script(Answer(text="Blue.", gate=gate))
    program = await stage.start(**SHORT, **{DAY: "100000"})
    await stage.discord.until(lambda: stage.connected)
    asked = await stage.discord.post(stage.general, stage.you, "Why?")
    await stage.discord.until(lambda: stage.model.requests)
    program.kill()
    await program.communicate()
    gate.open()
    [(outcome, reserved)] = await stored(stage, "SELECT outcome, counted_tokens FROM model_calls")

    async with stage.bot(**SHORT, **{DAY: str(2 * reserved - 1)}):
        told = await stage.discord.until(lambda: stage.reply_to(asked))

    assert outcome == "begun"
    assert "is used up" in told.content
    assert len(stage.model.requests) == 1


# Whoever runs the bot hears of it


async def test_the_owner_hears_once_when_four_fifths_are_used_also_after_a_restart(stage) -> None:
    direct = stage.discord.open_dm(stage.you)
    stage.model.script(*[Answer(text="Blue.", usage=usage(tokens)) for tokens in (800, 850, 31, 31)])
    for _ in range(2):
        async with stage.bot(**SHORT, **{DAY: "9000"}, BUDGET_SERVER_PER_DAY="2000"):
            for _ in range(2):
                await stage.ask("Why?", channel=stage.general)

    (told,) = stage.discord.messages(direct)
    assert told.content.startswith(
        f"82 % of server {stage.discord.guild.id}'s budget for today are used: 1,650 tokens of 2,000 tokens. "
        "When it is used up, I answer nobody there until it resets <t:"
    )
    assert told.content.endswith("\n-# The server is Playground.")


async def test_the_owner_hears_of_a_budget_that_is_used_up_at_the_start(stage) -> None:
    direct = stage.discord.open_dm(stage.you)
    async with stage.bot(**SHORT):
        await use_up(stage)
    async with stage.bot(**SHORT, **{DAY: "1000"}):
        told = await stage.discord.until(lambda: stage.discord.messages(direct))

    assert told[0].content.startswith("90 % of the total budget for today are used: 900 tokens of 1,000 tokens.")


async def test_an_owner_who_takes_no_messages_finds_it_in_the_log(stage, caplog) -> None:
    direct = stage.discord.open_dm(stage.you)
    stage.discord.set_permissions(direct, send_messages=False)
    async with stage.bot(**SHORT, **{DAY: "1000"}):
        await use_up(stage)

    assert stage.discord.messages(direct) == []
    (line,) = [each.getMessage() for each in caplog.records if "the owner could not be told" in each.getMessage()]
    assert "90 % of the total budget for today are used: 900 tokens of 1,000 tokens." in line


async def test_a_person_s_budget_is_nobody_else_s_business(stage) -> None:
    direct = stage.discord.open_dm(stage.you)
    async with stage.bot(**SHORT, BUDGET_PERSON_PER_DAY="1000", BUDGET_CHANNEL_PER_DAY="1000"):
        await use_up(stage)

    assert stage.discord.messages(direct) == []


# What cannot hold is refused at the start


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {DAY: "$1"},
            "BUDGET_TOTAL_PER_DAY is in dollars, and what gpt-5.4 costs is not known. Say it in MODEL_PRICES",
        ),
        (
            {DAY: "100"},
            "BUDGET_TOTAL_PER_DAY is 100 tokens, which pays for no answer at all. One may take 2",
        ),
        (
            {"BUDGET_PERSON_PER_MONTH": "0.0001 USD", "MODEL_PRICES": "gpt-5.4=1/10"},
            "BUDGET_PERSON_PER_MONTH is $0.0001, which pays for no answer at all. One may take $0.002",
        ),
    ],
)
async def test_a_budget_that_cannot_hold_is_refused_at_the_start(stage, given, sentence) -> None:
    with pytest.raises(StartupRefused) as refused:
        async with stage.bot(**SHORT, **given):
            pass

    assert str(refused.value).startswith(sentence)
    assert stage.discord.requests == []


async def test_every_budget_that_cannot_hold_is_named_at_once(stage) -> None:
    with pytest.raises(StartupRefused) as refused:
        async with stage.bot(
            OPENAI_MODEL="one,two",
            BUDGET_PERSON_PER_DAY="100",
            BUDGET_SERVER_PER_DAY="$1",
            BUDGET_SERVER_PER_MONTH="$9",
            BUDGET_TOTAL_PER_DAY="90",
            BUDGET_TOTAL_PER_MONTH="1000000",
        ):
            pass

    lines = str(refused.value).splitlines()
    assert [line.partition(". ")[0] for line in lines] == [
        "BUDGET_SERVER_PER_DAY and BUDGET_SERVER_PER_MONTH are in dollars, and what one and two cost is not known",
        "BUDGET_PERSON_PER_DAY is 100 tokens, which pays for no answer at all",
        "BUDGET_TOTAL_PER_DAY is 90 tokens, which pays for no answer at all",
    ]
    assert "one=read/cached/written,two=read/cached/written, such as" in lines[0]


async def test_a_budget_that_pays_for_short_conversations_alone_is_named_in_the_log(stage, caplog) -> None:
    async with stage.bot(**SHORT, **{DAY: "1000"}):
        pass

    assert (
        "BUDGET_TOTAL_PER_DAY is 1,000 tokens, and one answer in a long conversation may take 9,000 "
        in caplog.text
    )
