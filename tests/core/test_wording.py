"""The lines of ours around an answer can be told from its own words again."""

import itertools

import pytest

from bot.core.messages import Conversation, ConversationKey, Kind, Outcome, TakenUp, Turn, TurnState
from bot.core.wording import lines_below, question_head, shown_answer

ANSWERS = ["Because.", "Because.\n-# A small line of the model's own.", "```py\nprint()"]
NOTES = [None, "I could not read an image."]


def taken_up(note):
    question = Turn(id=1, kind=Kind.SLASH, state=TurnState.ANSWERING, text="Why?", note=note)
    key = ConversationKey(channel_id=1)
    return TakenUp(
        conversation=Conversation(id=1, key=key, guild_id=None, labelled=False),
        history=(),
        history_tokens=0,
        questions=(question,),
        answer_id=9,
        attempt=1,
        tries=1,
    )


@pytest.mark.parametrize(("text", "note", "outcome"), list(itertools.product(ANSWERS, NOTES, Outcome)))
def test_what_we_wrote_below_an_answer_is_found_again(text, note, outcome):
    taken = taken_up(note)
    shown = shown_answer(taken, text, outcome)

    below = lines_below(taken, shown)

    left = shown.removesuffix(below).removeprefix(question_head(taken))
    assert left in (text, f"{text}\n```")  # a code block left open is closed before our lines
    assert ("read an image" in below) == (note is not None)
    assert ("-# " in below.replace(f"-# {note}", "")) == (outcome is not Outcome.COMPLETE)
