"""What was said while the bot was away: the whole bot over real sockets, stopped, and started again."""

import asyncio
import logging
from datetime import timedelta

import discord
import pytest

from bot.core.clock import SystemClock
from bot.core.errors import DatabaseUnavailable
from bot.core.handled import EVERYWHERE, Handled
from bot.core.wording import GREETING
from bot.discord import catch_up, connecting, hearing
from bot.discord.catch_up import CatchUp
from bot.discord.inbound import read_message
from bot.discord.missed_ranges import MissedRanges
from bot.discord.unread import Unread
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore, open_store
from tests.logged import caught_up
from tests.model_server import ModelServer
from tests.whole_bot import Stage


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


@pytest.fixture
async def met(stage):
    """A stage on which the bot has been, and is not any more."""
    async with stage.bot():
        await stage.ask("I was here")
    stage.model.requests.clear()
    stage.discord.requests.clear()
    return stage


def _asked(stage):
    """The question of each request to the model."""
    return [prompt[-1][1] for prompt in stage.prompts()]


def _read_channels(stage):
    return {
        int(request.path.split("/")[2])
        for request in stage.discord.requests
        if request.method == "GET" and request.route.endswith("/messages")
    }


async def test_what_was_asked_meanwhile_is_answered_in_order(met) -> None:
    first = await met.discord.post(met.general, met.you, "first")
    second = await met.discord.post(met.general, met.ada, "second")
    third = await met.discord.post(met.general, met.you, "third")

    async with met.bot():
        await met.discord.until(lambda: all(map(met.reply_to, (first, second, third))))

    assert [question.split(": ")[-1] for question in _asked(met)] == ["first", "second", "third"]


async def test_only_messages_for_the_bot_are_answered_and_only_once(met) -> None:
    mention = met.discord.bot_user.mention
    await met.discord.post(met.random, met.you, "not for it")
    asked = await met.discord.post(met.random, met.you, f"{mention} for it")
    async with met.bot():
        await met.discord.until(lambda: met.reply_to(asked))

    async with met.bot():
        await met.ask("and now?")

    assert _asked(met) == ["for it", "and now?"]


async def test_a_live_question_waits_for_what_was_asked_before_it(met) -> None:
    await met.discord.post(met.general, met.you, "missed")
    reading = met.discord.faults.add("GET", r"/messages$", what="hang", times=1)
    async with met.bot():
        await met.discord.until(lambda: not reading.times)
        live = await met.discord.post(met.general, met.ada, "live")
        await met.ask(f"{met.discord.bot_user.mention} elsewhere", channel=met.random)
        asked_meanwhile = _asked(met)
        reading.release()
        await met.discord.until(lambda: met.reply_to(live))

    assert asked_meanwhile == ["elsewhere"]
    assert [question.split(": ")[-1] for question in _asked(met)] == ["elsewhere", "missed", "live"]


async def test_what_is_too_old_is_recorded_and_neither_answered_nor_history(met) -> None:
    await met.discord.post(met.general, met.you, "too old")

    async with met.bot(ANSWER_WITHIN_MINUTES="0.00001"):
        await met.discord.until(lambda: _read_channels(met))
    async with met.bot():
        await met.ask("fresh")

    assert [text for _, text in met.prompts()[-1]][1::2] == ["I was here", "fresh"]
    assert len(met.prompts()) == 1


async def test_the_first_run_starts_at_now(stage) -> None:
    await stage.discord.post(stage.general, stage.you, "long ago")

    async with stage.bot():
        await stage.ask("now")

    assert _asked(stage) == ["now"]


async def test_the_first_run_starts_at_now_also_where_the_clock_is_set_back_meanwhile(stage, monkeypatch) -> None:
    now, before_sessions, ahead = SystemClock.now, CatchUp.before_sessions, timedelta(seconds=90)

    async def start_ahead(reader):
        with monkeypatch.context() as fast:
            fast.setattr(SystemClock, "now", lambda clock: now(clock) + ahead)
            await before_sessions(reader)

    monkeypatch.setattr(CatchUp, "before_sessions", start_ahead)
    await stage.discord.post(stage.general, stage.you, "long ago")

    async with stage.bot():
        await stage.ask("now")

    assert "long ago" not in str(stage.prompts())


async def test_what_is_said_before_the_first_run_is_connected_is_answered(stage, monkeypatch) -> None:
    said, before_sessions = [], CatchUp.before_sessions

    async def say_meanwhile(reader):
        await before_sessions(reader)
        said.append(await stage.discord.post(stage.general, stage.you, "early"))

    monkeypatch.setattr(CatchUp, "before_sessions", say_meanwhile)
    async with stage.bot():
        await stage.discord.until(lambda: stage.reply_to(said[0]))


async def test_only_channels_where_something_was_said_are_read(met) -> None:
    asked = await met.discord.post(met.general, met.you, "missed")
    async with met.bot():
        await met.discord.until(lambda: met.reply_to(asked))

    assert _read_channels(met) == {met.general.id}


async def test_what_was_deleted_meanwhile_is_erased(met) -> None:
    (question, answer) = met.discord.messages(met.general)
    await met.discord.delete(question)

    async with met.bot():
        await met.ask("what did I say?")

    assert [text for _, text in met.prompts()[-1]][1:] == ["what did I say?"]
    assert not answer.deleted


async def test_an_answer_deleted_meanwhile_leaves_the_history(met) -> None:
    (_, answer) = met.discord.messages(met.general)
    await met.discord.delete(answer)

    async with met.bot():
        await met.ask("and now?")

    assert [role for role, _ in met.prompts()[-1]] == ["system", "user", "user"]


async def test_what_was_edited_meanwhile_is_history_in_its_new_wording(met) -> None:
    (question, _) = met.discord.messages(met.general)
    await met.discord.edit(question, "I am here")

    async with met.bot():
        await met.ask("what did I say?")

    assert [text for _, text in met.prompts()[-1]][1] == "I am here"


@pytest.mark.parametrize("change", ["deleted", "edited"])
async def test_what_was_only_quoted_and_changed_meanwhile_is_history_no_longer(met, change) -> None:
    mention = met.discord.bot_user.mention
    quoted = await met.discord.post(met.random, met.ada, "the old words")
    async with met.bot():
        await met.ask(f"{mention} what is this?", channel=met.random, reply_to=quoted)
    if change == "deleted":
        await met.discord.delete(quoted)
    else:
        await met.discord.edit(quoted, "the new words")

    async with met.bot():
        await met.ask(f"{mention} and now?", channel=met.random)

    said = " ".join(text for _, text in met.prompts()[-1])
    assert "the old words" in " ".join(text for _, text in met.prompts()[-2])
    assert "the old words" not in said
    assert ("the new words" in said) == (change == "edited")


async def test_without_the_permission_to_read_nothing_counts_as_deleted(met) -> None:
    met.discord.set_permissions(met.general, read_message_history=False)
    await met.discord.post(met.general, met.you, "unseen")

    async with met.bot():
        await met.discord.post(met.general, met.you, "live")
        await met.discord.until(lambda: len([m for m in met.discord.messages(met.general) if m.author.bot]) == 2)

    assert [text for _, text in met.prompts()[-1]][1::2] == ["I was here", "live"]


async def test_a_dm_is_caught_up_with(stage) -> None:
    direct = stage.discord.open_dm(stage.you)
    async with stage.bot():
        await stage.ask("hello", channel=direct)
    missed = await stage.discord.post(direct, stage.you, "are you there?")

    async with stage.bot():
        await stage.discord.until(lambda: stage.reply_to(missed))

    assert _asked(stage) == ["hello", "are you there?"]


async def test_a_thread_that_was_archived_meanwhile_is_caught_up_with(stage) -> None:
    thread = stage.discord.add_thread(stage.general, "talk")
    async with stage.bot():
        forgettable = (await stage.ask("hello", channel=thread)).replied_to
    missed = await stage.discord.post(thread, stage.you, "are you there?")
    await stage.discord.delete(forgettable)
    await stage.discord.set_thread_state(thread, archived=True)

    async with stage.bot():
        await stage.discord.until(lambda: stage.reply_to(missed))

    assert _asked(stage) == ["hello", "are you there?"]
    assert [text for _, text in stage.prompts()[-1]][1:] == ["are you there?"]


async def test_of_an_archived_thread_in_which_nothing_was_said_no_messages_are_read(stage, caplog) -> None:
    caplog.set_level(logging.INFO)
    thread = stage.discord.add_thread(stage.general, "talk")
    async with stage.bot():
        await stage.ask("hello", channel=thread)
    async with open_store(stage.database_url) as store:
        await store.write_marks({EVERYWHERE: stage.clock.now()})
    await stage.discord.set_thread_state(thread, archived=True)
    stage.discord.requests.clear()
    missed = await stage.discord.post(stage.general, stage.you, "missed")

    async with stage.bot():
        await stage.discord.until(lambda: stage.reply_to(missed))
        await caught_up(caplog)

    assert _read_channels(stage) == {stage.general.id}


async def test_a_refused_resume_is_caught_up_with(stage) -> None:
    async with stage.bot():
        await stage.ask("I was here")
        stage.discord.faults.refuse_handshakes(1)
        stage.discord.faults.close_gateway(4009)
        missed = await stage.discord.post(stage.general, stage.you, "missed")

        await stage.discord.until(lambda: stage.reply_to(missed))

    assert _asked(stage) == ["I was here", "missed"]
    assert [hello.outcome for hello in stage.discord.hellos].count("ready") == 2


async def test_a_session_that_begins_while_an_earlier_one_is_caught_up_with_is_caught_up_with_too(
    stage, monkeypatch
) -> None:
    for pause in ("SECONDS_BETWEEN_SESSIONS", "LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(connecting, pause, 0.0)
    async with stage.bot():
        await stage.ask("I was here")
        reading = stage.discord.faults.add("GET", r"/messages$", what="hang", when="after")
        stage.discord.faults.invalidate_session(resumable=False)
        first = await stage.discord.post(stage.general, stage.you, "first")
        await stage.discord.until(lambda: not reading.times)
        stage.discord.faults.invalidate_session(resumable=False)
        second = await stage.discord.post(stage.general, stage.ada, "second")
        await stage.discord.until(lambda: [hello.outcome for hello in stage.discord.hellos].count("ready") == 3)
        reading.release()

        await stage.discord.until(lambda: stage.reply_to(first) and stage.reply_to(second))

    assert [question.split(": ")[-1] for question in _asked(stage)] == ["I was here", "first", "second"]


async def test_what_was_said_during_a_server_s_outage_is_answered_when_it_is_back(met, caplog) -> None:
    caplog.set_level(logging.INFO)
    async with met.bot():
        await met.ask("before")
        await caught_up(caplog)  # with what came before it connected
        await met.discord.remove_guild(met.discord.guild, unavailable=True)
        missed = await met.discord.post(met.general, met.you, "missed")
        await met.discord.restore_guild(met.discord.guild)

        await met.discord.until(lambda: met.reply_to(missed))

    assert _asked(met) == ["before", "missed"]


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"what": "html", "status": 403}, {"what": "html", "status": 404}]
)
async def test_a_channel_that_could_not_be_read_is_read_with_a_later_mark(met, monkeypatch, fault) -> None:
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.05)
    missed = await met.discord.post(met.general, met.you, "missed")
    met.discord.faults.add("GET", r"/messages$", times=2, **fault)

    async with met.bot():
        await met.discord.until(lambda: met.reply_to(missed))

    assert _asked(met) == ["missed"]


async def test_a_channel_read_in_vain_before_the_servers_are_known_is_read_again(met, monkeypatch) -> None:
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.05)
    known, failed = CatchUp.servers_are_known, asyncio.Event()
    fail = Unread.fail

    async def wait_for_the_failure(reader):
        await failed.wait()
        await known(reader)

    def note(unread, channel_id, server, **how):
        fail(unread, channel_id, server, **how)
        failed.set()

    monkeypatch.setattr(CatchUp, "servers_are_known", wait_for_the_failure)
    monkeypatch.setattr(Unread, "fail", note)
    missed = await met.discord.post(met.general, met.ada, "missed")
    met.discord.faults.add("GET", r"/messages$", what="html", status=403, times=1)
    async with met.bot():
        await met.discord.post(met.general, met.you, "live")
        await met.discord.until(lambda: met.reply_to(missed))


async def test_a_channel_that_cannot_be_read_just_now_does_not_stay_silent(met, monkeypatch) -> None:
    monkeypatch.setattr(catch_up, "SECONDS_TO_READ", 0.05)
    await met.discord.post(met.general, met.you, "missed")
    met.discord.faults.add("GET", r"/messages$", status=503, times=100)

    async with met.bot():
        live = await met.ask("live")

    assert live.content != GREETING
    assert _asked(met) == ["live"]


async def test_no_mark_passes_a_channel_that_takes_too_long_to_read(met, monkeypatch) -> None:
    monkeypatch.setattr(catch_up, "SECONDS_TO_READ", 0.05)
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.01)
    written, write = [], SqlTurnStore.write_marks

    async def note(store, marks):
        await write(store, marks)
        written.append(marks)

    monkeypatch.setattr(SqlTurnStore, "write_marks", note)
    missed = await met.discord.post(met.general, met.you, "missed")
    reading = met.discord.faults.add("GET", r"/messages$", what="hang", times=1)
    async with met.bot():
        await met.discord.until(lambda: not reading.times)
        await met.ask("live")
        await met.ask(f"{met.discord.bot_user.mention} elsewhere", channel=met.random)
        written_meanwhile = list(written)
        reading.release()
        await met.discord.until(lambda: met.reply_to(missed))
        async with asyncio.timeout(10):
            while not written:
                await asyncio.sleep(0)

    assert written_meanwhile == []
    assert [question.split(": ")[-1] for question in _asked(met)] == ["live", "elsewhere", "missed"]


async def test_a_message_that_is_not_understood_takes_no_other_along(met, monkeypatch, caplog) -> None:
    understand = discord.Message.__init__

    def fail_at_one(message, *, state, channel, data):
        if data["content"] == "new to the library":
            raise KeyError("type")
        understand(message, state=state, channel=channel, data=data)

    monkeypatch.setattr(discord.Message, "__init__", fail_at_one)
    before = await met.discord.post(met.general, met.you, "before")
    odd = await met.discord.post(met.general, met.ada, "new to the library")
    after = await met.discord.post(met.general, met.ada, "after")

    async with met.bot():
        await met.discord.until(lambda: met.reply_to(before) and met.reply_to(after))

    assert f"message={odd.id} in channel={met.general.id} is not understood" in caplog.text


async def test_a_message_over_which_our_code_fails_takes_no_other_along(met, monkeypatch, caplog) -> None:
    def fail_at_one(message, **how):
        if message.content == "odd":
            raise ValueError("a fault of ours")
        return read_message(message, **how)

    monkeypatch.setattr(hearing, "read_message", fail_at_one)
    odd = await met.discord.post(met.general, met.you, "odd")
    after = await met.discord.post(met.general, met.ada, "after")

    async with met.bot():
        await met.discord.until(lambda: met.reply_to(after))

    assert f"message={odd.id} in channel={met.general.id} is left alone" in caplog.text


async def test_a_channel_that_is_not_read_after_a_fault_of_ours_is_read_with_a_later_mark(
    met, monkeypatch
) -> None:
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.05)
    take, faults = MissedRanges.take, [KeyError("a fault"), KeyError("another")]

    async def fail_at_first(ranges, channel, since, **how):
        if faults:
            raise faults.pop()
        await take(ranges, channel, since, **how)

    monkeypatch.setattr(MissedRanges, "take", fail_at_first)
    missed = await met.discord.post(met.general, met.you, "missed")

    async with met.bot():
        await met.discord.until(lambda: met.reply_to(missed))


async def test_a_question_in_the_same_breath_as_its_server_s_return_waits_for_what_was_missed(met, caplog) -> None:
    caplog.set_level(logging.INFO)
    async with met.bot():
        await met.ask("before")
        await caught_up(caplog)
        await met.discord.remove_guild(met.discord.guild, unavailable=True)
        missed = await met.discord.post(met.general, met.you, "missed")
        reading = met.discord.faults.add("GET", r"/messages$", what="hang", times=1)
        await met.discord.restore_guild(met.discord.guild)
        live = await met.discord.post(met.general, met.ada, "live")
        await met.discord.until(lambda: not reading.times)
        await met.ask(f"{met.discord.bot_user.mention} in a DM", channel=met.discord.open_dm(met.you))
        asked_meanwhile = _asked(met)
        reading.release()
        await met.discord.until(lambda: met.reply_to(missed) and met.reply_to(live))

    assert [question.split(": ")[-1] for question in asked_meanwhile] == ["before", "in a DM"]
    assert [question.split(": ")[-1] for question in _asked(met)] == ["before", "in a DM", "missed", "live"]


async def test_a_question_neither_stored_nor_refused_is_read_again_before_a_newer_one(
    met, monkeypatch, caplog
) -> None:
    caplog.set_level(logging.INFO)
    receive, could_not_tell, in_vain = SqlTurnStore.receive, Handled.could_not_tell, []

    async def refuse_at_first(store, message, **how):
        if not in_vain:
            raise DatabaseUnavailable("it is locked")
        return await receive(store, message, **how)

    def note(handled, message):
        could_not_tell(handled, message)
        in_vain.append(message)

    async with met.bot():
        await met.ask("before")
        await caught_up(caplog)
        monkeypatch.setattr(SqlTurnStore, "receive", refuse_at_first)
        monkeypatch.setattr(Handled, "could_not_tell", note)
        met.discord.faults.add("POST", r"/messages$", status=400, times=1)
        missed = await met.discord.post(met.general, met.you, "missed")
        async with asyncio.timeout(10):
            while not in_vain:
                await asyncio.sleep(0)
        live = await met.discord.post(met.general, met.ada, "live")
        await met.discord.until(lambda: met.reply_to(missed) and met.reply_to(live))

    assert [question.split(": ")[-1] for question in _asked(met)] == ["before", "missed", "live"]


async def test_a_mark_from_a_clock_that_was_ahead_hides_nothing(met, caplog) -> None:
    async with open_store(met.database_url) as store:
        await store.write_marks({EVERYWHERE: met.clock.now() + timedelta(hours=1)})
    missed = await met.discord.post(met.general, met.you, "missed")

    async with met.bot():
        await met.discord.until(lambda: met.reply_to(missed))

    assert "but marks were written at" in caplog.text
