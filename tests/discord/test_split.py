import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.discord.fences import find_fences
from bot.discord.split import PART_UNITS, split, units

LIMIT = 300
FAMILY = "👩‍👩‍👧‍👦"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
WHOLES = [
    "<@123456789012345678>",
    "<@!123456789012345678>",
    "<@&123456789012345678>",
    "<#123456789012345678>",
    "<:party_blob:123456789012345678>",
    "<a:dance:123456789012345678>",
    "<t:1700000000:R>",
    "</chat new:123456789012345678>",
    "[a few words](http://example.org/a_(b)?q=1&r=2)",
    "https://example.org/some/rather/long/path?with=query",
    "<https://example.org/hidden>",
    "`inline code`",
]
CHARACTERS = [
    FAMILY,
    SCOTLAND,
    "🇩🇪",
    "👍🏽",
    "❤️‍🔥",
    "1️⃣",
    "e\u0301",
    "क्षि",
    "한",
    "\u1112\u1161\u11ab",
    "\U0001d518",
]
NASTY = [
    "\u0645\u06cc\u200c\u0634\u0648\u062f",
    *WHOLES,
    *CHARACTERS,
    *[
        "```",
        "```py",
        "```\n",
        "\n```py\n",
        "~~~",
        "~~~sh\n",
        "````md\n",
        "````\n",
        "  ```js\n",
        "- ```\n",
        "> ```\n",
    ],
    *[
        "> a quote ",
        "\n> ",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        " ",
        "   ",
        "\t",
        "\u200b",
        "\xa0",
        "\u2028",
        "\ufeff",
        "\x00",
    ],
    *[
        "word",
        "Another sentence. ",
        "1. ",
        "`",
        "``",
        "**bold**",
        "||spoiler||",
        "\\",
        "[",
        "](",
        ")",
        "<@",
        "<",
        "http://",
    ],
    *["a" * 70, "漢字。", "\ud83d", "\ude00", "\u0301", "\u200d", "🏴", "🇫"],
]
nasty_texts = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=12)), max_size=120).map("".join)
documents = st.lists(
    st.one_of(
        st.sampled_from(WHOLES).map(lambda whole: f"See {whole}, and {whole}.\n"),
        st.integers(1, 60).map(lambda n: "Some plain words. " * n + "\n\n"),
        st.tuples(st.sampled_from(["", "py", "c++"]), st.integers(1, 40)).map(
            lambda block: f"```{block[0]}\n" + "    value = call(1)\n\n" * block[1] + "```\n"
        ),
    ),
    max_size=8,
).map("".join)


def contents(text, limit=LIMIT):
    return [part.content for part in split(text, limit).parts]


def join(parted):
    """The text that was split."""
    return parted.dropped + "".join(part.body + part.dropped for part in parted.parts)


def every_fence_is_closed(content):
    return all(fence.closed for fence in find_fences(content))


@settings(deadline=None, max_examples=250)
@given(st.one_of(nasty_texts, documents), st.sampled_from([LIMIT, 400, PART_UNITS]))
def test_undoing_what_a_split_added_and_dropped_gives_the_text_back(text, limit):
    parted = split(text, limit)

    assert join(parted) == text
    assert bool(parted.parts) == bool(text.strip().strip("\u200b\ufeff" + " \n\r\t"))


@settings(deadline=None, max_examples=250)
@given(st.one_of(nasty_texts, documents))
def test_every_part_is_short_enough_and_begins_and_ends_with_something_to_see(text):
    for content in contents(text):
        assert len(content.encode("utf-16-le", "surrogatepass")) <= 2 * LIMIT
        assert content
        assert content == content.strip()


@settings(deadline=None, max_examples=250)
@given(st.one_of(nasty_texts, documents))
def test_every_part_closes_the_code_blocks_that_it_opens(text):
    for content in contents(text):
        assert every_fence_is_closed(content)


@settings(deadline=None, max_examples=250)
@given(documents)
def test_parts_of_a_tidy_answer_have_paired_fences_and_no_empty_code_block(text):
    for content in contents(text):
        assert content.count("```") % 2 == 0
        assert all(code.strip() for code in re.findall(r"```[\w+]*\n(.*?)```", content, re.DOTALL))


@settings(deadline=None, max_examples=250)
@given(st.one_of(nasty_texts, documents), st.data())
def test_as_an_answer_grows_only_its_last_two_parts_change(text, data):
    prefix = text[: data.draw(st.integers(0, len(text)))]

    so_far = split(prefix, LIMIT).parts[:-2]

    assert split(text, LIMIT).parts[: len(so_far)] == so_far


@settings(deadline=None, max_examples=250)
@given(
    st.lists(st.sampled_from([*WHOLES, *CHARACTERS, "word", "漢"]), max_size=120), st.sampled_from(["", " ", ", "])
)
def test_mentions_links_emoji_and_characters_are_never_cut(tokens, glue):
    tokens = [token for token in tokens if glue or token[0] not in "h`"]  # these two need something between them
    parts = contents(glue.join(tokens).strip())

    for token in {*tokens} - {"word", "漢"}:
        assert sum(part.count(token) for part in parts) == glue.join(tokens).count(token)
    assert not any(unicodedata.combining(part[0]) or part[0] in "\u200d\ufe0f" for part in parts)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 290).map(lambda n: "x" * n), min_size=1, max_size=30))
def test_words_that_fit_into_a_part_are_never_cut(words):
    assert " ".join(contents(" ".join(words))).split() == words


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t \r\n", "\u200b", "\u2003\xa0\ufeff"])
def test_nothing_to_see_gives_no_part(text):
    parted = split(text)

    assert parted.parts == ()
    assert join(parted) == text


def test_a_short_answer_is_one_part_as_it_stands():
    assert contents("All good, how may I help you?") == ["All good, how may I help you?"]


def test_a_part_that_is_full_to_the_last_unit_is_not_cut():
    assert contents("😀" * (PART_UNITS // 2), PART_UNITS) == ["😀" * (PART_UNITS // 2)]


def test_a_paragraph_is_a_better_place_than_a_line_a_sentence_or_a_space():
    start = "w " * 120

    assert contents(f"{start}end\n\nthen\nthere. A " + "word " * 30)[0] == f"{start}end"
    assert contents(f"{start}end\nthen there. A " + "word " * 30)[0] == f"{start}end"
    assert contents(f"{start}end. A " + "word " * 30)[0] == f"{start}end."


def test_a_place_near_the_full_part_is_preferred_to_a_paragraph_far_before_it():
    parts = contents("Title\n\n" + "word " * 100)

    assert len(parts[0]) > LIMIT - 6


def test_a_cut_is_not_made_behind_the_number_of_a_list_item():
    text = "w " * 120 + "\n1. " + "word " * 40

    assert contents(text)[1].startswith("1. word")


def test_chinese_and_japanese_are_cut_behind_a_full_stop():
    parts = contents("日本語の文章です。" * 60)

    assert all(part.endswith("。") for part in parts)


def test_a_word_longer_than_a_part_is_cut_between_characters():
    parts = contents(FAMILY * 60)

    assert len(parts) > 1
    assert all(len(part) % len(FAMILY) == 0 for part in parts)


def test_an_address_longer_than_a_part_is_cut_as_a_last_resort():
    address = "https://example.org/" + "a" * 700

    parts = contents(f"See {address} there")

    assert parts[0] == "See"
    assert "".join(parts[1:]) == f"{address} there"


def test_a_code_block_open_at_a_cut_is_closed_and_reopened_with_its_language():
    text = "Look:\n```python\n" + "print('hello')\n" * 40 + "```\nDone."

    parts = split(text, LIMIT).parts

    assert all(part.content.endswith("\n```") for part in parts[:-1])
    assert all(part.content.startswith("```python\nprint") for part in parts[1:])
    assert all(part.closed == "\n```" for part in parts[:-1])
    assert all(part.opened == "```python\n" for part in parts[1:])
    assert parts[-1].content.endswith("```\nDone.")


def test_a_longer_fence_keeps_its_length_and_what_is_nested_in_it():
    text = "````md\n" + "```py\nx = 1\n```\n" * 40 + "````"

    parts = contents(text)

    assert all(part.startswith("````md\n") for part in parts)
    assert all(part.endswith("\n````") for part in parts)


def test_tildes_are_fences_too():
    parts = contents("~~~sh\n" + "ls -l\n" * 80 + "~~~")

    assert all(part.startswith("~~~sh\nls") and part.endswith("ls -l\n~~~") for part in parts)


def test_an_indented_fence_is_closed_with_its_indent_and_code_keeps_its_own():
    text = "1. Do:\n   ```py\n" + "   if x:\n       y = 1\n" * 30 + "   ```\n2. Done"

    parts = contents(text)

    assert len(parts) > 1
    assert all(part.endswith("\n   ```") for part in parts[:-1])
    assert all(re.match(r"```py\n   (if|    y)", part) for part in parts[1:])


def test_a_code_block_in_a_quote_stays_in_it():
    text = "> ```py\n" + "> x = 1\n" * 60 + "> ```"

    parts = contents(text)

    assert len(parts) > 1
    assert all(line.startswith(">") for part in parts for line in part.splitlines())
    assert all(part.startswith("> ```py\n> x") and part.endswith("\n> ```") for part in parts)


def test_a_quoted_line_goes_on_as_a_quote():
    parts = split("> " + "words and words " * 60, LIMIT).parts

    assert len(parts) > 2
    assert all(part.content.startswith("> words") or part.content.startswith("> and") for part in parts)


def test_a_block_opened_behind_words_and_closed_behind_code_is_followed():
    text = "Try this: ```py\n" + "print(1)\n" * 60 + "print(2)``` and see."

    parts = contents(text)

    assert all(part.count("```") == 2 for part in parts)
    assert parts[-1].endswith("print(2)``` and see.")


def test_a_long_block_on_one_line_is_reopened_too():
    parts = contents("```" + "some words " * 60 + "```")

    assert len(parts) > 2
    assert all(part.startswith("```") and part.endswith("```") and part.count("```") == 2 for part in parts)


def test_a_cut_before_the_closing_line_closes_the_block_there_and_leaves_no_empty_one():
    code = "x" * (LIMIT - 8)  # with both fences exactly a part; no room for what follows
    text = f"```\n{code}\n\n```\n" + "after " * 10

    parted = split(text, LIMIT)

    assert [part.content for part in parted.parts] == [f"```\n{code}\n```", ("after " * 10).strip()]
    assert parted.parts[0].dropped == "\n\n```\n"
    assert join(parted) == text


def test_a_block_opened_at_a_parts_end_moves_to_the_next_part_with_its_opening_line():
    parts = contents("w" * (LIMIT - 12) + "\n```python\n" + "x = 1\n" * 10 + "```")

    assert parts[0] == "w" * (LIMIT - 12)
    assert parts[1].startswith("```python\nx = 1")


def test_a_cut_never_makes_a_fence_of_backticks_that_were_none():
    text = "w " * 143 + "put ``` around " + "it " * 30

    assert all(every_fence_is_closed(content) for content in contents(text))


@pytest.mark.parametrize(
    ("draft", "shown"),
    [
        ("Look:\n```py\nprint(1)", "Look:\n```py\nprint(1)\n```"),
        ("Look:\n```py\nprint(1)\n", "Look:\n```py\nprint(1)\n```"),
        ("Look:\n```py\nprint(1)\n``", "Look:\n```py\nprint(1)\n```"),
        ("Look:\n```py\nprint(1)\n```", "Look:\n```py\nprint(1)\n```"),
        ("Look:\n```py\n", "Look:"),
        ("Look:\n```", "Look:"),
        ("Look: [here](https://exam", "Look: [here](https://exam"),
    ],
)
def test_a_draft_is_shown_with_its_code_block_closed(draft, shown):
    parted = split(draft)

    assert [part.content for part in parted.parts] == [shown]
    assert join(parted) == draft


def test_a_text_that_is_only_an_opening_line_is_shown_all_the_same():
    assert contents("```py") == ["```py\n```"]


def test_lengths_are_counted_in_utf_16_units():
    assert [units(text) for text in ("abc", "é", "漢", "😀", "\ud83d")] == [3, 1, 1, 2, 1]


def test_a_limit_without_room_for_fences_is_refused():
    with pytest.raises(ValueError, match="at least 300"):
        split("text", 100)
