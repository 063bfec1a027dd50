"""Bounds on what people send, and what was said while the bot was away: the whole bot, started again."""

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.discord import catch_up, connecting
from bot.storage.turns import SqlTurnStore
from tests.clock import LeapingClock
from tests.model_server import Answer, Gate
from tests.whole_bot import met_before

REFUSED = "Catching up, I found that you sent me more within a minute than I take on. I won't answer the rest."
MINUTE = 60.0  # seconds


@pytest.fixture
async def met(tmp_path):
    """A stage on which the bot has been, and is not any more; its clock can be set forward."""
    clock = LeapingClock()
    async with met_before(tmp_path, clock=clock) as stage:
        clock.leap(2 * MINUTE)
        yield stage


def _questions(stage):
    """What the model was asked, oldest first, however many of one author's were asked together."""
    newest = max(stage.prompts(), key=len)
    return [text.split(": ")[-1] for role, text in newest if role == "user"]


def _from_bot(stage):
    return [each.content for each in stage.discord.messages(stage.general) if each.author.bot]


async def _say(stage, count, *, minutes_between, authors):
    """That many messages, by these people in turn."""
    said = []
    for n in range(count):
        said.append(await stage.discord.post(stage.general, authors[n % len(authors)], f"message {n}"))
        stage.clock.leap(minutes_between * MINUTE)
    return said


async def test_what_was_said_over_a_long_absence_is_answered_whatever_the_bounds_of_a_minute(met) -> None:
    said = await _say(met, 30, minutes_between=5 / 3, authors=(met.you, met.ada))

    bounds = {
        "MAX_WAITING_PER_PERSON": "10",
        "MAX_WAITING_PER_CHANNEL": "20",
        "MESSAGES_PER_MINUTE_PER_PERSON": "1",
    }
    async with met.bot(**bounds):
        await met.discord.until(lambda: all(map(met.reply_to, said)))

    assert _questions(met) == ["I was here", *(f"message {n}" for n in range(30))]
    assert not [each for each in _from_bot(met) if "I take on" in each or "waiting for me" in each]


@pytest.mark.parametrize(
    ("bound", "told"),
    [
        ("MESSAGES_PER_MINUTE_PER_PERSON", REFUSED),
        ("MESSAGES_PER_MINUTE_PER_CHANNEL", REFUSED.replace("you", "this channel", 1)),
    ],
)
async def test_who_sent_too_much_within_a_minute_of_the_absence_is_told_once(met, bound, told) -> None:
    met.clock.leap(MINUTE - met.clock.now().second)  # to the beginning of one
    said = await _say(met, 5, minutes_between=0, authors=(met.you,))

    async with met.bot(**{bound: "2"}):
        await met.discord.until(lambda: met.reply_to(said[2]))
        await met.ask("and now?")
    async with met.bot():
        await met.ask("and later?")

    assert _questions(met) == ["I was here", "message 0", "message 1", "and now?", "and later?"]
    assert met.reply_to(said[2]).content == told
    assert _from_bot(met).count(told) == 1


async def _as_many_as_may_wait(met):
    """One is answered, and one waits: that one, and the gate of the answer."""
    gate = Gate()
    met.model.script(Answer(text="One.", gate=gate), Answer(text="Two."), Answer(text="Three."))
    await met.discord.post(met.general, met.you, "one")
    await met.discord.until(lambda: len(met.model.requests) == 2)
    return await met.discord.post(met.general, met.you, "two"), gate


async def test_what_was_refused_stays_refused_after_a_restart(met) -> None:
    async with met.bot(MAX_WAITING_PER_PERSON="1"):
        second, gate = await _as_many_as_may_wait(met)
        refused = await met.ask("refused")
        gate.open()
        await met.discord.until(lambda: met.reply_to(second))

    async with met.bot():
        await met.ask("three")

    assert "waiting for me already" in refused.content
    assert _questions(met) == ["I was here", "one", "two", "three"]


async def test_what_was_refused_stays_refused_in_a_session_that_begins_anew(met, monkeypatch) -> None:
    monkeypatch.setattr(connecting, "SECONDS_BETWEEN_SESSIONS", 0.0)
    async with met.bot(MAX_WAITING_PER_PERSON="1"):
        second, gate = await _as_many_as_may_wait(met)
        await met.ask("refused")
        await met.discord.post(met.general, met.you, "refused in silence")
        met.discord.faults.invalidate_session(resumable=False)
        await met.discord.until(lambda: not met.connected)
        await met.discord.until(lambda: met.connected)
        gate.open()
        await met.discord.until(lambda: met.reply_to(second))
        await met.ask("three")

    assert _questions(met) == ["I was here", "one", "two", "three"]
    assert not [each for each in _from_bot(met) if "I take on" in each]


async def test_a_refusal_is_told_while_the_database_is_away_too(met, monkeypatch) -> None:
    async def fail(_store, _message):
        raise DatabaseUnavailable("it is locked")

    monkeypatch.setattr(SqlTurnStore, "record_refused", fail)
    async with met.bot(MESSAGES_PER_MINUTE_PER_PERSON="1"):
        await met.ask("one")
        refused = await met.ask("two")

    assert refused.content.startswith("Please give me a moment: you can ask again in ")


async def test_a_refusal_that_could_not_be_recorded_at_first_is_told_when_it_is_read_again(
    met, monkeypatch
) -> None:
    record, failing = SqlTurnStore.record_refused, [True]

    async def fail_once(store, message):
        if failing:
            failing.clear()
            raise DatabaseUnavailable("it is locked")
        await record(store, message)

    monkeypatch.setattr(SqlTurnStore, "record_refused", fail_once)
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.01)
    met.clock.leap(MINUTE - met.clock.now().second)  # to the beginning of one
    said = await _say(met, 5, minutes_between=0, authors=(met.you,))

    async with met.bot(MESSAGES_PER_MINUTE_PER_PERSON="2"):
        await met.discord.until(lambda: any(REFUSED in each for each in _from_bot(met)))
        await met.ask("now", author=met.ada)

    assert _from_bot(met).count(REFUSED) == 1
    assert met.reply_to(said[2]).content == REFUSED
