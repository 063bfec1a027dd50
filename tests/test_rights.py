"""What people may know and have erased: /privacy, /forget-me and RETENTION_DAYS, over real sockets."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.core.rights import Policy, Retention, Share
from bot.core.rights_wording import (
    COMMAND_FORGOTTEN,
    FORGETTING,
    NOT_FORGOTTEN,
    NOT_YOURS,
    forgotten_words,
    found_words,
    nothing_words,
    privacy_words,
)
from bot.playground.loopback import LoopbackDiscord
from bot.storage.turns import SqlTurnStore
from tests.clock import LeapingClock
from tests.model_server import Answer, Gate, ModelServer
from tests.openapi import validate_record
from tests.pressing import LONG, draft, labels, pressed, whispered
from tests.whole_bot import Stage

BUTTON = "Forget it"
A_DAY = 86_400.0


@pytest.fixture
async def stage(tmp_path):
    clock = LeapingClock()
    async with LoopbackDiscord(rate_limits=False, clock=clock) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", clock=clock)


async def offered(stage, where="here", **how):
    message = await stage.called("forget-me", where=where, **how)
    assert labels(message) == [BUTTON]
    return message


async def confirmed(stage, message, *, by=None):
    """Press the button; what the message says in the end."""
    await pressed(stage, message, BUTTON, by=by)
    await stage.discord.until(lambda: "I've forgotten" in message.content or "nothing" in message.content)
    return message.content


def stored(stage, sql, *values):
    with closing(sqlite3.connect(stage.database_url.removeprefix("sqlite:///"))) as database:
        return database.execute(sql, values).fetchall()


async def gone(stage, what, value):
    """Wait until no turn is so any more."""
    async with asyncio.timeout(10):
        while stored(stage, f"SELECT 1 FROM turns WHERE {what}", value):  # noqa: S608 - our own words
            await asyncio.sleep(0)


# /privacy


async def test_privacy_says_how_long_and_where_to_and_what_the_operator_says(stage):
    guild = stage.discord.guild.id
    async with stage.bot(
        RETENTION_DAYS="30", RETENTION_DAYS_BY_SERVER=f"{guild}=7", PRIVACY_URL="https://example.org/privacy#bot"
    ):
        here = (await stage.called("privacy")).content
        there = (await stage.called("privacy", channel=stage.discord.open_dm(stage.you))).content

    assert "7 days; then I erase them." in here
    assert "30 days; then I erase them." in there
    assert "a language model at `127.0.0.1`" in here
    assert here.endswith("<https://example.org/privacy#bot>")


async def test_privacy_of_a_bot_that_keeps_everything_says_so(stage):
    async with stage.bot():
        words = (await stage.called("privacy")).content

    assert "Until they are deleted." in words
    assert "In the words of" not in words


def test_privacy_is_one_message_whatever_is_set():
    most = Policy(provider="h" * 253, retention=Retention(days=36_500), url="https://" + "e" * 492)

    assert len(privacy_words(most, 1)) <= 2000


async def test_whom_the_lists_leave_out_may_know_and_be_forgotten(stage):
    async with stage.bot():
        await stage.ask("my secret")
    async with stage.bot(BLOCKED_USERS=str(stage.you.id), DIRECT_MESSAGES="off", ANSWER_BUTTONS="off"):
        await stage.called("privacy", channel=stage.discord.open_dm(stage.you))
        said = await confirmed(stage, await offered(stage))
        refused = await stage.called("reset")

    assert said.startswith("I've forgotten 1 message and 1 answer.")
    assert "not allowed" in refused.content


# /forget-me


async def test_here_is_forgotten_and_elsewhere_and_others_are_not(stage, database_url):
    stage.database_url = database_url
    async with stage.bot():
        for text in ("canary one", "canary two"):
            await stage.ask(text)
        private = await stage.chat("canary private", private=True)
        await stage.discord.until(lambda: private.original and private.original.content.startswith("> canary"))
        await stage.ask("from ada", author=stage.ada)
        await stage.ask("elsewhere", channel=stage.discord.open_dm(stage.you))
        offer = await offered(stage)
        asked = offer.content
        said = await confirmed(stage, offer)
        await stage.ask("And now?")
        await stage.ask("And here?", channel=stage.discord.open_dm(stage.you))

    here, there = ([text for role, text in prompt if role == "user"] for prompt in stage.prompts()[-2:])
    assert asked == found_words(Share(messages=3, answers=3), everywhere=False)
    assert said == forgotten_words(Share(messages=3, answers=3))
    assert labels(offer) == []
    assert "canary" not in str(here)
    assert "from ada" in str(here)
    assert there == ["elsewhere", "And here?"]
    validate_record(stage.discord.requests)


async def test_everywhere_is_forgotten_after_a_restart_too(stage, database_url):
    stage.database_url = database_url
    async with stage.bot():
        await stage.ask("canary here")
        await stage.ask("canary there", channel=stage.discord.open_dm(stage.you))
        offer = await offered(stage, "everywhere")
    async with stage.bot():
        said = await confirmed(stage, offer)
        again = await stage.called("forget-me", where="everywhere")
        await stage.ask("And here?", channel=stage.discord.open_dm(stage.you))

    assert said.startswith("I've forgotten 2 messages and 2 answers.")
    assert (again.content, labels(again)) == (nothing_words(everywhere=True), [])
    assert "canary" not in str(stage.prompts()[-1])


async def test_nothing_stored_is_said_without_a_button(stage):
    async with stage.bot():
        offer = await stage.called("forget-me", where="here")

    assert (offer.content, labels(offer)) == (nothing_words(everywhere=False), [])


async def test_ids_on_costs_alone_are_named_and_taken_off(stage):
    async with stage.bot():
        asked = await stage.discord.post(stage.general, stage.you, "Why?")
        await stage.discord.until(lambda: stage.reply_to(asked))
        await stage.ask("Done?", author=stage.ada)  # so the first one stands
        await stage.discord.delete(asked)
        await gone(stage, "author_id = ?", stage.you.id)
        offer = await offered(stage, "everywhere")
        asked = offer.content
        await pressed(stage, offer, BUTTON)
        await stage.discord.until(lambda: offer.content == forgotten_words(Share(records=1)))

    assert asked == found_words(Share(records=1), everywhere=True)
    assert stored(stage, "SELECT count(*) FROM model_calls WHERE author_id = ?", stage.you.id) == [(0,)]


async def test_an_answer_under_way_stops_and_goes_and_its_cost_has_no_name(stage):
    async with stage.bot():
        message, _gate = await draft(stage)
        said = await confirmed(stage, await offered(stage, "everywhere"))
        await stage.discord.until(lambda: message.deleted)
        async with asyncio.timeout(10):
            await stage.model.hung_up()
        await stage.ask("And now?", author=stage.ada)

    assert said.startswith("I've forgotten 1 message and 1 answer.")
    assert len(stage.prompts()[-1]) == 2
    assert sorted(stored(stage, "SELECT outcome, author_id FROM model_calls"), key=str) == [
        ("complete", stage.ada.id), ("withdrawn", None),
    ]  # fmt: skip


@pytest.mark.parametrize("private", [True, False])
async def test_nothing_is_left_of_an_answer_that_waits_for_the_database(stage, monkeypatch, private):
    kept = asyncio.Event()

    async def refusing(*_, **__):
        kept.set()
        raise DatabaseUnavailable("locked")

    monkeypatch.setattr(SqlTurnStore, "write_answer", refusing)
    async with stage.bot():
        if private:
            await stage.chat("A canary?", private=True)
        else:
            await stage.discord.post(stage.general, stage.you, "A canary?")
        async with asyncio.timeout(10):
            await kept.wait()
        await confirmed(stage, await offered(stage, "everywhere"))
        await gone(stage, "kind = ?", "answer")

    assert stored(stage, "SELECT count(*) FROM conversations") == [(0 if private else 1,)]


async def test_what_an_answer_of_which_nothing_was_visible_yet_cost_has_no_name_either(stage):
    stage.model.script(Answer(text="A canary.", gate=Gate()))
    async with stage.bot(FIRST_TOKEN_SECONDS="3600"):
        asked = await stage.discord.post(stage.general, stage.you, "A canary?")
        await stage.model.received(1)
        await confirmed(stage, await offered(stage))

    assert stage.reply_to(asked) is None
    assert stored(stage, "SELECT author_id FROM model_calls") == [(None,)]


async def test_what_waits_is_not_answered_and_a_command_that_waits_is_told_so(stage):
    gate = Gate()
    stage.model.script(Answer(text="To ada.", gate=gate))
    async with stage.bot():
        first = await stage.discord.post(stage.general, stage.ada, "one")
        await stage.model.received(1)
        await stage.discord.post(stage.general, stage.you, "canary")
        waiting = await stage.chat("canary")
        await stage.discord.until(lambda: waiting.thinking)
        said = await confirmed(stage, await offered(stage))
        await stage.discord.until(lambda: waiting.original and waiting.original.content == COMMAND_FORGOTTEN)
        gate.open()
        await stage.discord.until(lambda: stage.reply_to(first))
        await stage.ask("And now?", author=stage.ada)

    assert said.startswith("I've forgotten 2 messages and 0 answers.")
    assert len(stage.model.requests) == 2
    assert "canary" not in str(stage.prompts())


async def test_a_notice_to_whoever_waits_goes_and_they_wait_no_longer(stage):
    stage.model.script(Answer(text="To ada.", gate=Gate()))
    async with stage.bot(MAX_WAITING_PER_PERSON="1", FIRST_TOKEN_SECONDS="3600"):
        await stage.discord.post(stage.general, stage.ada, "one")
        await stage.model.received(1)
        waiting = await stage.discord.post(stage.general, stage.you, "canary")
        async with asyncio.timeout(10):
            while not stored(stage, "SELECT 1 FROM turns WHERE text = 'canary'"):
                await asyncio.sleep(0)
        stage.clock.leap(6)
        notice = await stage.discord.until(lambda: stage.reply_to(waiting))
        await confirmed(stage, await offered(stage))
        await stage.discord.until(lambda: notice.deleted)
        anew = await stage.discord.post(stage.general, stage.you, "anew")
        async with asyncio.timeout(10):
            while not stored(stage, "SELECT 1 FROM turns WHERE text = 'anew'"):
                assert stage.reply_to(anew) is None  # it would say that too many wait
                await asyncio.sleep(0)


async def test_nobody_is_forgotten_by_somebody_else(stage):
    async with stage.bot():
        await stage.ask("mine")
        await stage.ask("hers", author=stage.ada)
        offer = await offered(stage, "everywhere")
        offer.components[0]["components"][0]["custom_id"] = f"forget-everywhere:{stage.ada.id}"
        told = await whispered(stage, await pressed(stage, offer, BUTTON))

    assert told == NOT_YOURS
    assert stored(stage, "SELECT count(*) FROM turns WHERE text IN ('mine', 'hers')") == [(2,)]


async def test_a_memory_that_is_away_is_said_and_the_button_stays(stage, monkeypatch):
    async def refuse(*_, **__):
        raise DatabaseUnavailable("made up")

    async with stage.bot():
        await stage.ask("canary")
        offer = await offered(stage)
        with monkeypatch.context() as away:
            away.setattr(SqlTurnStore, "forget_user", refuse)
            await pressed(stage, offer, BUTTON)
            await stage.discord.until(lambda: offer.content == NOT_FORGOTTEN and labels(offer) == [BUTTON])
        said = await confirmed(stage, offer)

    assert said.startswith("I've forgotten 1 message and 1 answer.")


async def test_while_it_is_erased_the_button_is_not_there_to_be_pressed_again(stage, monkeypatch):
    forget, held = SqlTurnStore.forget_user, asyncio.Event()

    async def slowly(store, person, **how):
        await held.wait()
        return await forget(store, person, **how)

    monkeypatch.setattr(SqlTurnStore, "forget_user", slowly)
    async with stage.bot():
        await stage.ask("canary")
        offer = await offered(stage)
        await pressed(stage, offer, BUTTON)
        meanwhile = (offer.content, labels(offer))
        held.set()
        await stage.discord.until(lambda: offer.content.startswith("I've forgotten 1 message"))

    assert meanwhile == (FORGETTING, [])


async def test_a_press_that_discord_does_not_let_us_take_is_carried_out_all_the_same(stage, caplog):
    async with stage.bot():
        await stage.ask("canary")
        offer = await offered(stage)
        stage.discord.faults.add("POST", "/callback", status=404, code=10062)
        await stage.discord.press(offer, stage.you, BUTTON)
        await gone(stage, "text = ?", "canary")

    assert "was not acknowledged" in caplog.text


async def test_what_stands_in_the_channel_stays_there(stage):
    stage.model.answer(LONG)
    async with stage.bot():
        message = await stage.ask("Why?")
        await stage.settled(message, LONG)
        await stage.ask("Done?", author=stage.ada)  # so the first one stands
        await confirmed(stage, await offered(stage))

    assert not message.deleted


# RETENTION_DAYS


async def test_what_is_too_old_is_gone_after_the_next_start(stage):
    async with stage.bot():
        await stage.ask("canary")
        await stage.ask("Done?", author=stage.ada)
    stage.clock.leap(2 * A_DAY)
    async with stage.bot(RETENTION_DAYS="1"):
        await gone(stage, "text = ?", "canary")
        await gone(stage, "text = ?", "Done?")
        await stage.ask("And now?")

    assert len(stage.prompts()[-1]) == 2
