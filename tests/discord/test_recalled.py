"""What /recall shows: one message, in which nothing that was found does anything."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.core.archive import ArchivedTurn
from bot.core.folding import find, fold
from bot.core.messages import ConversationKey, Kind, TurnState
from bot.core.recall import Found, Hit
from bot.discord.recalled import GIVEN_UP, MORE, NOTHING, recalled_words
from bot.discord.split import units

HERE = ConversationKey(channel_id=10)
BIG = 2**63 - 1
QUESTION = ArchivedTurn(
    position=1,
    kind=Kind.MESSAGE,
    state=TurnState.ANSWERED,
    text="",
    sent_at=datetime(2026, 11, 1, tzinfo=UTC),
    label="Ada",
    message_id=70,
)
ANSWER = replace(QUESTION, kind=Kind.ANSWER, state=TurnState.STANDING, label=None, message_id=71)


def hit(text, query="hit", turn=QUESTION):
    return Hit(turn=replace(turn, text=text), where=find(text, fold(query)))


def words(*hits, key=HERE, guild_id=5, **more):
    return recalled_words(Found(hits=hits, **more), key, guild_id=guild_id, bot_id=BIG)


def test_a_hit_is_its_date_its_speaker_its_words_and_a_link():
    assert words(hit("A hit here"), hit("my hit", turn=ANSWER)) == (
        "<t:1793491200:d> Ada: A **hit** here https://discord.com/channels/5/10/70\n"
        f"<t:1793491200:d> <@{BIG}>: my **hit** https://discord.com/channels/5/10/71"
    )


def test_a_link_of_a_dm_leads_there():
    assert words(hit("hit"), guild_id=None).endswith(" https://discord.com/channels/@me/10/70")


@pytest.mark.parametrize(
    ("key", "turn"),
    [(ConversationKey(channel_id=10, private_to=1), QUESTION), (HERE, replace(ANSWER, message_id=None))],
)
def test_what_nobody_can_go_to_has_no_link(key, turn):
    assert words(hit("a hit", turn=turn), key=key).endswith(": a **hit**")


def test_nothing_in_a_hit_is_markup():
    said = words(hit("@everyone <@5> **hit** [a](http://b) `c` ~~d~~ ||e|| <:f:6> \\", query="hit** [a"))

    assert said.startswith(
        "<t:1793491200:d> Ada: \\@everyone \\<\\@5\\> \\*\\***hit\\*\\* \\[a**\\]\\(http\\://b\\) \\`c\\`"
        " \\~\\~d\\~\\~ \\|\\|e\\|\\| \\<\\:f\\:6\\> \\\\ https"
    )


def test_a_name_is_no_markup_either():
    assert "\\*\\*Bo\\_b\\*\\*:" in words(hit("hit", turn=replace(QUESTION, label="**Bo_b**")))


def test_nobody_can_be_called_what_the_bot_is():
    said = words(hit("hit", turn=replace(QUESTION, label=f"<@{BIG}>")), hit("hit", turn=ANSWER))

    assert [f" <@{BIG}>: " in line for line in said.splitlines()] == [False, True]


def test_nothing_found_says_what_was_looked_at():
    assert words() == NOTHING
    assert words(given_up=True) == f"{NOTHING}\n{GIVEN_UP}"


def test_older_hits_are_mentioned():
    assert words(hit("hit"), more=True).endswith(f"\n{MORE}")
    assert words(hit("hit"), given_up=True).endswith(f"\n{GIVEN_UP}")
    assert "-#" not in words(hit("hit"))


def test_ten_long_hits_are_one_message_with_shorter_words():
    said = words(*[hit("word " * 50 + "hit" + " word" * 50)] * 10, guild_id=BIG)

    assert units(said) <= 2_000
    assert said.count("**hit**") == 10
    assert MORE not in said


def test_what_cannot_be_shown_at_all_is_said_to_be_there():
    long = replace(QUESTION, label="_" * 32, message_id=BIG)
    said = words(*[hit("*" * 400 + "😀" * 100 + "*" * 400, query="😀" * 100, turn=long)] * 10, guild_id=BIG)

    assert units(said) <= 2_000
    assert said.count("https://") in range(4, 10)
    assert said.endswith(f"\n{MORE}")
