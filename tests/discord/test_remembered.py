"""What /history shows: one message, in which nothing of the summary does anything."""

import pytest

from bot.core.archive import Memory
from bot.core.completions import Past
from bot.core.tokens import CUT
from bot.discord.remembered import MADE_ANEW, NOTHING, remembered_words
from bot.discord.split import units


def words(sent=12, summarised=0, left_out=0, summary=None):
    past = Past(turns_sent=sent, turns_summarised=summarised, turns_left_out=left_out)
    return remembered_words(Memory(past=past, tokens=2_310, most_tokens=8_000, summary=summary))


def test_it_says_how_much_is_remembered_and_how():
    assert words(summarised=30, left_out=1_045, summary="They spoke of zebras.\nThen of tapirs.") == (
        "**What I remember of this conversation**\n"
        "Word for word: 12 messages\n"
        "In a summary: 30 earlier messages\n"
        "Left out: 1,045 earlier messages\n"
        "That is about 2,310 of the 8,000 tokens that I read for an answer.\n"
        ">>> They spoke of zebras.\nThen of tapirs."
    )


def test_what_there_is_not_has_no_line():
    said = words(sent=1)

    assert "Word for word: 1 message\n" in said
    assert "summary" not in said
    assert "Left out" not in said


@pytest.mark.parametrize(
    "memory", [Memory(), Memory(past=Past(turns_sent=0, turns_summarised=0, turns_left_out=0))]
)
def test_where_nothing_is_remembered_that_is_said(memory):
    assert remembered_words(memory) == NOTHING


def test_a_summary_that_is_made_anew_is_said_to_be():
    assert words(left_out=4, summary="").endswith(f"\n{MADE_ANEW}")
    assert MADE_ANEW not in words(left_out=0, summary="")
    assert MADE_ANEW not in words(left_out=4)


def test_nothing_in_a_summary_is_markup():
    said = words(summarised=2, summary="@everyone <@5> **a** [b](http://c) `d` <t:5:R> # e\u202e")

    assert said.endswith(
        ">>> \\@everyone \\<\\@5\\> \\*\\*a\\*\\* \\[b\\]\\(http\\://c\\) \\`d\\` \\<t\\:5\\:R\\> \\# e"
    )


@pytest.mark.parametrize(
    "piece", ["word ", "*", "\N{GRINNING FACE}", "~~~\n", "```\n", "\u6c34", "https://example.com/"]
)
def test_a_long_summary_is_cut_to_one_message(piece):
    said = words(summarised=2_000_000, left_out=2_000_000, summary=piece * 3_000)

    assert said.endswith(CUT)
    assert 1_500 < units(said) <= 2_000
    assert said.startswith("**What I remember")
