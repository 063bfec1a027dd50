"""`--say`: a conversation without a keyboard."""

import asyncio
import io
from pathlib import Path

import pytest

from bot.core.messages import Remembered
from bot.playground.downloads import Downloads
from bot.playground.lines import Say
from bot.playground.loopback import LoopbackDiscord
from bot.playground.play import play
from bot.playground.scene import Scene


@pytest.fixture
def say(loopback, bot, tmp_path):
    """Plays the lines; gives the exit status and what was printed."""

    async def remembers_nothing(*_):
        return Remembered()

    async def say(*lines, stop=None):
        out = io.StringIO()
        status = await play(
            loopback=loopback,
            downloads=tmp_path,
            say=lines,
            model_sentence="A small bot answers.",
            answered=bot.answered,
            recall=remembers_nothing,
            stop=stop or asyncio.Event(),
            out=out,
        )
        return status, out.getvalue()

    return say


async def test_a_third_person_is_the_same_again_when_the_playground_is_started_again(say, loopback):
    await say("@ben hello", "@cleo hello")
    async with LoopbackDiscord() as again:
        scene = Scene(again, Downloads(Path()))
        for name in ("cleo", "ben"):
            await scene.perform(Say(speaker=name, text="hello"))

        assert [again.user(name).id for name in ("ben", "cleo")] == [loopback.user(n).id for n in ("ben", "cleo")]
    assert len({user.id for user in loopback.world.users.values()}) == len(loopback.world.users)


async def test_each_line_is_said_when_the_one_before_is_answered(say):
    status, printed = await say("How is it going?", "Why is the sky blue?")

    assert printed == (
        "you: How is it going?\n"
        "confab: You said: How is it going?\n"
        "you: Why is the sky blue?\n"
        "confab: You said: Why is the sky blue?\n"
    )
    assert status == 0


async def test_an_answer_is_printed_once_and_whole(say, bot):
    bot.reply = lambda _: ["Bec", "Because of", "Because of\nthe air."]

    status, printed = await say("Why?")

    assert printed == "you: Why?\nconfab: Because of\n  the air.\n"
    assert status == 0


async def test_a_failed_answer_shows_its_sentence_and_fails_the_run(say, bot):
    bot.failing = True
    bot.reply = lambda _: ["The language model is busy right now."]

    status, printed = await say("Hello")

    assert "confab: The language model is busy right now.\n" in printed
    assert status == 1


async def test_a_failed_answer_does_not_keep_the_next_line_from_being_said(say, bot):
    bot.failing = True

    _, printed = await say("one", "two")

    assert "confab: You said: two\n" in printed


async def test_a_slash_command_is_used_and_its_answer_printed(say):
    status, printed = await say("/chat Why?", "/chat message:Why not?", "/reset")

    assert printed == (
        "you: /chat Why?\n"
        "confab: You said: Why?\n"
        "you: /chat message:Why not?\n"
        "confab: You said: Why not?\n"
        "you: /reset\n"
        "confab: A new conversation begins.\n"
    )
    assert status == 0


async def test_the_newest_answer_is_asked_about_and_not_what_was_said_of_it(say):
    status, printed = await say("/chat one", "/why", "/why", "two", "/reset", "/why")

    assert [line for line in printed.splitlines() if "Because" in line or "chose" in line] == [
        "you (chose Why this answer?)",
        "confab: Because of 'You said: one'.",
    ] * 2 + ["you (chose Why this answer?)", "confab: Because of 'You said: two'."]
    assert status == 0


async def test_where_there_is_no_answer_nothing_can_be_asked_about(say):
    told = "! There is no answer in #general since this playground was started.\n"
    assert await say("/why") == (1, f"you (chose Why this answer?)\n{told}")


async def test_a_switch_at_either_end_of_the_text_of_a_command_is_set(say, loopback):
    status, _ = await say(
        "/chat private:true Why?",
        "/chat message:Why not? private:True",
        "/chat words private: True",
        "/chat Private : TRUE words",
        "/chat secret:true or not",
        "/chat semi-private: true",
        "/reset private:true",
        "/export what:my-data",
    )

    assert [call.options for call in loopback.interactions] == [
        {"message": "Why?", "private": True},
        {"message": "Why not?", "private": True},
        *[{"message": "words", "private": True}] * 2,
        {"message": "secret:true or not"},
        {"message": "semi-private: true"},
        {"private": True},
        {"what": "my-data"},
    ]
    assert status == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/chat private:maybe my secret", "private: takes true or false."),
        ("/chat private: my secret", "private: takes true or false."),
        ("/chat my secret private:", "private: takes true or false."),
        ("/chat my secret private: yes", "private: takes true or false."),
        ("/chat private:true, my secret", "private: takes true or false."),
        ("/chat private:true my secret private:false", "private: is there twice."),
        ("/chat my private: true secret", "private: belongs before the text or behind it: /chat private: true …"),
        ("/chat message:private:true my secret", "private: belongs before the text or behind it:"),
        ("/export what: my data", "what: takes my-data."),
    ],
)
async def test_a_choice_that_is_unclear_is_refused_before_anybody_sees_the_words(say, loopback, line, told):
    status, printed = await say(line)

    assert f"! {told}" in printed
    assert loopback.interactions == []
    assert status == 1


async def test_a_second_person_speaks_under_her_own_name(say, loopback):
    status, printed = await say("@ada hello")

    assert printed == "ada: hello\nconfab: You said: hello\n"
    assert loopback.messages(loopback.channel("general"))[0].author is loopback.user("ada")
    assert status == 0


async def test_whoever_is_named_speaks_though_nobody_knew_them(say, loopback):
    status, printed = await say("@Ben Hi", "hello @ben", "@everyone hello", "@you hello")

    assert printed.startswith("ben: Hi\nconfab: You said: Hi\nyou: hello @ben\n")
    posted = [each for each in loopback.messages(loopback.channel("general")) if not each.author.bot]
    assert [each.author.name for each in posted] == ["ben", "you", "you", "you"]
    assert posted[1].mentions == (posted[0].author,)
    assert status == 0


async def test_outside_the_chat_channel_only_a_mention_is_waited_for(say, bot, loopback):
    bot.silent = True
    await say("#random", "nobody asked you")
    bot.silent = False

    status, printed = await say("#random", "@confab hello")

    assert printed == "#random\nyou: @confab hello\nconfab: You said: @confab hello\n"
    posted = loopback.messages(loopback.channel("random"))[-2]
    assert posted.content == f"{loopback.bot_user.mention} hello"
    assert status == 0


async def test_the_last_message_is_edited_and_deleted(say, loopback):
    status, printed = await say("hello", "/edit good morning", "/delete")

    assert "you (edited): good morning\nyou (deleted the last message)\n" in printed
    assert [each.author for each in loopback.messages(loopback.channel("general"))] == [loopback.bot_user]
    assert status == 0


async def test_deleting_twice_deletes_the_message_before_the_last_as_well(say, loopback):
    status, _ = await say("one", "two", "three", "/delete", "/delete")

    texts = [each.content for each in loopback.messages(loopback.channel("general")) if each.author.name == "you"]
    assert texts == ["one"]
    assert status == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/frobnicate", "There is no /frobnicate. The bot knows /chat, /export, /reset"),
        ("/chat", "/chat requires message"),
        ("/reset everything", "/reset takes nothing of the kind behind it"),
        ("#nowhere", "There is no #nowhere, only #general and #random"),
        ("@ada", "What should ada say?"),
        ("/edit", "What should it say instead?"),
        ("/delete", "You have posted nothing in #general since this playground was started."),
        ("/stop", "There is no [Stop] in #general just now."),
        ("/again", "There is no [Regenerate] in #general just now."),
        ("x" * 5000, "nobody can send more than 4000 characters"),
    ],
)
async def test_what_cannot_be_done_is_told_and_fails_the_run(say, line, told):
    status, printed = await say(line)

    assert f"! {told}" in printed.replace("! That cannot be sent: ", "! ")
    assert status == 1


async def test_nothing_the_model_says_steers_the_terminal(say, bot):
    bot.reply = lambda _: ["\x1b[2Jgone"]

    _, printed = await say("hello")

    assert "\x1b" not in printed


async def test_small_print_is_printed_without_its_mark(say, bot):
    bot.reply = lambda _: ["Because of the air.\n-# Cut off here."]

    _, printed = await say("Why?")

    assert printed == "you: Why?\nconfab: Because of the air.\n  Cut off here.\n"


async def test_marks_are_printed_as_discord_shows_them(say, bot, loopback):
    soon = int(loopback.clock.now().timestamp()) + 3 * 3600 + 60
    ada, random = loopback.user("ada").mention, loopback.channel("random").mention
    bot.reply = lambda _: [f"{ada}'s budget in {random} resets <t:{soon}:R>. <@123> knows."]

    _, printed = await say("Why?")

    assert printed.endswith("confab: @ada's budget in #random resets in 3 hours. @unknown-user knows.\n")


async def test_a_stop_ends_the_wait_for_an_answer_that_does_not_come(say, bot, loopback):
    bot.silent = True
    stop = asyncio.Event()
    saying = asyncio.create_task(say("hello", stop=stop))
    await loopback.until(lambda: loopback.messages(loopback.channel("general")))

    stop.set()

    assert (await saying)[0] == 1


async def test_an_answer_written_anew_is_waited_for_and_printed(say, bot):
    bot.button = "Regenerate"

    status, printed = await say("Why?", "/again")

    assert printed == (
        "you: Why?\nconfab: You said: Why?\nyou (pressed [Regenerate])\nconfab: You said: pressed\n"
    )
    assert status == 0


async def test_a_refused_press_is_printed_and_fails_the_run(say, bot):
    bot.button, bot.refusal = "Regenerate", "That answer is gone."

    status, printed = await say("Why?", "/again")

    assert printed.endswith("you (pressed [Regenerate])\nconfab: That answer is gone.\n")
    assert status == 1


async def test_quit_ends_the_script(say):
    status, printed = await say("/quit", "hello")

    assert printed == ""
    assert status == 0
