"""What is decided about a button before anything is stored."""

import pytest

from bot.core.admission import Admission, AdmissionLimits
from bot.core.answering import Answering
from bot.core.as_told import AsTold
from bot.core.changes import Changes
from bot.core.errors import PressRefused
from bot.core.line import Line
from bot.core.messages import ConversationKey, Press
from bot.core.presses import GONE, UNDER_WAY, Presses
from bot.core.tokens import TokenBudget
from tests.clock import ManualClock
from tests.fakes import FakeStore, message, no_budgets

HERE = ConversationKey(channel_id=10)


class OneUnderWay:
    """A queue in which one answer is under way; *waited* for its end when asked to."""

    def __init__(self, taken) -> None:
        self.taken, self.answering, self.waited = taken, Answering(), False

    def answering_to(self, question_id, key):
        mine = (question_id, key) == (self.taken.question.message_id, HERE)
        return (self.taken, self.answering) if mine else None

    async def until_answered(self, question_id, key, *, within):
        self.waited = True


@pytest.fixture
async def queue():
    received = await FakeStore().receive(message("q", id=1), take_up=True, budget=TokenBudget(history_tokens=8000))
    return OneUnderWay(received.taken_up)


async def refusal(queue, action, **press):
    pressed = Press(**{"id": 9, "question_id": 1, "person": 1, "moderates": False, "key": HERE} | press)
    admission = Admission(Line(), clock=ManualClock(), limits=AdmissionLimits(), budgets=no_budgets(ManualClock()))
    store = FakeStore()
    as_told = AsTold(Changes(ManualClock()), store)
    presses = Presses(store=store, queue=queue, admission=admission, as_told=as_told)
    with pytest.raises(PressRefused) as refused:
        await getattr(presses, action)(pressed)
    return refused.value.user_message


async def test_who_asks_for_an_answer_that_is_being_written_hears_so_at_once(queue):
    assert await refusal(queue, "rewrite") == UNDER_WAY
    assert not queue.waited


async def test_an_answer_on_its_way_into_the_channel_is_waited_for(queue):
    queue.answering.finishing = True

    assert await refusal(queue, "rewrite") == GONE  # this store knows of none
    assert queue.waited
