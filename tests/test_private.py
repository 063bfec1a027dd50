"""/chat private:true: a conversation of one person with the bot, seen by nobody else; over real sockets."""

import asyncio
import sqlite3

import pytest

from bot.core import answer
from bot.core.errors import DatabaseUnavailable, ResponseExpires, TextRefused, Undeliverable
from bot.core.wording import MISSED_ANSWER
from bot.discord.responses import FOLLOWS_BELOW
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore
from tests.clock import LeapingClock
from tests.model_server import Answer, Gate, ModelServer, Status
from tests.pressing import LONG, pressed, with_button
from tests.whole_bot import Stage

PATIENT = {"FIRST_TOKEN_SECONDS": "3600", "STALL_SECONDS": "3600", "ANSWER_SECONDS": "3600"}
ALMOST_15_MINUTES = 14 * 60 + 1.0


@pytest.fixture
async def stage(tmp_path):
    clock = LeapingClock()
    async with LoopbackDiscord(rate_limits=False, clock=clock) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", clock=clock)


async def answered(stage, text, *, by=None):
    """Ask it privately, and wait for the answer to stand."""
    called = await stage.chat(text, author=by, private=True)
    await stood(stage, called)
    return called


async def stood(stage, called):
    """The answer is shown, and there is no Stop below it."""
    return await stage.discord.until(
        lambda: called.original and not called.original.components and called.original.content
    )


def seen_by_others(stage):
    """What the bot did in channels where others could see it."""
    shown = [
        message.content
        for message in stage.discord.messages(stage.general, seen_by=stage.ada)
        if message.author.bot
    ]
    asked = [
        request.path
        for request in stage.discord.requests
        if request.method != "GET" and "/channels/" in request.path
    ]
    return shown + asked


async def recorded(stage):
    """Wait until the bot knows what the answer's first part became."""
    stored = sqlite3.connect(stage.database_url.removeprefix("sqlite:///"))
    async with asyncio.timeout(10):
        while not stored.execute("SELECT message_id FROM parts WHERE message_id IS NOT NULL").fetchall():
            await asyncio.sleep(0)
    stored.close()


def words(prompt):
    return " ".join(text for _role, text in prompt)


async def test_nobody_else_sees_anything_of_it(stage) -> None:
    stage.model.answer("word " * 1000)
    async with stage.bot():
        called = await answered(stage, "my secret question")

    assert seen_by_others(stage) == []
    assert called.ephemeral
    assert len(called.followups) == 2
    assert all(message.is_ephemeral for message in called.followups)
    assert called.original.content.startswith("> my secret question\nword word")


async def test_it_is_a_conversation_of_its_own_after_a_restart_too(stage, database_url) -> None:
    stage.database_url = database_url
    async with stage.bot():
        await answered(stage, "canary-mine")
        await answered(stage, "canary-hers", by=stage.ada)
        await stage.ask("canary-public")
    async with stage.bot():
        await answered(stage, "And?")
        await stage.ask("And here?")

    mine, public = stage.prompts()[-2:]
    assert [text for role, text in mine if role == "user"] == ["canary-mine", "And?"]
    assert [text for role, text in public if role == "user"] == ["canary-public", "And here?"]


async def test_it_does_not_wait_for_what_is_answered_in_the_channel(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text="Slow.", gate=gate), Answer(text="Quick."))
    async with stage.bot():
        await stage.discord.post(stage.general, stage.you, "one")
        await stage.model.received(1)
        called = await answered(stage, "two")
        gate.open()
        await stage.discord.until(lambda: stage.discord.messages(stage.general, seen_by=stage.ada)[1:])

    assert called.original.content == "> two\nQuick."


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Status(400, code="context_length_exceeded"), "more than the language model can read at once"),
        (None, "too long"),
    ],
    ids=["model", "question"],
)
async def test_what_goes_wrong_is_said_to_its_asker_alone(stage, fault, sentence) -> None:
    if fault:
        stage.model.script(fault)
    async with stage.bot(HISTORY_TOKENS="256"):
        called = await answered(stage, "Why?" if fault else "long " * 1000)

    assert sentence in called.original.content
    assert seen_by_others(stage) == []


async def test_a_memory_that_is_away_is_said_to_its_asker_alone(stage, monkeypatch) -> None:
    async def refuse(*_, **__):
        raise DatabaseUnavailable("made up")

    async with stage.bot():
        monkeypatch.setattr(SqlTurnStore, "receive", refuse)
        called = await stage.chat("Why?", private=True)
        await stage.discord.until(lambda: called.original and called.original.content)

    assert called.original.content == DatabaseUnavailable.user_message
    assert called.ephemeral
    assert seen_by_others(stage) == []


async def test_it_can_be_stopped(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate))
    async with stage.bot():
        called = await stage.chat("Why?", private=True)
        gate.let_out(10)
        message = await stage.discord.until(lambda: called.original)
        await with_button(stage, message, "Stop")
        await pressed(stage, message, "Stop")
        await stage.discord.until(lambda: message.content.endswith("\n-# Stopped here."))

    assert seen_by_others(stage) == []


async def test_anybody_may_begin_their_own_anew_and_nothing_else(stage) -> None:
    async with stage.bot():
        await answered(stage, "mine before", by=stage.ada)
        await stage.ask("public before")
        reset = await stage.discord.slash(stage.general, stage.ada, "reset", {"private": True})
        await stage.discord.until(lambda: reset.original and reset.original.content)
        await answered(stage, "mine after", by=stage.ada)
        await stage.ask("public after")

    mine, public = stage.prompts()[-2:]
    assert reset.ephemeral
    assert "mine before" not in words(mine)
    assert "public before" in words(public)


async def test_an_answer_that_is_not_ready_in_time_ends_where_it_is(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate))
    async with stage.bot(**PATIENT):
        called = await stage.chat("Why?", private=True)
        gate.let_out(10)
        message = await stage.discord.until(lambda: called.original)
        await recorded(stage)
        stage.clock.leap(ALMOST_15_MINUTES)
        await stage.discord.until(lambda: "cut off here" in message.content)

    assert not message.components
    assert seen_by_others(stage) == []


async def test_one_that_is_cut_off_goes_on_as_it_says(stage) -> None:
    gate = Gate()
    stage.model.script(Answer.cut_off(LONG, then="drop", gate=gate), Answer(text="It goes on."))
    async with stage.bot():
        called = await stage.chat("Why?", private=True)
        gate.let_out(10)
        message = await stage.discord.until(lambda: called.original)
        gate.open()
        await stage.discord.until(lambda: "Say *go on* with `/chat private:True`" in message.content)
        await answered(stage, "go on")

    assert [role for role, _ in stage.prompts()[-1]] == ["system", "user", "assistant", "user"]
    assert seen_by_others(stage) == []


async def test_words_that_do_not_come_in_time_are_said_not_to(stage) -> None:
    stage.model.script(Answer(text=LONG, gate=Gate()))
    async with stage.bot(**PATIENT):
        called = await stage.chat("Why?", private=True)
        await stage.model.received(1)
        stage.clock.leap(ALMOST_15_MINUTES)
        await stage.discord.until(lambda: called.original and called.original.content)

    assert called.original.content == f"> Why?\n{ResponseExpires.user_message}"
    assert seen_by_others(stage) == []


async def test_who_waits_too_long_is_told_and_told_again_when_they_ask_next(stage, database_url) -> None:
    stage.database_url = database_url
    gate = Gate()
    stage.model.script(Answer(text="First.", gate=gate), Answer(text="Third."), Answer(text="Fourth."))
    async with stage.bot(**PATIENT):
        first = await stage.chat("one", private=True)
        await stage.model.received(1)
        second = await stage.chat("two", private=True)
        await stage.discord.until(lambda: second.thinking)
        stage.clock.leap(ALMOST_15_MINUTES)
        await stage.discord.until(lambda: first.original and second.original and second.original.content)
        told = second.original.content
        third = await answered(stage, "three")
        fourth = await answered(stage, "four")

    assert told == ResponseExpires.user_message
    assert third.original.content == f"> three\n-# {MISSED_ANSWER}\nThird."
    assert fourth.original.content == "> four\nFourth."
    assert [text for role, text in stage.prompts()[-1] if role == "user"] == ["three", "four"]
    assert seen_by_others(stage) == []


async def test_a_bot_that_comes_back_too_late_posts_it_nowhere(stage) -> None:
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0", **PATIENT):
        stage.model.script(Answer(text="First.", gate=Gate()))
        await stage.chat("one", private=True)
        await stage.model.received(1)
        late = await stage.chat("two", private=True)
        await stage.discord.until(lambda: late.thinking)
    stage.clock.leap(16 * 60)

    async with stage.bot():
        called = await answered(stage, "three")

    assert MISSED_ANSWER in called.original.content
    assert len(stage.model.requests) == 2  # the late one was not paid for
    assert seen_by_others(stage) == []


async def test_a_public_answer_outlives_its_command_as_an_ordinary_message(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate))
    async with stage.bot(**PATIENT):
        called = await stage.chat("Why?")
        await stage.model.received(1)
        stage.clock.leap(ALMOST_15_MINUTES)
        await stage.discord.until(lambda: called.original and called.original.content == FOLLOWS_BELOW)
        stage.clock.leap(2 * 60)
        gate.open()
        said = await stage.discord.until(
            lambda: [each for each in stage.discord.messages(stage.general) if each.content == f"> Why?\n{LONG}"]
        )

    assert len(said) == 1
    assert said[0] is not called.original


async def test_a_public_answer_begun_in_time_goes_on_after_its_command_expired(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate))
    async with stage.bot(**PATIENT):
        called = await stage.chat("Why?")
        gate.let_out(10)
        message = await stage.discord.until(lambda: called.original)
        await with_button(stage, message, "Stop")
        await recorded(stage)
        stage.clock.leap(16 * 60)
        gate.open()
        await stage.settled(message, f"> Why?\n{LONG}")

    assert len([each for each in stage.discord.messages(stage.general) if each.author.bot]) == 1


async def test_a_public_answer_says_where_it_will_be_after_a_restart_too(stage) -> None:
    stage.model.script(Answer(text=LONG, gate=Gate()), Answer(text=LONG, gate=Gate()))
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0", **PATIENT):
        await stage.discord.post(stage.general, stage.ada, "one")
        await stage.model.received(1)
        called = await stage.chat("two")
        await stage.discord.until(lambda: called.thinking)

    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0", **PATIENT):
        await stage.model.received(2)
        stage.clock.leap(ALMOST_15_MINUTES)
        await stage.discord.until(lambda: called.original and called.original.content == FOLLOWS_BELOW)


async def test_an_answer_that_waited_through_a_restart_ends_in_time_too(stage) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=Gate()), Answer(text=LONG, gate=gate))
    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0", **PATIENT):
        await stage.chat("one", private=True)
        await stage.model.received(1)
        called = await stage.chat("two", private=True)
        await stage.discord.until(lambda: called.thinking)

    async with stage.bot(**PATIENT):
        gate.let_out(10)
        message = await stage.discord.until(lambda: called.original)
        stage.clock.leap(ALMOST_15_MINUTES)
        await stage.discord.until(lambda: "cut off here" in message.content)

    assert not message.components
    assert seen_by_others(stage) == []


@pytest.mark.parametrize("shown", [True, False], ids=["after its first words", "from the first word on"])
async def test_an_answer_that_filters_refuse_gives_way_to_a_sentence(stage, shown) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate), Answer(text="Second."))
    async with stage.bot():
        called = await stage.chat("Why?", private=True)
        if shown:
            gate.let_out(10)
            await stage.discord.until(lambda: called.original)
        stage.discord.faults.add(
            "PATCH",
            "@original",
            status=400,
            code=200000,
            times=5,
            matches=lambda request: LONG[-9:] in str(request.body),
        )
        gate.open()
        await stage.discord.until(lambda: called.original and called.original.content == TextRefused.user_message)
        second = await answered(stage, "And now?")

    assert not called.original.components
    assert second.original.content == "> And now?\nSecond."  # nothing was missed
    assert seen_by_others(stage) == []


async def test_a_second_part_that_discord_had_no_time_for_is_posted_later(stage, monkeypatch) -> None:
    monkeypatch.setattr(answer, "SECONDS_BEFORE_DELIVERING_AGAIN", 0.05)
    stage.model.answer("word " * 600)
    refusal = stage.discord.faults.add(
        "POST", "/webhooks/{webhook_id}/{webhook_token}", what="rate_limit", times=5, retry_after=0.01
    )
    async with stage.bot():
        called = await stage.chat("Why?", private=True)
        await stage.discord.until(lambda: refusal.times == 0)
        stage.clock.leap(6)  # Discord's limit for responses is over
        await stage.discord.until(lambda: called.followups)
        await stood(stage, called)

    assert len(called.followups) == 1
    assert len(stage.model.requests) == 1
    assert seen_by_others(stage) == []


async def test_an_answer_of_which_nobody_knows_what_became_gives_way_to_a_sentence(stage) -> None:
    stage.model.answer("word " * 600)
    stage.discord.faults.add("POST", "/webhooks/{webhook_id}/{webhook_token}", status=503, times=10)
    async with stage.bot():
        called = await stage.chat("Why?", private=True)
        await stage.discord.until(
            lambda: called.original and called.original.content == Undeliverable.user_message
        )

    assert not called.original.components
    assert seen_by_others(stage) == []


FOLLOW_UP = ("POST", "/webhooks/{webhook_id}/{webhook_token}")


@pytest.mark.parametrize("then", ["nothing", "429"])
async def test_a_follow_up_that_discord_may_have_posted_is_not_repeated_by_the_library_either(stage, then) -> None:
    stage.model.answer("word " * 600)
    stage.discord.faults.add(*FOLLOW_UP, status=500, when="after")
    if then == "429":
        stage.discord.faults.add(*FOLLOW_UP, what="rate_limit", times=4, retry_after=0.01)
    async with stage.bot():
        called = await stage.chat("Why?", private=True)
        await stage.discord.until(
            lambda: called.original and called.original.content == Undeliverable.user_message
        )
        second = await answered(stage, "And now?")

    assert len(called.followups) == 1
    assert len(second.followups) == 1
    assert second.original.content.startswith("> And now?")


async def killed_while_it_writes(stage, gate):
    """A public /chat whose first words are shown, when the bot dies."""
    program = await stage.start(**PATIENT)
    await stage.discord.until(lambda: stage.connected)
    called = await stage.chat("Why?")
    gate.let_out(10)
    await recorded(stage)
    program.kill()
    await program.communicate()
    stage.discord.faults.clear()
    return called


def from_bot(stage):
    return [message for message in stage.discord.messages(stage.general) if message.author.bot]


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("refused", ["acknowledgement", "draft"])
async def test_a_public_answer_begun_in_the_channel_goes_on_there_after_a_kill(stage, refused, silent) -> None:
    gate = Gate()
    stage.model.script(Answer(text=LONG, gate=gate), Answer(text=LONG, gate=Gate() if silent else None))
    if refused == "acknowledgement":
        stage.discord.faults.add("POST", "/interactions/", status=404, code=10062)
    else:
        stage.discord.faults.add("PATCH", "@original", status=400, code=200000)
        stage.discord.faults.add("PATCH", "@original", status=503, times=3)
    called = await killed_while_it_writes(stage, gate)
    (draft,) = from_bot(stage)

    async with stage.bot(SHUTDOWN_GRACE_SECONDS="0", **PATIENT):
        if silent:
            await stage.model.received(2)
            stage.clock.leap(ALMOST_15_MINUTES)
            await stage.discord.until(lambda: not called.thinking)
        else:
            await stage.settled(draft, f"> Why?\n{LONG}")

    assert not called.thinking
    assert [each.content for each in from_bot(stage) if LONG in each.content] == [f"> Why?\n{LONG}"] * (not silent)
