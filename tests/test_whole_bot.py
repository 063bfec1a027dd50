"""What people live through: the whole bot over real sockets, on a real database."""

import asyncio
import json
import signal
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bot.app import run_bot
from bot.core.breaker import FAULTS
from bot.core.errors import (
    ModelDown,
    ModelUnavailable,
    QuestionTooLong,
    StartupRefused,
)
from bot.core.generation import Patience
from bot.core.wording import GREETING
from bot.discord.client import ConfabClient
from bot.playground.loopback import LoopbackDiscord, MessageFlag
from tests.model_server import Answer, Gate, ModelServer, Silence, Status
from tests.whole_bot import Stage

LONG = "The sky is blue because air scatters short waves of light far more than long ones."


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


async def test_a_conversation_goes_on_after_a_restart(stage, database_url) -> None:
    stage.database_url = database_url
    stage.model.script(Answer(text="All good, how may I help you?"), Answer(text="Because of scattering."))
    async with stage.bot():
        await stage.ask("How is it going?")

    async with stage.bot():
        answer = await stage.ask("Why is the sky blue?")

    assert answer.content == "Because of scattering."
    assert stage.prompts()[-1] == [
        ("system", "You are a friendly assistant!"),
        ("user", "How is it going?"),
        ("assistant", "All good, how may I help you?"),
        ("user", "Why is the sky blue?"),
    ]


async def test_an_answer_appears_while_it_is_written_and_ends_exact(stage) -> None:
    gate = Gate()
    stage.model.answer(LONG, gate=gate)
    async with stage.bot():
        draft_shown = asyncio.create_task(stage.ask("Why?"))
        gate.let_out(10)
        message = await draft_shown
        draft = message.content

        gate.open()
        await stage.settled(message, LONG)

    assert LONG.startswith(draft.rstrip("…"))
    assert draft != LONG


async def test_a_long_answer_goes_on_in_further_messages(stage) -> None:
    text = " ".join(f"word{n}" for n in range(700))
    stage.model.answer(text, chunk=500)
    async with stage.bot():
        await stage.ask("Tell me all")
        await stage.discord.until(
            lambda: len([m for m in stage.discord.messages(stage.general) if m.author.bot]) == 3
        )
        parts = [m for m in stage.discord.messages(stage.general) if m.author.bot]
        await stage.discord.until(lambda: " ".join(m.content for m in parts) == text)

    assert all(len(part.content) <= 2000 for part in parts)


async def test_every_write_pings_at_most_the_asker_and_unfurls_nothing(stage) -> None:
    stage.model.answer("@everyone look: https://example.com <@&1> <@2>")
    async with stage.bot():
        answer = await stage.ask("ping everyone")

    assert not answer.everyone_pinged
    assert set(answer.mentions_pinged) <= {stage.you.id}
    assert answer.flags & MessageFlag.SUPPRESS_EMBEDS
    writes = [r for r in stage.discord.requests if r.method in ("POST", "PATCH") and "/messages" in r.path]
    assert writes
    assert all(r.body["allowed_mentions"]["parse"] == [] and r.body["flags"] & 4 for r in writes)


async def test_elsewhere_only_mentions_and_replies_are_answered(stage) -> None:
    async with stage.bot():
        await stage.discord.post(stage.random, stage.you, "not for you")
        first = await stage.ask(f"<@{stage.discord.bot_user.id}> hello", channel=stage.random)
        await stage.ask("and more", channel=stage.random, reply_to=first)

    assert [text for _, text in stage.prompts()[-1]][1::2] == ["hello", "and more"]


async def test_a_bare_mention_is_greeted(stage) -> None:
    async with stage.bot():
        answer = await stage.ask(f"<@{stage.discord.bot_user.id}>", channel=stage.random)

    assert answer.content == GREETING
    assert stage.model.requests == []


async def test_two_people_are_told_apart(stage) -> None:
    stage.model.answer("Hello.")
    async with stage.bot():
        await stage.ask("I like cats")
        await stage.ask("I like dogs", author=stage.ada)

    assert [text for role, text in stage.prompts()[-1] if role == "user"] == [
        "You: I like cats",
        "Ada: I like dogs",
    ]


async def test_slash_and_messages_share_one_conversation(stage) -> None:
    stage.model.script(Answer(text="One."), Answer(text="Two."), Answer(text="Three."))
    async with stage.bot():
        await stage.ask("first")
        slash = await stage.chat("second")
        await stage.discord.until(lambda: slash.original and slash.original.content == "> second\nTwo.")
        await stage.ask("third")

    assert [text for _, text in stage.prompts()[-1]][1:] == ["first", "One.", "second", "Two.", "third"]


async def test_reset_starts_anew(stage) -> None:
    async with stage.bot():
        await stage.discord.until(lambda: stage.discord.commands)
        await stage.ask("old secret")
        reset = await stage.discord.slash(stage.general, stage.you, "reset")
        await stage.discord.until(lambda: reset.original and reset.original.content)
        await stage.ask("hello")

    assert [text for _, text in stage.prompts()[-1]][1:] == ["hello"]


async def test_reset_is_for_those_who_manage_messages(stage) -> None:
    async with stage.bot():
        await stage.discord.until(lambda: stage.discord.commands)
        await stage.ask("keep this")
        reset = await stage.discord.slash(stage.general, stage.ada, "reset")
        await stage.discord.until(lambda: reset.original and reset.original.content)
        await stage.ask("hello")

    assert reset.ephemeral
    assert "keep this" in [text for _, text in stage.prompts()[-1]]


async def test_a_deleted_question_leaves_the_history_and_the_disk(stage, tmp_path) -> None:
    stage.model.answer("Noted, xylophone.")
    async with stage.bot():
        answer = await stage.ask("my secret is rutabaga")
        await stage.settled(answer, "Noted, xylophone.")
        await stage.discord.delete(answer.replied_to)
        await _gone(tmp_path, b"rutabaga", b"xylophone")
        await stage.ask("what did I say?")

    assert [text for _, text in stage.prompts()[-1]][1:] == ["what did I say?"]


async def test_an_edited_question_is_history_in_its_new_wording(stage, tmp_path) -> None:
    async with stage.bot():
        answer = await stage.ask("I am fourty")
        await stage.discord.edit(answer.replied_to, "I am forty")
        await _gone(tmp_path, b"fourty")
        await stage.ask("how old am I?")

    assert [text for role, text in stage.prompts()[-1] if role == "user"] == ["I am forty", "how old am I?"]


async def test_a_question_edited_before_anything_is_visible_is_answered_in_its_new_wording(
    stage, database_url
) -> None:
    stage.database_url = database_url
    stage.model.script(Silence(), Answer(text="You are forty."))
    async with stage.bot():
        question = await stage.discord.post(stage.general, stage.you, "I am fourty. How old am I?")
        await stage.model.received(1)

        await stage.discord.edit(question, "I am forty. How old am I?")
        await stage.model.hung_up()
        answer = await stage.discord.until(lambda: stage.reply_to(question))
        await stage.settled(answer, "You are forty.")
        await stage.ask("and now?")

    assert [text for role, text in stage.prompts()[-1] if role == "user"] == [
        "I am forty. How old am I?",
        "and now?",
    ]
    assert [prompt[-1][1] for prompt in stage.prompts()[:2]] == [
        "I am fourty. How old am I?",
        "I am forty. How old am I?",
    ]
    assert len([each for each in stage.discord.messages(stage.general) if each.author.bot]) == 2


async def test_a_question_edited_again_and_again_while_the_model_fails_is_not_asked_without_end(stage) -> None:
    stage.model.behave(lambda _: Status(503))
    async with stage.bot():
        question = await stage.discord.post(stage.general, stage.you, "Old?")
        told = asyncio.create_task(stage.discord.until(lambda: stage.reply_to(question)))
        for n in range(1, 8):
            asked = asyncio.create_task(stage.model.received(n))
            await asyncio.wait({asked, told}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            await stage.discord.edit(question, f"New {n}?")
        answer = await told

    assert answer.content == ModelUnavailable.user_message
    assert len(stage.model.requests) <= Patience().attempts + 1  # one was let go of


async def test_a_question_deleted_while_it_is_answered_takes_its_draft_along(stage) -> None:
    gate = Gate()
    stage.model.answer(LONG, gate=gate)
    async with stage.bot():
        asking = asyncio.create_task(stage.ask("Why?"))
        gate.let_out(10)
        draft = await asking

        await stage.discord.delete(draft.replied_to)
        await stage.discord.until(lambda: draft.deleted)

    assert len(stage.model.requests) == 1


async def test_a_draft_of_a_deleted_question_goes_at_the_next_start_at_the_latest(stage, database_url) -> None:
    stage.database_url = database_url
    gate = Gate()
    stage.model.answer(LONG, gate=gate)
    async with stage.bot():
        asking = asyncio.create_task(stage.ask("Why?"))
        gate.let_out(10)
        draft = await asking
        refusal = stage.discord.faults.add("DELETE", r"/messages/\d+$", status=503, times=1000)
        await stage.discord.delete(draft.replied_to)
        await stage.discord.until(lambda: refusal.times < 1000)
    assert not draft.deleted
    stage.discord.faults.clear()

    async with stage.bot():
        await stage.discord.until(lambda: draft.deleted)


async def test_a_draft_that_discord_posts_as_its_question_is_gone_and_the_bot_killed_goes_at_the_next_start(
    stage,
) -> None:
    stage.discord.nonce_seconds = -1.0
    posting = stage.discord.faults.add("POST", r"/channels/\d+/messages$", what="hang")
    program = await stage.start()
    await stage.discord.until(lambda: stage.connected)
    question = await stage.discord.post(stage.general, stage.you, "Why?")
    await stage.discord.until(lambda: posting.times == 0)
    await stage.discord.delete(question)
    with closing(sqlite3.connect(stage.database_url.removeprefix("sqlite:///"))) as database:
        async with asyncio.timeout(10):
            while database.execute("SELECT state, text FROM parts").fetchall() != [("deleting", "")]:
                await asyncio.sleep(0)
    program.kill()
    await program.communicate()
    posting.release()
    draft = await stage.discord.until(lambda: next(iter(stage.discord.messages(stage.general)), None))

    async with stage.bot():
        await stage.discord.until(lambda: draft.deleted)

    assert draft.reference is None


async def test_a_model_that_is_down_is_said_and_the_conversation_goes_on(stage) -> None:
    stage.model.script(Status(500), Answer(text="Here again."))
    async with stage.bot(MODEL_ATTEMPTS="1"):
        failed = await stage.ask("first")
        worked = await stage.ask("second")

    assert failed.content == ModelUnavailable.user_message
    assert worked.content == "Here again."
    assert [text for _, text in stage.prompts()[-1]][1:] == ["second"]


async def test_a_dead_model_is_asked_a_handful_of_times_while_the_next_one_answers_everybody(
    stage, monkeypatch, caplog
) -> None:
    monkeypatch.setattr("bot.core.breaker.FIRST_REST", 60.0)  # none ends while this lasts
    caplog.set_level("INFO", logger="bot.core.answer")
    stage.model.behave(lambda body: Status(503) if body["model"] == "a" else Answer(text=body["model"]))
    channels = [stage.discord.add_channel(stage.discord.guild, f"room-{n}") for n in range(20)]
    async with stage.bot(OPENAI_MODEL="a, b", MODEL_CONCURRENCY="8"):
        answers = await asyncio.gather(
            *(
                stage.ask(
                    f"{stage.discord.bot_user.mention} Hello?",
                    channel=channels[n % 20],
                    author=stage.discord.add_user(f"person-{n}"),
                )
                for n in range(100)
            )
        )

    asked = Counter(request["model"] for request in stage.model.requests)
    assert [answer.content for answer in answers] == ["b"] * 100
    assert asked["b"] == 100
    assert FAULTS <= asked["a"] <= FAULTS - 1 + 8  # those that were under way when the rest began
    turns = [record.getMessage() for record in caplog.records if record.getMessage().startswith("turn ")]
    assert len(turns) == 100
    assert all(" model=b outcome=complete " in turn for turn in turns)


async def test_while_the_only_model_is_down_people_are_told_at_once_without_asking_it(stage, monkeypatch) -> None:
    monkeypatch.setattr("bot.core.breaker.FIRST_REST", 60.0)
    stage.model.behave(lambda _: Status(503))
    async with stage.bot(MODEL_ATTEMPTS="1"):
        told = [(await stage.ask("Hello?")).content for _ in range(FAULTS + 1)]

    assert told == [ModelUnavailable.user_message] * FAULTS + [ModelDown.user_message]
    assert len(stage.model.requests) == FAULTS


async def test_an_answer_cut_off_after_visible_words_says_so_and_is_history(stage) -> None:
    gate = Gate()
    stage.model.script(Answer.cut_off(LONG, then="drop", gate=gate), Answer(text="It goes on."))
    async with stage.bot():
        asking = asyncio.create_task(stage.ask("Why?"))
        gate.let_out(10)
        message = await asking
        gate.open()
        await stage.discord.until(lambda: "*go on*" in message.content)
        await stage.ask("go on")

    assert [role for role, _ in stage.prompts()[-1]] == ["system", "user", "assistant", "user"]
    assert "cut off" not in stage.prompts()[-1][2][1]


async def test_a_question_over_the_budget_is_refused_in_a_plain_sentence(stage) -> None:
    async with stage.bot(HISTORY_TOKENS="300"):
        answer = await stage.ask("word " * 390)

    assert answer.content == QuestionTooLong.user_message


async def test_without_permission_to_write_the_question_fails_quietly_and_the_next_channel_works(stage) -> None:
    async with stage.bot():
        stage.discord.set_permissions(stage.random, send_messages=False)
        await stage.discord.post(stage.random, stage.you, f"<@{stage.discord.bot_user.id}> hello")
        answer = await stage.ask("still there?")

    assert answer.content
    assert [m for m in stage.discord.messages(stage.random) if m.author.bot] == []


async def test_a_second_bot_on_the_same_file_is_refused(stage) -> None:
    async with stage.bot():
        with pytest.raises(StartupRefused) as refusal:
            async with stage.bot():
                pass

    assert "already" in str(refusal.value) or "another" in str(refusal.value).lower()


async def test_the_program_ends_cleanly_on_sigterm_and_closes_what_is_under_way(stage) -> None:
    gate = Gate()
    stage.model.answer(LONG, gate=gate)
    process = await stage.start(SHUTDOWN_GRACE_SECONDS="0.2", LOG_FORMAT="json")
    await stage.discord.until(lambda: stage.connected)
    asking = asyncio.create_task(stage.ask("Why?"))
    gate.let_out(10)
    message = await asking

    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        _, log = await process.communicate()

    assert process.returncode == 0, log.decode()
    assert "cut off" in message.content
    assert stage.discord.token.encode() not in log
    assert b"sky" not in log
    [turn] = [line for line in map(json.loads, log.splitlines()) if line["event"] == "turn"]
    assert (turn["channel"], turn["model"], turn["outcome"]) == (str(stage.general.id), "gpt-5.4", "cut_off")


async def test_it_ends_though_the_library_loses_a_cancellation(stage, monkeypatch) -> None:
    serve = ConfabClient.run_forever

    async def deaf_at_first(client, token):
        with suppress(asyncio.CancelledError):
            await serve(client, token)
        await asyncio.Event().wait()

    monkeypatch.setattr(ConfabClient, "run_forever", deaf_at_first)
    async with asyncio.timeout(30), stage.bot():
        await stage.ask("hello")


async def test_a_wrong_token_is_refused_with_its_cure(stage) -> None:
    process = await stage.start(DISCORD_TOKEN="AAAAAAAAAAAAAAAAAAAAAAAA.BBBBBB.CCCCCCCCCCCCCCCCCCCCCCCCCCC")

    async with asyncio.timeout(30):
        _, log = await process.communicate()

    assert process.returncode == 2
    assert b"DISCORD_TOKEN" in log
    assert b"AAAAAAAA" not in log


async def _gone(folder: Path, *words: bytes) -> None:
    """Wait until no file of the database holds any of *words*."""
    async with asyncio.timeout(10):
        while _holds(folder, words):
            await asyncio.sleep(0.01)


def _holds(folder: Path, words: tuple[bytes, ...]) -> bool:
    return any(word in file.read_bytes() for file in folder.iterdir() for word in words)


async def test_it_stops_before_discord_bans_the_machine(stage, monkeypatch) -> None:
    monkeypatch.setattr("bot.discord.invalid_requests.INVALID_TOO_MANY", 2)
    for channel in (stage.general, stage.random):
        stage.discord.set_permissions(channel, send_messages=False)
    running = asyncio.create_task(run_bot(stage.environment(SHUTDOWN_GRACE_SECONDS="0")))
    await stage.discord.until(lambda: stage.connected)

    for channel in (stage.general, stage.random):
        await stage.discord.post(channel, stage.you, f"{stage.discord.bot_user.mention} Hello?")

    with pytest.raises(StartupRefused, match="refused thousands of requests"):
        await running


async def test_a_rush_in_the_moment_of_its_start_is_refused_nothing(tmp_path) -> None:
    async with LoopbackDiscord() as discord, ModelServer() as model:
        stage = Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")
        channels = [discord.add_channel(discord.guild, f"channel-{n}") for n in range(60)]
        async with stage.bot():
            asked = [
                await discord.post(channel, stage.you, f"{discord.bot_user.mention} Hello?")
                for channel in channels
            ]
            await discord.until(lambda: all(map(stage.reply_to, asked)))

    assert 429 not in [request.status for request in discord.requests]
