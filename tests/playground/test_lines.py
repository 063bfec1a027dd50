"""What a typed line asks for."""

import pytest

from bot.playground.lines import Call, Choose, Delete, Edit, Help, Press, Quit, Say, Switch, read_line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", None),
        ("   ", None),
        ("How is it going?", Say(text="How is it going?")),
        ("  spaces around  ", Say(text="spaces around")),
        ("two\nlines", Say(text="two\nlines")),
        ("@ada hello", Say(speaker="ada", text="hello")),
        ("@Ada hello\nyou", Say(speaker="ada", text="hello\nyou")),
        ("@ada", Say(speaker="ada", text="")),
        ("@Ben hello", Say(speaker="ben", text="hello")),
        ("@ada @confab hello", Say(speaker="ada", text="@confab hello")),
        ("@confab hello", Say(text="@confab hello")),
        ("hello @ada", Say(text="hello @ada")),
        ("#random", Switch(channel="random")),
        ("#random is quiet", Say(text="#random is quiet")),
        ("/chat Why is the sky blue?", Call(command="chat", text="Why is the sky blue?")),
        ("/reset", Call(command="reset", text="")),
        ("/edit new text", Edit(text="new text")),
        ("/delete", Delete()),
        ("/stop", Press(label="Stop")),
        ("/again", Press(label="Regenerate")),
        ("/press Forget it", Press(label="Forget it")),
        ("/why", Choose(command="Why this answer?")),
        ("/help", Help()),
        ("/quit", Quit()),
        ("/exit", Quit()),
        ("/usr/bin/env", Say(text="/usr/bin/env")),
    ],
)
def test_a_line_asks_for_one_thing(line, expected):
    assert read_line(line, addressed={"confab"}) == expected
