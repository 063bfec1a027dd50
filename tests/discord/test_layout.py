"""What the messages of an answer show: all of it, or its beginning and a file."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.discord.fences import find_fences
from bot.discord.layout import FILE_NAME, GOES_ON, IN_FILE, LONGEST_ANSWER_PARTS, drafted, finished, in_parts
from bot.discord.split import PART_UNITS, units

WORDS = " ".join(f"Sentence number {n} says something." for n in range(400))
SHOWN = 4 * PART_UNITS
HEAD = "> Why?\n"
BELOW = "\n-# My answer was cut off here."

pieces = st.sampled_from(
    ["word ", "\n\n", "```py\n", "\n```\n", "> quoted ", "😀", "ein Satz. ", "x" * 90, "    "]
)
units_of_text = st.lists(pieces, min_size=1, max_size=12).map("".join)
texts = units_of_text.map(lambda unit: unit * (12_000 // len(unit)))


def stand(shown, *, head="", below="", bounded=True):
    return finished(shown, head=head, below=below, bounded=bounded)


def test_an_answer_of_so_many_parts_is_shown_whole():
    text = WORDS[:SHOWN].rsplit(" ", 9)[0]

    assert len(in_parts(text)) == LONGEST_ANSWER_PARTS
    assert stand(text) == drafted(text, bounded=True) == in_parts(text)


def test_a_longer_one_shows_its_beginning_and_brings_the_whole_as_a_file():
    contents = stand(f"{HEAD}{WORDS}", head=HEAD)

    assert [content.file is None for content in contents] == [True, True, True, False]
    assert contents[-1].file.name == FILE_NAME
    assert contents[-1].file.text == WORDS
    assert contents[0].text.startswith(HEAD)
    assert contents[-1].text.endswith(IN_FILE)


def test_the_lines_below_an_answer_are_shown_although_its_end_is_not():
    contents = stand(f"{WORDS}{BELOW}", below=BELOW)

    assert contents[-1].text.endswith(IN_FILE + BELOW)


def test_lines_below_that_would_fill_a_message_are_in_the_file_alone():
    below = f"\n-# {'I could not read this. ' * 80}"
    contents = stand(f"{WORDS}{below}", below=below)

    assert contents[-1].text.endswith(IN_FILE)
    assert contents[-1].file.text.endswith(below)


def test_where_no_file_may_come_along_all_is_shown():
    assert stand(WORDS, bounded=False) == drafted(WORDS, bounded=False) == in_parts(WORDS)


def test_a_draft_that_reached_the_bound_says_so_and_grows_no_more():
    drafts = {tuple(drafted(WORDS[:length], bounded=True)) for length in range(9_000, 12_000, 500)}

    (draft,) = drafts
    assert len(draft) == LONGEST_ANSWER_PARTS
    assert draft[-1].text.endswith(GOES_ON)


@settings(deadline=None)
@given(texts)
def test_every_message_is_short_enough_and_the_shown_is_the_beginning(text):
    contents = stand(text, below=BELOW)

    assert all(0 < units(content.text) <= PART_UNITS for content in contents)
    assert len(contents) <= LONGEST_ANSWER_PARTS
    if contents and contents[-1].file is not None:
        whole = in_parts(text)
        assert contents[:-1] == whole[: LONGEST_ANSWER_PARTS - 1]
        beginning = contents[-1].text.removesuffix(IN_FILE + BELOW)
        assert whole[LONGEST_ANSWER_PARTS - 1].text.startswith(beginning.removesuffix("```").rstrip("\n"))
        assert all(fence.closed for fence in find_fences(beginning))
