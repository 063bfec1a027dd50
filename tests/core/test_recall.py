"""What is shown around a hit."""

import threading

import pytest

from bot.core.archive import TURNS_IN_A_PAGE, ArchivedTurn
from bot.core.folding import find, fold
from bot.core.messages import ConversationKey, Kind, TurnState
from bot.core.recall import MOST_HITS, Hit, recall, snippet
from tests.fakes import NOW

HERE = ConversationKey(channel_id=10)


def turn(text, position=1, **more):
    fields = {"kind": Kind.MESSAGE, "state": TurnState.ANSWERED, "sent_at": NOW, **more}
    return ArchivedTurn(position=position, text=text, **fields)


def cut(text, query, width):
    return "|".join(snippet(Hit(turn=turn(text), where=find(text, fold(query))), width=width))


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("short hit here", 50, "short |hit| here"),
        ("over\ntwo   lines: hit\n\nhere", 50, "over two lines: |hit| here"),
        ("hit and a very long ending of it", 20, "|hit| and a very long…"),
        ("a very long beginning before the hit", 20, "…ning before the |hit|"),
        ("a very long beginning, a hit and a very long ending", 23, "…g, a |hit| and a very l…"),
        ("hit", 2, "|h…|"),
        ("x hit y", 3, "|hit|"),
    ],
)
def test_what_surrounds_a_hit_is_cut_to_a_width(text, width, shown):
    assert cut(text, "hit", width) == shown
    assert len(shown) - 2 <= width


def test_no_letter_is_cut_from_its_signs():
    family, sign = "👨\u200d👩\u200d👧", "e\u0301"

    assert cut(f"hit {family * 3}", "hit", 11) == f"|hit| {family}…"
    assert cut(f"{sign * 5}hit", "hit", 9) == f"…{sign * 2}|hit|"
    assert cut("hit 👍🏽👍🏽", "hit", 6) == "|hit|…"


class Pages:
    """An archive of so many turns, which counts what is read of it."""

    def __init__(self, *turns):
        self.turns_there = turns[::-1]
        self.read = 0

    async def turns(self, key, *, before, most):
        assert key == HERE
        page = [turn for turn in self.turns_there if turn.position < before][:most]
        self.read += len(page)
        return page


async def test_older_turns_are_read_as_long_as_hits_are_missing():
    some = [turn("the hit" if n in (1, 250, 900) else "other", n) for n in range(1, 1001)]

    found = await recall(Pages(*some), HERE, "hit", reader=1)

    assert [hit.turn.position for hit in found.hits] == [900, 250, 1]
    assert not found.more


async def test_no_more_is_read_than_it_takes_to_know_that_there_is_more():
    pages = Pages(*(turn("the hit", n) for n in range(1, 1001)))

    found = await recall(pages, HERE, "hit", reader=1)

    assert [hit.turn.position for hit in found.hits] == [*range(1000, 1000 - MOST_HITS, -1)]
    assert found.more
    assert pages.read == TURNS_IN_A_PAGE


async def test_a_search_gives_up_in_the_end(monkeypatch):
    monkeypatch.setattr("bot.core.recall.MOST_TURNS_READ", 500)
    pages = Pages(*(turn("the hit" if n in (1, 900) else "other", n) for n in range(1, 1001)))

    found = await recall(pages, HERE, "hit", reader=1)

    assert [hit.turn.position for hit in found.hits] == [900]
    assert found.given_up
    assert pages.read == 600


async def test_nobody_waits_for_the_comparing(monkeypatch):
    threads = set()

    def find_and_tell(*about):
        threads.add(threading.get_ident())
        return find(*about)

    monkeypatch.setattr("bot.core.recall.find", find_and_tell)

    await recall(Pages(*(turn("the hit", n) for n in range(1, 9))), HERE, "hit", reader=1)

    assert threads
    assert threading.get_ident() not in threads


async def test_a_query_that_nobody_can_see_finds_nothing():
    pages = Pages(turn("the hit"))

    assert (await recall(pages, HERE, " \u200b\ufe0f ", reader=1)).hits == ()
    assert pages.read == 0


@pytest.mark.parametrize(
    "other",
    [
        {"kind": Kind.NOTICE, "state": TurnState.STANDING},
        {"kind": Kind.ANSWER, "state": TurnState.UNDELIVERABLE},
        {"kind": Kind.ANSWER, "state": TurnState.DRAFTING},
        {"state": TurnState.FAILED},
    ],
)
async def test_what_is_no_part_of_the_conversation_is_not_found(other):
    assert (await recall(Pages(turn("the hit", **other)), HERE, "hit", reader=1)).hits == ()
