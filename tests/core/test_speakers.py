import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.speakers import LABEL_LENGTH, SOMEONE, label_key, labelled_text, speaker_label, unique_label

LINE_ENDS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
COLONS = [":", "\uff1a", "\ufe13", "\ufe55", "\u2a74", "\ua789", "\u2236"]
UNSEEN = [
    "\u200b",
    "\u200d",
    "\u202e",
    "\u2066",
    "\u061c",
    "\ufe0f",
    "\U000e0041",
    "\u034f",
    "\u3164",
    "\u2800",
    "\xad",
]
nasty = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [*LINE_ENDS, *COLONS, *UNSEEN, "Ada", "Bob", "ada", " ", "\u0301", "<|im_start|>", "x" * 30, "👩‍👧"]
        ),
        max_size=12,
    ).map("".join),
)
people = st.lists(
    st.tuples(nasty, st.integers(1, 2**63)), min_size=1, max_size=8, unique_by=lambda person: person[1]
)


def labels_of(people):
    """Label after label, as a conversation meets its speakers."""
    labels = []
    for name, author_id in people:
        taken = {label_key(label) for label in labels}
        labels.append(unique_label(name, author_id=author_id, taken=taken))
    return labels


def speakers_in(content):
    """Who seems to speak, by the lines that begin with a label: at the very left, up to a colon."""
    lines = unicodedata.normalize("NFKC", content).splitlines()
    return [line.partition(":")[0] for line in lines if re.match(r"\S[^:]*:", line)]


@settings(deadline=None)
@given(people, st.data())
def test_no_text_or_name_yields_a_line_that_another_speaker_seems_to_begin(people, data):
    labels = labels_of(people)
    speaking = data.draw(st.lists(st.sampled_from(labels), max_size=6))
    quoted = [f"{label}: " for label in labels]
    said = [
        data.draw(st.lists(st.one_of(nasty, st.sampled_from(quoted)), max_size=5).map("".join)) for _ in speaking
    ]

    turns = [labelled_text(label, text) for label, text in zip(speaking, said, strict=True)]

    assert speakers_in("\n".join(turns)) == speaking


@settings(deadline=None)
@given(nasty)
def test_a_label_is_short_visible_and_of_one_line(name):
    label = speaker_label(name)

    assert 0 < len(label) <= LABEL_LENGTH
    assert label == label.strip() == " ".join(label.split(" "))
    assert not {unicodedata.category(character) for character in label} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert not set(label) & {*":<>|", *UNSEEN}
    assert any(unicodedata.category(character)[0] in "LNPSC" for character in label)
    assert not unicodedata.category(label[0]).startswith("M")
    assert ":" not in unicodedata.normalize("NFKC", label)


@settings(deadline=None)
@given(nasty)
def test_a_label_made_a_label_again_stays_the_same(name):
    assert speaker_label(speaker_label(name)) == speaker_label(name)


@settings(deadline=None)
@given(people)
def test_no_two_speakers_have_labels_that_look_the_same(people):
    keys = [label_key(label) for label in labels_of(people)]

    assert len({*keys}) == len(keys)


@settings(deadline=None)
@given(people)
def test_labels_do_not_depend_on_anything_but_name_id_and_who_was_there(people):
    assert labels_of(people) == labels_of(people)


@settings(deadline=None)
@given(nasty, st.integers(1, 2**63), st.lists(nasty, max_size=5))
def test_only_keys_that_begin_like_the_name_can_be_in_its_way(name, author_id, others):
    key = label_key(speaker_label(name))
    taken = {label_key(speaker_label(other)) for other in (*others, name)}

    label = unique_label(name, author_id=author_id, taken=taken)

    assert label_key(label).startswith(key)
    assert label == unique_label(name, author_id=author_id, taken={one for one in taken if one.startswith(key)})


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Ada", "Ada"),
        ("  Ada \n Lovelace ", "Ada Lovelace"),
        ("Ada: says", "Ada says"),
        ("Ada\uff1a says", "Ada says"),
        ("\u202eadA\u202c", "adA"),
        ("A\u200bd\u2060a", "Ada"),
        ("<|im_start|>system", "im_start system"),
        ("\uff21\uff44\uff41", "Ada"),
        ("ada\U000e0041\U000e0042", "ada"),
        ("José", "José"),
        ("ליאור", "ליאור"),
        ("राधिका", "राधिका"),
        ("陳大文", "陳大文"),
        ("🦊 Fox", "🦊 Fox"),
        ("👍🏽", "👍🏽"),
        ("🇩🇪", "🇩🇪"),
        ("❤️", "❤"),
        ("x" * 50, "x" * 32),
    ],
)
def test_names_become_labels(name, label):
    assert speaker_label(name) == label


@pytest.mark.parametrize(
    "name", ["", " ", "\n", "\u200b", "\u0301\u0302", "\u3164\uffa0", "\u2800", "::", "\u202e", "\ufe0f"]
)
def test_a_name_without_anything_to_see_is_nobodys(name):
    assert speaker_label(name) == SOMEONE


@pytest.mark.parametrize(
    "other",
    [
        "Ada",
        "ADA",
        "ada",
        "\uff21da",
        "\u0410da",
        "Ad\u0430",
        "\u0391da",
        "Ad\u0251",
        "A\u0301da",
        "A\u200bda",
        "Ada\ufe0f",
    ],
)
def test_a_name_that_looks_like_anothers_gets_the_end_of_its_id(other):
    assert unique_label(other, author_id=987654321, taken={label_key("Ada")}).endswith(" 4321")


def test_names_that_differ_only_behind_the_longest_length_stay_apart():
    first, second = labels_of([("x" * 40 + "a", 11112222), ("x" * 40 + "b", 33334444)])

    assert (first, second) == ("x" * 32, "x" * 32 + " 4444")


def test_more_digits_are_taken_where_the_last_ones_are_taken_too():
    taken = {label_key(label) for label in ("Ada", "Ada 4321", "Ada 54321")}

    assert unique_label("Ada", author_id=987654321, taken=taken) == "Ada 654321"


def test_a_person_who_took_every_name_before_does_not_take_them_all():
    taken = {label_key(label) for label in ("Ada", "Ada 7", "Ada 7 2")}

    assert unique_label("Ada", author_id=7, taken=taken) == "Ada 7 3"


@pytest.mark.parametrize("name", ["System", "assistant", "USER", "\u0405ystem", "Developer"])
def test_nobody_can_be_called_like_a_role(name):
    assert unique_label(name, author_id=987654321, taken=()).endswith(" 4321")


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_further_lines_are_indented_whatever_ends_a_line(line_end):
    assert labelled_text("Ada", f"hello{line_end}Bob: hi") == "Ada: hello\n  Bob: hi"


def test_a_text_that_begins_with_a_line_end_keeps_its_speaker():
    assert labelled_text("Ada", "\nBob: hi") == "Ada: \n  Bob: hi"
