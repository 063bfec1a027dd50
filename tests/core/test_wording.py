"""The lines of ours around an answer can be told from its own words again."""

import itertools

import pytest

from bot.core.messages import Conversation, ConversationKey, Kind, Outcome, TakenUp, Turn
from bot.core.wording import lines_below, question_head, shown_answer, shown_notice

ANSWERS = ["Because.", "Because.\n-# A small line of the model's own.", "```py\nprint()"]
NOTES = [None, "I could not read an image."]


def taken_up(note=None, *, kind=Kind.SLASH, private_to=0):
    question = Turn(id=1, kind=kind, text="Why?", note=note)
    key = ConversationKey(channel_id=1, private_to=private_to)
    return TakenUp(
        conversation=Conversation(id=1, key=key, guild_id=None, labelled=False),
        history=(),
        history_tokens=0,
        questions=(question,),
        answer_id=9,
        attempt=1,
        tries=1,
    )


@pytest.mark.parametrize(
    ("text", "note", "outcome", "private_to"), list(itertools.product(ANSWERS, NOTES, Outcome, (0, 7)))
)
def test_what_we_wrote_below_an_answer_is_found_again(text, note, outcome, private_to):
    taken = taken_up(note, private_to=private_to)
    shown = shown_answer(taken, text, outcome)

    below = lines_below(taken, shown)

    left = shown.removesuffix(below).removeprefix(question_head(taken))
    assert left in (text, f"{text}\n```")  # a code block left open is closed before our lines
    assert ("read an image" in below) == (note is not None)
    assert ("-# " in below.replace(f"-# {note}", "")) == (outcome is not Outcome.COMPLETE)


def test_the_reset_that_is_advised_is_that_of_the_conversation_it_is_about():
    here = shown_notice(taken_up(kind=Kind.MESSAGE), "Use /reset to start anew.")
    private = shown_notice(taken_up(private_to=7), "Use /reset to start anew.")

    assert here == "Use /reset to start anew."
    assert private == "> Why?\nUse /reset private:True to start anew."


@pytest.mark.parametrize("outcome", [Outcome.CUT_OFF, Outcome.LENGTH])
@pytest.mark.parametrize(
    ("kind", "private_to", "said"),
    [
        (Kind.MESSAGE, 0, "Say *go on* and I'll continue."),
        (Kind.SLASH, 0, "Say *go on* with `/chat` and I'll continue."),
        (Kind.SLASH, 7, "Say *go on* with `/chat private:True` and I'll continue."),
    ],
)
def test_how_to_let_it_go_on_is_said_as_it_works_where_it_was_asked(outcome, kind, private_to, said):
    shown = shown_answer(taken_up(kind=kind, private_to=private_to), "Because", outcome)

    assert shown.endswith(f" {said}")
