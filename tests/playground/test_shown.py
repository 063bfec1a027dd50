"""A message as its lines."""

import pytest

from bot.playground.downloads import Downloads
from bot.playground.loopback import Upload
from bot.playground.loopback.world import Attachment
from bot.playground.shown import file_lines, shown_lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [("", False)]),
        ("Hello\n-# small\n there", [("Hello", False), ("small", True), (" there", False)]),
        ("a -# b", [("a -# b", False)]),
        ("```\n-# code\n```\n-# small", [("```", False), ("-# code", False), ("```", False), ("small", True)]),
        ("```in one```\n-# small", [("```in one```", False), ("small", True)]),
    ],
)
def test_small_print_is_told_apart_outside_of_code(text, lines):
    assert list(shown_lines(text)) == lines


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345, "12 kB"), (3_400_000, "3 MB")]
)
def test_a_file_is_shown_by_name_size_and_path(size, shown, tmp_path):
    attachment = Attachment(id=1, channel_id=2, upload=Upload(filename="answer.md", data=bytes(size)))

    lines = file_lines([attachment], Downloads(tmp_path))

    assert lines == [(f"[file answer.md, {shown}: {tmp_path}/answer.md]", True)]
