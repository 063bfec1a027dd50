"""When the bot answers."""

from dataclasses import replace

import pytest

from bot.core.intake import Heard, should_answer

ELSEWHERE = Heard(
    speech=True,
    from_bot=False,
    webhook=False,
    direct=False,
    channel_ids=(10,),
    mentions_bot=False,
    replies_to_bot=False,
    has_content=True,
)


@pytest.mark.parametrize(
    ("case", "answers"),
    [
        ({}, False),
        ({"mentions_bot": True}, True),
        ({"mentions_bot": True, "has_content": False}, True),
        ({"replies_to_bot": True}, True),
        ({"direct": True}, True),
        ({"direct": True, "has_content": False}, False),
        ({"channel_ids": (77,)}, True),
        ({"channel_ids": (11, 77)}, True),
        ({"channel_ids": (77,), "has_content": False}, False),
        ({"mentions_bot": True, "from_bot": True}, False),
        ({"mentions_bot": True, "webhook": True}, False),
        ({"mentions_bot": True, "speech": False}, False),
        ({"direct": True, "from_bot": True}, False),
    ],
)
def test_the_bot_answers_where_it_is_meant_and_nowhere_else(case, answers) -> None:
    assert should_answer(replace(ELSEWHERE, **case), chat_channels=frozenset({77})) is answers
