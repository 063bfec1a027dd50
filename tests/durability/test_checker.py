"""The checker is checked: a bot with one law broken is convicted, the bot itself is not."""

import pytest

from tests.durability.convictions import CASES, tried
from tests.durability.mutants import MUTANTS


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.mutant)
async def test_a_bot_with_a_law_broken_is_convicted(case) -> None:
    found = await tried(case, mutant=case.mutant)

    assert case.convicts in {violation.invariant for violation in found}


@pytest.mark.parametrize(
    "trouble", {case.trouble.__name__: case for case in CASES}.values(), ids=lambda case: case.trouble.__name__
)
async def test_the_bot_itself_is_not(trouble) -> None:
    assert await tried(trouble, mutant="") == []


def test_every_mutant_is_tried() -> None:
    assert {case.mutant for case in CASES} == set(MUTANTS)
