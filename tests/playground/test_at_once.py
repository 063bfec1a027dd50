"""`--say … --at-once`: several people talk at the same time."""

import asyncio
import io

import pytest

from bot.core.messages import Remembered
from bot.playground.at_once import act_at_once
from bot.playground.downloads import Downloads
from bot.playground.loopback import LoopbackDiscord, Upload
from bot.playground.loopback.interactions import SECONDS_TO_ACKNOWLEDGE
from bot.playground.play import play
from bot.playground.scene import Scene
from tests.clock import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def loopback(clock):
    async with LoopbackDiscord(clock=clock, rate_limits=False) as loopback:
        yield loopback


@pytest.fixture
def say(loopback, bot, tmp_path):
    """Plays the lines; gives whether all went well and the printed lines."""

    async def say(*lines):
        out = io.StringIO()
        went_well = await act_at_once(
            Scene(loopback, Downloads(tmp_path)), lines, answered=bot.answered, monotonic=lambda: 7.0, out=out
        )
        return went_well, out.getvalue().splitlines()

    return say


async def test_all_is_said_before_anything_is_answered(loopback, bot, tmp_path):
    async def remembers_nothing(*_):
        return Remembered()

    bot.silent = True
    stop = asyncio.Event()
    playing = asyncio.create_task(
        play(
            loopback=loopback,
            downloads=tmp_path,
            say=["one", "@ada two", "@ben three"],
            at_once=True,
            model_sentence="A small bot answers.",
            answered=bot.answered,
            recall=remembers_nothing,
            stop=stop,
            out=io.StringIO(),
        )
    )

    await loopback.until(lambda: len(loopback.messages(loopback.channel("general"))) == 3)

    stop.set()
    assert await playing == 1
    assert [each.author.name for each in loopback.messages(loopback.channel("general"))] == ["you", "ada", "ben"]


async def test_what_happens_is_printed_with_its_time_and_in_the_end_what_stands(say, bot):
    bot.reply = lambda text: [f"{text} {'x' * 60}", f"{text} {'y' * 60}\n-# Cut off."]

    went_well, printed = await say("@ada hello", "@ben Hi!")

    film, _, result = "\n".join(printed).partition("\n\n")
    assert sorted(film.splitlines()) == sorted(
        [
            "   0.0 s  ada: hello",
            "   0.0 s  ben: Hi!",
            "   0.0 s  confab (typing)",
            f"   0.0 s  confab: hello {'x' * 54}…",
            f"   0.0 s  confab (edited): …{'y' * 42} Cut off.",
            "   0.0 s  confab (typing)",
            f"   0.0 s  confab: Hi! {'x' * 56}…",
            f"   0.0 s  confab (edited): …{'y' * 42} Cut off.",
        ]
    )
    assert result.splitlines() == [
        "#general",
        "ada: hello",
        "ben: Hi!",
        f"confab: hello {'y' * 60}",
        "  Cut off.",
        f"confab: Hi! {'y' * 60}",
        "  Cut off.",
    ]
    assert went_well


async def test_every_line_of_what_happens_fits_into_a_terminal(say, bot):
    bot.reply = lambda text: [f"{text} {'x' * 90}", f"{text} {'y' * 90}"]

    _, printed = await say("#random", f"@ada @confab {'hello ' * 20}")

    assert max(map(len, printed[: printed.index("")])) == 79


async def test_an_answer_names_whom_it_answers_and_where_its_file_is(say, loopback, tmp_path):
    channel = loopback.channel("random")
    question = await loopback.post(channel, loopback.user("ada"), "Hello?")
    upload = Upload(filename="answer.md", data=b"all")
    await loopback.post(channel, loopback.bot_user, "Hello.", reply_to=question, attachments=[upload])

    _, printed = await say("#random", "@confab hello", "/chat Why?")

    assert "confab to ada: Hello." in printed
    assert f"  [file answer.md, 3 B: {tmp_path}/answer.md]" in printed
    assert "   0.0 s  #random confab to you (thinking…)" in printed


async def test_other_channels_are_named(say):
    _, printed = await say("@confab hello", "#random", "@confab and here")

    assert "   0.0 s  confab: You said: @confab hello" in printed
    assert "   0.0 s  #random confab: You said: @confab and here" in printed
    assert [line for line in printed if line.startswith("#")] == ["#general", "#random"]


async def test_a_failed_answer_fails_the_run(say, bot):
    bot.failing = True

    assert not (await say("hello", "@ada hello"))[0]


async def test_what_cannot_be_done_is_told_and_fails_the_run(say):
    went_well, printed = await say("/frobnicate", "hello")

    assert any("! There is no /frobnicate." in line for line in printed)
    assert any("You said: hello" in line for line in printed)
    assert not went_well


async def test_a_command_that_nobody_takes_is_told(say, bot, loopback, clock):
    bot.silent = True
    saying = asyncio.create_task(say("/reset"))
    await loopback.until(lambda: loopback.interactions)

    await clock.advance(SECONDS_TO_ACKNOWLEDGE + 0.1)

    went_well, printed = await saying
    assert any("! The bot did not answer /reset." in line for line in printed)
    assert not went_well
