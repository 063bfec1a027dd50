"""What is decided about a button before anything is stored."""

import pytest

from bot.core.admission import Admission, AdmissionLimits
from bot.core.answering import Answering
from bot.core.errors import PressRefused, Withdrawn
from bot.core.line import Line
from bot.core.messages import ConversationKey, Press
from bot.core.presses import GONE, UNDER_WAY, Presses
from bot.core.tokens import TokenBudget
from bot.core.under_way import UnderWay
from tests.clock import ManualClock
from tests.fakes import FakeStore, message, no_budgets

HERE = ConversationKey(channel_id=10)


class OneUnderWay:
    """A queue in which one answer is under way; *waited* for its end when asked to."""

    def __init__(self, taken) -> None:
        self.taken, self.answering, self.waited = taken, Answering(), False
        self.under_way = UnderWay(taking_up=lambda: False)

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
    presses = Presses(store=FakeStore(), queue=queue, admission=admission)
    with pytest.raises(PressRefused) as refused:
        await getattr(presses, action)(pressed)
    return refused.value.user_message


async def test_who_asks_for_an_answer_that_is_being_written_hears_so_at_once(queue):
    assert await refusal(queue, "rewrite") == UNDER_WAY
    assert not queue.waited


async def test_who_is_refused_pays_for_nothing(queue):
    queue.answering.finishing = True

    await refusal(queue, "rewrite", person=9, moderates=True)

    assert queue.under_way.begin(queue.taken).payer is None


def test_who_pressed_pays_each_time_that_it_is_taken_up_until_it_has_ended(queue):
    under_way, payers = queue.under_way, []
    with under_way.paid_by(Press(id=9, question_id=1, person=9, moderates=True, key=HERE)):
        pass

    for over in (False, True, True):
        payers.append(under_way.begin(queue.taken).payer)
        under_way.end(queue.taken, over=over)

    assert payers == [9, 9, None]


def test_who_pressed_pays_for_no_answer_whose_question_is_deleted_meanwhile(queue):
    under_way = queue.under_way
    with under_way.paid_by(Press(id=9, question_id=1, person=9, moderates=True, key=HERE)):
        pass

    under_way.begin(queue.taken).stop(Withdrawn())
    under_way.end(queue.taken, over=False)

    assert under_way.begin(queue.taken).payer is None


async def test_an_answer_on_its_way_into_the_channel_is_waited_for(queue):
    queue.answering.finishing = True

    assert await refusal(queue, "rewrite") == GONE  # this store knows of none
    assert queue.waited
