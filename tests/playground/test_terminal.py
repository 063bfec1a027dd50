"""The channel in the terminal, typed into and looked at."""

import asyncio
import io
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from bot.core.errors import StartupRefused
from bot.core.messages import PastTurn, Remembered, Role
from bot.playground.downloads import Downloads
from bot.playground.loopback import Upload
from bot.playground.play import play
from bot.playground.scene import Scene
from bot.playground.terminal import Terminal
from tests.playground.small_bot import small_bot

ENTER = "\r"
COLUMNS = 80  # of prompt_toolkit's DummyOutput, which has 40 rows
NOTHING = Remembered()
CTRL_C, CTRL_D = "\x03", "\x04"
PAGE_UP, PAGE_DOWN = "\x1b[5~", "\x1b[6~"


class Person:
    """Sits at the terminal: types, and sees the screen."""

    def __init__(self, terminal, keyboard):
        self.terminal = terminal
        self._keyboard = keyboard
        self.staying = None
        self._drawn = asyncio.Event()
        terminal._app.after_render += lambda _: self._drawn.set()

    def type(self, line):
        self._keyboard.send_text(line + ENTER)

    def press(self, keys):
        self._keyboard.send_text(keys)

    @property
    def screen(self):
        screen = self.terminal._app.renderer.last_rendered_screen
        if screen is None:
            return ""
        rows = [screen.data_buffer[number] for number in range(screen.height)]
        return "\n".join("".join(row[column].char for column in range(COLUMNS)).rstrip() for row in rows)

    def style_of(self, text):
        """How the row that shows *text* is drawn where it begins."""
        row = next(number for number, line in enumerate(self.screen.splitlines()) if text in line)
        column = self.screen.splitlines()[row].index(text)
        return self.terminal._app.renderer.last_rendered_screen.data_buffer[row][column].style

    async def sees(self, text):
        """Wait until the screen shows it."""
        async with asyncio.timeout(10):
            while text not in self.screen:
                self._drawn.clear()
                await self._drawn.wait()

    async def sees_no_more(self, text):
        async with asyncio.timeout(10):
            while text in self.screen:
                self._drawn.clear()
                await self._drawn.wait()


@pytest.fixture
def sit_down(loopback, tmp_path):
    @asynccontextmanager
    async def sit_down(*, remembered=NOTHING):
        async def recall(_, newest):
            return replace(remembered, newest=remembered.newest[-newest:])

        with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
            scene = Scene(loopback, Downloads(tmp_path))
            terminal = Terminal(scene, model_sentence="A small bot answers.", recall=recall)
            person = Person(terminal, keyboard)
            person.staying = asyncio.create_task(terminal.run())
            try:
                yield person
            finally:
                person.staying.cancel()
                await asyncio.gather(person.staying, return_exceptions=True)

    return sit_down


@pytest.fixture
async def person(sit_down, bot):
    async with sit_down() as person:
        yield person


async def test_it_says_who_answers_and_how_to_begin(person):
    await person.sees("A small bot answers.")
    await person.sees("/help tells what else there is")


async def test_the_button_below_an_answer_is_shown_and_can_be_pressed(person, bot):
    bot.button = "Stop"
    person.type("Why?")
    await person.sees("  You said: Why?\n  [Stop]")
    bot.button = None

    person.type("/stop")

    await person.sees("  You said: pressed (edited)")
    assert "[Stop]" not in person.screen


async def test_a_line_is_posted_and_its_answer_shown(person):
    person.type("How is it going?")

    await person.sees("  How is it going?")
    await person.sees("  You said: How is it going?")


async def test_an_answer_grows_in_its_place(person, bot):
    grown = asyncio.Event()

    def reply(_):
        yield "Because of"
        yield "Because of the air."
        grown.set()

    bot.reply = reply
    person.type("Why?")

    await person.sees("  Because of the air. (edited)")
    assert grown.is_set()
    assert person.screen.count("Because of") == 1


async def test_small_print_and_files_are_dim(person, loopback, tmp_path):
    upload = Upload(filename="answer.md", data=bytes(12_345))
    text = "The beginning.\n-# The whole is attached."
    await loopback.post(loopback.channel("general"), loopback.user("ada"), text, attachments=[upload])

    await person.sees("  [file answer.md, 12 kB:")
    await person.sees("  The whole is attached.")
    assert "-#" not in person.screen
    assert "about" in person.style_of("The whole is attached.")
    assert "about" in person.style_of("[file")
    assert "about" not in person.style_of("The beginning.")
    assert (tmp_path / "answer.md").read_bytes() == bytes(12_345)


async def test_typing_shows_until_the_words_come(person, bot, loopback):
    bot.silent = True
    await loopback.post(loopback.channel("general"), loopback.user("you"), "quiet")
    await bot._ask("POST", f"/channels/{loopback.channel('general').id}/typing")
    await person.sees("confab is typing…")

    await bot._ask("POST", f"/channels/{loopback.channel('general').id}/messages", {"content": "There."})

    await person.sees("  There.")
    await person.sees_no_more("is typing")


async def test_one_may_type_before_the_bot_is_there(sit_down, loopback):
    async with sit_down() as person:
        await person.sees("The bot is connecting…")
        person.type("hello")
        async with small_bot(loopback):
            await person.sees("  You said: hello")


async def test_what_the_bot_remembers_is_told_on_the_first_look_at_a_channel(sit_down, bot):
    said = [PastTurn(Role.USER, f"Question {n}?\n\x1bIt is long.", "Ada") for n in range(5)]
    remembered = Remembered(turns=6, newest=(*said, PastTurn(Role.ASSISTANT, "word " * 100)))

    async with sit_down(remembered=remembered) as person:
        await person.sees("The bot remembers 6 earlier messages of #general, most recently:")
        await person.sees("Ada: Question 4? �It is long.")
        await person.sees("confab: word word")
        assert "about" in person.style_of("Ada: Question 2?")
        assert "Question 1?" not in person.screen
        assert person.screen.count("word") < 50
        person.type("#random")
        await person.sees("The bot remembers 6 earlier messages of #random, most recently:")


async def test_another_channel_has_its_own_transcript_and_news_from_the_first_is_counted(person, loopback):
    person.type("hello")
    await person.sees("  You said: hello")

    person.type("#random")
    await person.sees("#random >")
    await person.sees_no_more("You said")
    await loopback.post(loopback.channel("general"), loopback.user("ada"), "anybody here?")

    await person.sees("#general (2 new)")
    person.type("#general")
    await person.sees("  anybody here?")
    await person.sees_no_more("new)")


async def test_a_second_person_a_command_and_its_asker_are_shown(person):
    person.type("@ada hello")
    await person.sees("  You said: hello")
    person.type("/chat Why?")

    await person.sees("┌ you used /chat")
    await person.sees("  You said: Why?")
    assert "\nada  " in person.screen


async def test_edits_and_deletions_are_shown(person):
    person.type("hello")
    await person.sees("  You said: hello")
    person.type("/edit good morning")
    await person.sees("  good morning (edited)")

    person.type("/delete")

    await person.sees("  (deleted)")
    await person.sees_no_more("good morning")


async def test_a_reply_shows_what_it_answers(person, loopback):
    channel, you, ada = loopback.channel("random"), loopback.user("you"), loopback.user("ada")
    person.type("#random")
    question = await loopback.post(channel, you, "Who is there?")

    await loopback.post(channel, ada, "Me.", reply_to=question)

    await person.sees("┌ you: Who is there?")
    await person.sees("  Me.")


async def test_what_cannot_be_done_is_told(person):
    person.type("/frobnicate")

    await person.sees("There is no /frobnicate.")


async def test_help_lists_the_commands(person):
    person.type("/help")

    await person.sees("/delete          delete your last message here")


async def test_one_scrolls_back_and_returns_by_typing(person, loopback):
    for number in range(60):
        await loopback.post(loopback.channel("general"), loopback.user("ada"), f"message {number}.")
    await person.sees("  You said: message 59.")

    person.press(PAGE_UP)
    await person.sees_no_more("You said: message 59.")
    await person.sees("There is more below: Page Down")
    person.press(PAGE_DOWN)
    await person.sees("  You said: message 59.")
    person.press(PAGE_UP * 50)
    await person.sees("A small bot answers.")
    person.type("back again")

    await person.sees("  You said: back again")


@pytest.mark.parametrize("leave", ["/quit" + ENTER, CTRL_C, CTRL_D, "half a line" + CTRL_C])
async def test_every_way_out_leads_out(sit_down, bot, leave):
    async with sit_down() as person:
        await person.sees("A small bot answers.")

        person.press(leave)

        async with asyncio.timeout(10):
            assert await person.staying == 0


class Tty(io.StringIO):
    def isatty(self):
        return True


async def test_a_stop_leaves_the_terminal_and_says_goodbye(loopback, bot, monkeypatch, tmp_path):
    async def remembers_nothing(*_):
        return Remembered()

    monkeypatch.setattr("sys.stdin", Tty())
    monkeypatch.setattr("sys.stdout", Tty())
    stop, err = asyncio.Event(), io.StringIO()
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        playing = asyncio.create_task(
            play(
                loopback=loopback,
                downloads=tmp_path,
                say=None,
                model_sentence="A small bot answers.",
                answered=bot.answered,
                recall=remembers_nothing,
                stop=stop,
                err=err,
            )
        )
        keyboard.send_text("hello" + ENTER)
        await loopback.until(lambda: len(loopback.messages(loopback.channel("general"))) == 2)

        stop.set()

        assert await playing == 0
    assert "The bot remembers" in err.getvalue()


async def test_without_a_terminal_the_other_way_is_named(loopback, monkeypatch, tmp_path):
    async def nobody(*_):
        raise AssertionError("nobody is asked")

    monkeypatch.setattr("sys.stdin", io.StringIO())

    with pytest.raises(StartupRefused, match="--say"):
        await play(
            loopback=loopback,
            downloads=tmp_path,
            say=None,
            model_sentence="",
            answered=nobody,
            recall=nobody,
            stop=asyncio.Event(),
        )
