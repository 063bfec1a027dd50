"""The long scenarios, played small: the trouble is there, and the checker finds nothing wrong."""

import random

import pytest

from tests.durability import refused_resumes, repeats, resumes, storm
from tests.durability.scenario import Played, told


@pytest.mark.parametrize(
    ("scenario", "trouble", "least"),
    [
        (resumes, "resumes", resumes.QUICK_RESUMES),
        (refused_resumes, "refused resumes", refused_resumes.QUICK_REFUSED),
        (repeats, "to another session", 1),
        (storm, "of them 429", 1),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2],
)
async def test_nothing_is_lost_or_doubled(scenario, trouble, least) -> None:
    played = await scenario.play(random.Random(1), True)

    assert played.violations == []
    assert played.figures[trouble] >= least


def test_a_scenario_tells_its_figures_in_one_line() -> None:
    played = Played(figures={"resumes": 1200, "s to read them": 10.1}, violations=[])

    assert (
        told("resumes", played, seconds=61.2) == "resumes: 1,200 resumes, 10.1 s to read them, 0 violations, 61 s"
    )
